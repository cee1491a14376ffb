"""The worker protocol over HTTP."""

import asyncio
import base64
from typing import Any

import httpx
import pytest

from agentrunner.api.server import Application, Server
from agentrunner.domain.token import Scope
from api.serving import COMMAND, WORKER, claim, problem, record, register
from waiting import eventually

CALLS = ["register", "claim", "heartbeat", "wishes", "record", "decisions"]


async def test_a_run_from_claim_to_end(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> None:
    """The six calls carry a run from the queue to its end, and the timeline has every step once."""
    await client.post("/v1/runs", json=COMMAND)
    await register(worker)
    (assignment,) = await claim(worker)
    started = {"stream": "journal", "from": 0, "to": 5, "events": [{"type": "run.started", "payload": {"pid": 1}}]}
    log = {"type": "log", "payload": {"stream": "stdout", "offset": 0, "lines": ["hé", "\x00"]}}
    out = {"stream": "out", "from": 0, "to": 6, "events": [log], "state": {"lines": 2}}
    body = record(assignment, parts=[started, out])
    answer = (await worker.post("/v1/control/record", json=body)).json()
    assert (answer["offsets"], answer["states"]["out"]) == ({"out": 6, "err": 0, "journal": 5}, {"lines": 2})
    again = (await worker.post("/v1/control/record", json=body)).json()
    assert again == answer
    sizes = {"out": 6, "err": 0, "journal": 5}
    outcome = {"status": "COMPLETED", "exit_code": 0, "sizes": sizes}
    ended = (await worker.post("/v1/control/record", json=record(assignment, outcome=outcome))).json()
    assert (ended["ended"], ended["status"]) == (True, "COMPLETED")
    types = [item["type"] for item in (await client.get("/v1/runs/1/events")).json()["items"]]
    assert types == ["run.created", "run.claimed", "run.started", "log", "run.completed"]


async def test_offset_mismatch_answers_what_is_stored(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> None:
    """A gap is 409 with offsets and states, so that the worker can read again from there."""
    await client.post("/v1/runs", json=COMMAND)
    await register(worker)
    (assignment,) = await claim(worker)
    part = {"stream": "out", "from": 7, "to": 9}
    refused = problem(
        await worker.post("/v1/control/record", json=record(assignment, parts=[part])), 409, "offset_mismatch"
    )
    assert refused["offsets"] == {"out": 0, "err": 0, "journal": 0}
    assert refused["states"] == {"out": None, "err": None, "journal": None}


async def test_stale_epochs_and_unknown_workers(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> None:
    """A worker that registered again fences its former self; one that never did has to."""
    body = {"worker_id": WORKER["worker_id"], "epoch": 1}
    problem(await worker.post("/v1/control/heartbeat", json=body), 404, "worker_not_found")
    await register(worker)
    assert (await worker.post("/v1/control/heartbeat", json=body)).json() == {"lease_s": 15.0}
    await register(worker)
    problem(await worker.post("/v1/control/heartbeat", json=body), 409, "stale_epoch")
    other = {**WORKER, "machine_id": "another"}
    problem(await worker.post("/v1/control/register", json=other), 409, "worker_in_use")


async def test_a_repeated_claim_repeats_its_answer(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> None:
    """A worker that lost the answer asks again with the same `claim_id` and gets the same runs."""
    await client.post("/v1/runs", json={"runs": [COMMAND, COMMAND]})
    await register(worker)
    first = await claim(worker, slots=1)
    assert await claim(worker, slots=1) == first
    assert [run["run_id"] for run in await claim(worker, "second", slots=1)] == [2]


@pytest.mark.parametrize("call", CALLS)
async def test_only_worker_tokens_open_it(
    application: Application, client: httpx.AsyncClient, token: Any, call: str
) -> None:
    """No other scope opens the worker protocol, not even admin, and no token none of it."""
    transport = httpx.ASGITransport(application.on_socket)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as local:
        problem(await local.post(f"/v1/control/{call}", json={}), 401, "unauthorized")
        for scope in set(Scope) - {Scope.WORKER}:
            headers = {"authorization": f"Bearer {await token(scope)}"}
            problem(await local.post(f"/v1/control/{call}", json={}, headers=headers), 403, "forbidden")
    headers = {"authorization": f"Bearer {await token(Scope.WORKER)}"}
    over_tcp = await client.post(f"/v1/control/{call}", json={}, headers=headers)
    assert "workers-from-network" in problem(over_tcp, 403, "forbidden")["detail"]


@pytest.mark.parametrize("overrides", [{"insecure_no_auth": True}])
async def test_insecure_no_auth_never_opens_it(application: Application) -> None:
    """Without authentication everything is open but the worker protocol, on the Unix socket too."""
    for app in (application, application.on_socket):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as anybody:
            assert (await anybody.get("/v1/runs")).status_code == 200
            for call in CALLS:
                problem(await anybody.post(f"/v1/control/{call}", json={}), 401, "unauthorized")


@pytest.mark.parametrize("overrides", [{"workers_from_network": True}])
async def test_workers_from_the_network(client: httpx.AsyncClient, token: Any) -> None:
    """Where the setting says so, a worker's token opens the protocol over TCP."""
    headers = {"authorization": f"Bearer {await token(Scope.WORKER)}"}
    assert (await client.post("/v1/control/register", json=WORKER, headers=headers)).status_code == 200
    problem(await client.post("/v1/control/register", json=WORKER), 403, "forbidden")


async def test_a_claim_wakes_at_once(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> None:
    """A waiting claim is answered by the run that comes, long before its time is over."""
    await register(worker)
    waiting = asyncio.create_task(claim(worker, wait_s=30))
    await eventually(lambda: _settled(waiting))
    await client.post("/v1/runs", json=COMMAND)
    async with asyncio.timeout(5):
        assert [run["run_id"] for run in await waiting] == [1]


async def _settled(task: asyncio.Task[Any]) -> bool:
    """True once other tasks had their turn and this one waits."""
    return not task.done()


async def test_long_polls_end_with_the_server(server: Server, token: Any) -> None:
    """A stopping server answers long polls with 503 at once; the worker asks the next one."""
    transport = httpx.AsyncHTTPTransport(uds=str(server.socket_path))
    headers = {"authorization": f"Bearer {await token(Scope.WORKER)}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://x", headers=headers, timeout=10) as worker:
        await register(worker)
        body = {"worker_id": WORKER["worker_id"], "epoch": 1, "claim_id": "c", "slots": 1, "wait_s": 30}
        waiting = [asyncio.create_task(worker.post("/v1/control/claim", json=body))]
        body = {"worker_id": WORKER["worker_id"], "epoch": 1, "wait_s": 30}
        waiting += [asyncio.create_task(worker.post(f"/v1/control/{call}", json=body)) for call in CALLS[3::2]]
        await eventually(lambda: _waiting(server, 3))
        async with asyncio.timeout(3):
            await server.stop()
        for response in await asyncio.gather(*waiting):
            problem(response, 503, "unavailable")


async def _waiting(server: Server, wanted: int) -> bool:
    topics = server.app.context.services.wakeups._topics
    return sum(len(listeners) for listeners in topics.values()) >= wanted


async def test_a_claim_whose_client_is_gone_takes_nothing(server: Server, token: Any, client: Any) -> None:
    """A worker that closes while it waits leaves no claim behind that would take a run for nobody."""
    headers = {"authorization": f"Bearer {await token(Scope.WORKER)}"}
    transport = httpx.AsyncHTTPTransport(uds=str(server.socket_path))
    async with httpx.AsyncClient(transport=transport, base_url="http://x", headers=headers) as worker:
        await register(worker)
        body = {"worker_id": WORKER["worker_id"], "epoch": 1, "claim_id": "c", "slots": 1, "wait_s": 30}
        waiting = asyncio.create_task(worker.post("/v1/control/claim", json=body))
        await eventually(lambda: _waiting(server, 1))
        waiting.cancel()
        await eventually(lambda: _nobody_waits(server))
    await client.post("/v1/runs", json=COMMAND)
    assert (await client.get("/v1/runs/1")).json()["status"] == "QUEUED"


async def _nobody_waits(server: Server) -> bool:
    return not server.app.context.services.wakeups._topics


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b'{"worker_id":"\xff"}', b"[" * 100_000, b'{"worker_id": 1}'], ids=repr
)
async def test_bad_bodies(worker: httpx.AsyncClient, call: str, body: bytes) -> None:
    """Whatever a worker sends, the answer is a problem document."""
    response = await worker.post(f"/v1/control/{call}", content=body[:100_000])
    assert response.status_code in (400, 422)
    problem(response, response.status_code, response.json()["code"])


async def test_record_takes_16_mib_of_output(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> None:
    """A call may carry 16 MiB of events; far more is refused."""
    await client.post("/v1/runs", json=COMMAND)
    await register(worker)
    (assignment,) = await claim(worker)
    line = base64.b64encode(bytes(48 * 1024)).decode()
    events = [{"type": "log", "payload": {"stream": "stdout", "offset": 0, "lines": [line]}}] * 250
    part = {"stream": "out", "from": 0, "to": 16_000_000, "events": events}
    stored = await worker.post("/v1/control/record", json=record(assignment, parts=[part]))
    assert stored.json()["last_seq"] == 252
    too_much = record(assignment, parts=[{**part, "from": 16_000_000, "to": 32_000_000, "events": events * 2}])
    problem(await worker.post("/v1/control/record", json=too_much), 413, "body_too_large")


BIG = 2**70


@pytest.mark.parametrize(
    ("call", "fields"),
    [
        ("register", {**WORKER, "lock_inode": BIG}),
        ("register", {**WORKER, "worker_id": "w", "slots": BIG}),
        ("heartbeat", {"epoch": 1, "running": BIG}),
        ("decisions", {"epoch": 1, "known": [BIG], "wait_s": 0}),
        ("record", {"parts": [{"stream": "out", "from": 0, "to": BIG}]}),
        ("record", {"run_id": BIG}),
        ("record", {"attempt": BIG}),
        ("record", {"parts": [{"stream": "out", "from": 0, "to": 1, "events": [{"type": "t", "ts": BIG}]}]}),
        ("record", {"outcome": {"status": "FAILED", "reason": "signal", "exit_code": BIG, "sizes": {}}}),
        (
            "record",
            {"parts": [{"stream": "journal", "from": 0, "to": 1, "events": [{"type": "run.paused", "payload": 1}]}]},
        ),
        ("record", {"parts": [{"stream": "out", "from": 0, "to": 1, "events": [{"type": "usage", "payload": []}]}]}),
    ],
)
async def test_numbers_and_payloads_out_of_range(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, call: str, fields: dict[str, Any]
) -> None:
    """A number larger than 64 bits, or a fact that says nothing, is refused and changes nothing."""
    await client.post("/v1/runs", json=COMMAND)
    await register(worker)
    (assignment,) = await claim(worker)
    before = (await client.get("/v1/runs/1")).json()
    body = record(assignment, **fields) if call == "record" else {"worker_id": WORKER["worker_id"], **fields}
    response = await worker.post(f"/v1/control/{call}", json=body)
    assert response.status_code in (409, 422), response.text
    problem(response, response.status_code, response.json()["code"])
    assert (await client.get("/v1/runs/1")).json() == before
