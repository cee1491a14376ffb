"""The Runs API surface: projects, runs and wishes, and each weakness of the server behind document 002 not ours."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from agentrunner.api.server import Application
from agentrunner.domain.token import Scope
from api.serving import Clock, claim, record, register
from waiting import eventually

NAME = re.compile(r"Run - \d{4}-\d\d-\d\d \d\d:\d\d")
COMMAND = {"backend": "command", "argv": ["true"]}
EXITED = {"out": 0, "err": 0, "journal": 0}


def refusal(response: httpx.Response, status: int) -> Any:
    """The detail of a refusal, after checking its form."""
    assert response.headers["content-type"] == "application/json", response.text
    assert response.status_code == status, response.text
    assert response.json().keys() == {"detail", "code", "request_id"}
    return response.json()["detail"]


def place(response: httpx.Response) -> list[str]:
    """Where the field is of which a 422 tells."""
    (found,) = refusal(response, 422)
    assert found.keys() == {"loc", "msg", "type"}
    return list(found["loc"])


async def create(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    """A run that has to be taken."""
    response = await client.post("/runs", json={"project_id": 1, "goal": "a goal", **body})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def shown(client: httpx.AsyncClient, run_id: int = 1) -> dict[str, Any]:
    """A run."""
    response = await client.get(f"/runs/{run_id}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def begun(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> dict[str, Any]:
    """What a worker is given for a run of a real backend; the run is RUNNING."""
    await create(client, options=COMMAND)
    await register(worker)
    (assignment,) = await claim(worker)
    return assignment


async def fact(worker: httpx.AsyncClient, assignment: dict[str, Any], at: int, type: str, revision: int = 0) -> None:
    """Record a fact of the journal, `at` bytes of it being known."""
    event = {"type": type, "payload": {"revision": revision}}
    part = {"stream": "journal", "from": at, "to": at + 1, "events": [event], "state": None}
    answer = await worker.post("/v1/control/record", json=record(assignment, parts=[part]))
    assert answer.status_code == 200, answer.text


async def ended(worker: httpx.AsyncClient, assignment: dict[str, Any], status: str, at: int = 0) -> None:
    """Record how it ended."""
    outcome = {"status": status, "sizes": {**EXITED, "journal": at}, "exit_code": 0}
    outcome |= {"reason": "stopped_by_user"} if status == "STOPPED" else {}
    answer = await worker.post("/v1/control/record", json=record(assignment, outcome=outcome))
    assert answer.status_code == 200, answer.text


@pytest.fixture
async def anybody(application: Application) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token."""
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as found:
        yield found


async def test_it_needs_a_key(anybody: httpx.AsyncClient, token: Any) -> None:
    """The original has no authentication: here to look needs `read`, to change anything `admin`, by either header."""
    for method, path in (("GET", "/runs"), ("POST", "/runs"), ("POST", "/worker/process"), ("GET", "/runs/1/events")):
        assert "token" in refusal(await anybody.request(method, path), 401)
    read, report = {"x-api-key": await token(Scope.READ)}, {"x-api-key": await token(Scope.REPORT)}
    assert (await anybody.get("/projects", headers=read)).status_code == 200
    assert (await anybody.get("/worker/status", headers=read)).status_code == 200
    for headers in (read, report):
        for path in ("/projects?name=a&local_path=/a", "/runs?project_id=1&goal=g", "/runs/1/stop", "/worker/process"):
            assert "admin" in refusal(await anybody.post(path, headers=headers), 403)
    bearer = {"authorization": f"Bearer {await token(Scope.ADMIN)}"}
    assert (await anybody.post("/runs?project_id=1&goal=g", headers=bearer)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    ],
)
async def test_other_websites_change_nothing(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """The original's bare POSTs can be sent by any page that a person looks at; here a browser gives it away."""
    refusal(await client.post("/runs?project_id=1&goal=g", headers=headers), 403)
    refusal(await client.get("/runs", headers=headers), 403)
    assert (await client.get("/runs")).json() == []


async def test_projects(client: httpx.AsyncClient) -> None:
    """By query, by body under either name of the path, and listed the oldest first; the first is `default`."""
    by_query = await client.post("/projects?name=one&local_path=/tmp/one")
    by_body = await client.post("/projects", json={"name": "two", "path": "/tmp/two", "unknown": 1})
    mixed = await client.post("/projects?name=ignored", json={"name": "three", "local_path": "/tmp/three"})
    made = [answer.json() for answer in (by_query, by_body, mixed)]
    assert [answer.status_code for answer in (by_query, by_body, mixed)] == [200, 200, 200]
    found = (await client.get("/projects")).json()
    assert found[1:] == made
    assert [(each["id"], each["name"], each["local_path"]) for each in found] == [
        (1, "default", ""),
        (2, "one", "/tmp/one"),
        (3, "two", "/tmp/two"),
        (4, "three", "/tmp/three"),
    ]
    assert all(re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{3}Z", each["created_at"]) for each in found)


async def test_a_project_that_is_there(client: httpx.AsyncClient) -> None:
    """The original answers 500."""
    await client.post("/projects?name=one&local_path=/tmp/one")
    assert "one" in refusal(await client.post("/projects?name=one&local_path=/tmp/two"), 409)


async def test_lists_have_pages(client: httpx.AsyncClient) -> None:
    """The original's lists are unlimited; Link leads through ours, and every item comes once."""
    for number in range(5):
        await client.post(f"/projects?name=p{number}&local_path=/p")
        await create(client)
    for path, ids in (("/projects", [1, 2, 3, 4, 5, 6]), ("/runs", [5, 4, 3, 2, 1])):
        assert [each["id"] for each in (await client.get(path)).json()] == ids
        seen, following = [], f"{path}?limit=2"
        while following:
            answer = await client.get(following)
            assert len(answer.json()) <= 2
            seen += [each["id"] for each in answer.json()]
            following = answer.links.get("next", {}).get("url", "")
        assert seen == ids


async def test_a_page_of_runs_is_bounded(client: httpx.AsyncClient) -> None:
    """However large the goals are; Link says that there is more."""
    for _ in range(6):
        await create(client, goal="g" * 900_000)
    answer = await client.get("/runs")
    assert 4_000_000 < len(answer.content) < 5_500_000
    assert answer.links["next"]["url"].startswith("/runs?")


async def test_a_run(client: httpx.AsyncClient) -> None:
    """Every field; without a backend it is the simulation, and says so."""
    run = await create(client, unknown=1)
    assert NAME.fullmatch(run.pop("name"))
    assert re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{3}Z", run.pop("created_at"))
    assert run == {
        "id": 1,
        "project_id": 1,
        "goal": "a goal",
        "run_type": "agent",
        "status": "QUEUED",
        "current_iteration": 0,
        "options": None,
        "metadata": None,
        "run_metadata": None,
        "started_at": None,
        "ended_at": None,
        "backend": "demo",
        "simulated": True,
        "reason": None,
        "message": None,
    }
    native = (await client.get("/v1/runs/1")).json()
    assert (native["backend"], native["options"]) == ("demo", {"stdin": "pipe"})


@pytest.mark.parametrize("type", ["agent", "workflow", "pipeline", "task"])
async def test_what_was_sent_comes_back(client: httpx.AsyncClient, type: str) -> None:
    """Name, type, options and metadata, under the reference's name for it too."""
    body = {"name": "n", "run_type": type, "options": {"verbose": True, "timeout_seconds": 90}, "metadata": {"k": []}}
    run = await create(client, **body)
    assert {name: run[name] for name in body} == body
    assert run["run_metadata"] == {"k": []}
    assert await shown(client) == run
    assert (await create(client, run_metadata={"a": 1}))["metadata"] == {"a": 1}
    empty = await create(client, options={}, metadata={}, name="", goal="")
    assert (empty["options"], empty["metadata"], empty["goal"]) == (None, None, "")
    assert NAME.fullmatch(empty["name"])


async def test_a_run_by_query(client: httpx.AsyncClient) -> None:
    """As document 002's test script sends it; the body decides where both say something."""
    answer = await client.post("/runs?project_id=1&goal=Say%20hello&name=n&run_type=task&more=1")
    assert answer.status_code == 200
    assert [answer.json()[name] for name in ("goal", "name", "run_type")] == ["Say hello", "n", "task"]
    assert (await client.post("/runs?project_id=9&goal=a", json={"project_id": 1})).json()["goal"] == "a"
    # A name may look like a number.
    assert (await client.post("/runs?project_id=1&goal=5")).json()["goal"] == "5"


async def test_a_real_backend(client: httpx.AsyncClient) -> None:
    """`options.backend` chooses it; the other options are its own, and are checked before anything is stored."""
    run = await create(client, options={**COMMAND, "timeout_seconds": 5})
    assert (run["backend"], run["simulated"], run["options"]) == ("command", False, {**COMMAND, "timeout_seconds": 5.0})
    assert (await client.get("/v1/runs/1")).json()["options"] == {"argv": ["true"]}
    place(await client.post("/runs", json={"project_id": 1, "goal": "", "options": {"backend": "command"}}))
    assert len((await client.get("/runs")).json()) == 1


async def test_a_time_out_is_real(client: httpx.AsyncClient) -> None:
    """`options.timeout_seconds` has no effect on the original's own workflow; here it ends the run."""
    await create(client, options={"timeout_seconds": 7})
    assert (await client.get("/v1/runs/1")).json()["limits"] == {"wall_s": 7}


async def test_secrets_are_not_shown(client: httpx.AsyncClient) -> None:
    """What an environment calls a key is masked here as everywhere."""
    run = await create(client, options={**COMMAND, "env": {"API_KEY": "hush-hush"}})
    assert run["options"]["env"] == {"API_KEY": "***"}
    assert "hush-hush" not in (await client.get("/runs")).text


async def test_created_once(client: httpx.AsyncClient, clock: Clock) -> None:
    """The same Idempotency-Key answers the same run, also when the minute in its name is over."""
    headers, body = {"idempotency-key": "k-1"}, {"project_id": 1, "goal": "g"}
    first = (await client.post("/runs", json=body, headers=headers)).json()
    clock.forward_ms += 120_000
    assert (await client.post("/runs", json=body, headers=headers)).json() == first
    assert first["name"] == "Run - k-1"
    refusal(await client.post("/runs", json={**body, "goal": "other"}, headers=headers), 409)
    assert len((await client.get("/runs")).json()) == 1


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"", ["body", "project_id"]),
        (b'{"project_id":1}', ["body", "goal"]),
        (b'{"goal":"g"}', ["body", "project_id"]),
        (b'{"project_id":"1","goal":"g"}', ["body", "project_id"]),
        (b'{"project_id":1,"goal":null}', ["body", "goal"]),
        (b'{"project_id":1,"goal":"\\u0000"}', ["body", "goal"]),
        (b'{"project_id":1,"goal":"g","run_type":"other"}', ["body", "run_type"]),
        (b'{"project_id":1,"goal":"g","options":[]}', ["body", "options"]),
        (b'{"project_id":1,"goal":"g","options":{"backend":5}}', ["body", "options.backend"]),
        (b'{"project_id":1,"goal":"g","options":{"timeout_seconds":0}}', ["body", "options.timeout_seconds"]),
        (b'{"project_id":1,"goal":"g","options":{"timeout_seconds":true}}', ["body", "options.timeout_seconds"]),
        (b'{"project_id":1,"goal":"g","metadata":{"a":"\\u0000"}}', ["body", "metadata"]),
        (b"[]", ["body"]),
    ],
)
async def test_runs_that_cannot_be(client: httpx.AsyncClient, body: bytes, where: list[str]) -> None:
    """422 says where; nothing is stored."""
    assert place(await client.post("/runs", content=body))[: len(where)] == where
    assert (await client.get("/runs")).json() == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/runs/999", 404),
        ("GET", "/runs/0", 404),
        ("GET", "/runs/-1", 404),
        ("GET", f"/runs/{10**30}", 404),
        ("GET", "/runs/x", 422),
        ("GET", "/runs/1.5", 422),
        ("GET", "/runs?limit=x", 422),
        ("GET", "/runs?cursor=x", 400),
        ("GET", "/projects?limit=x", 422),
        ("POST", "/projects", 422),
        ("POST", "/projects?name=a", 422),
        ("POST", "/projects?name=a&local_path=relative", 422),
        ("POST", "/projects?name=a%00&local_path=/a", 422),
        ("POST", "/runs/999/stop", 404),
        ("POST", "/runs/x/stop", 422),
        ("POST", "/runs/999/directive", 422),
        ("GET", "/runs/1/stop", 405),
        ("DELETE", "/runs/1", 405),
        ("GET", "/worker", 404),
        ("GET", "/runs/999/events/stream", 404),
        ("GET", "/runs/1/events?after_id=x", 422),
    ],
)
async def test_refusals(client: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    """A client's fault is a 4xx in the form that these clients read."""
    refusal(await client.request(method, path), status)


async def test_texts_of_refusals(client: httpx.AsyncClient) -> None:
    """Those that the original's clients may look for."""
    assert refusal(await client.get("/runs/999"), 404) == "Run not found"
    assert refusal(await client.post("/runs?project_id=9&goal=g"), 404) == "Project with id 9 not found"
    assert refusal(await client.post(f"/runs?project_id={-(2**63) + 1}&goal=g"), 404).startswith("Project with id -9")
    await create(client)
    expected = "Invalid action. Must be one of: ['pause', 'resume', 'stop']"
    assert refusal(await client.post("/runs/1/explode"), 400) == expected
    assert refusal(await client.get("/worker/other"), 404) == "Not Found"
    assert refusal(await client.put("/runs"), 405) == "Method Not Allowed"


async def test_waiting_runs(client: httpx.AsyncClient) -> None:
    """One that a person holds back is PAUSED to these clients, is let go, and stops at once; in any case."""
    await create(client)
    assert (await client.post("/runs/1/PAUSE")).json()["status"] == "PAUSED"
    assert (await shown(client))["status"] == "PAUSED"
    assert (await client.post("/runs/1/resume")).json()["status"] == "QUEUED"
    stopped = (await client.post("/runs/1/Stop")).json()
    assert (stopped["status"], stopped["reason"]) == ("STOPPED", "stopped_by_user")
    assert (await client.post("/runs/1/stop")).json() == stopped


async def test_impossible_wishes(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> None:
    """From any state the original takes any action; here what cannot be is 409 and changes nothing."""
    assignment = await begun(client, worker)
    refusal(await client.post("/runs/1/resume"), 409)
    assert (await shown(client))["status"] == "RUNNING"
    await ended(worker, assignment, "COMPLETED")
    before = await shown(client)
    for action in ("pause", "resume", "stop"):
        assert "COMPLETED" in refusal(await client.post(f"/runs/1/{action}"), 409)
    refusal(await client.post("/runs/1/directive", json={"text": "go on"}), 409)
    assert await shown(client) == before
    assert (await client.get("/v1/runs/1")).json()["last_seq"] == 3


async def test_a_wish_is_answered_by_its_fact(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> None:
    """Pause, resume and stop wait until the worker has told that it is so."""
    assignment = await begun(client, worker)
    await fact(worker, assignment, 0, "run.started")
    for at, action, type, status in ((1, "pause", "run.paused", "PAUSED"), (2, "resume", "run.resumed", "RUNNING")):
        wish = asyncio.create_task(client.post(f"/runs/1/{action}"))
        await fact(worker, assignment, at, type, await revision(client, at))
        assert (await wish).json()["status"] == status
    wish = asyncio.create_task(client.post("/runs/1/stop"))
    await revision(client, 3)
    await ended(worker, assignment, "STOPPED", 3)
    answer = await wish
    assert (answer.status_code, answer.json()["status"]) == (200, "STOPPED")
    words = [event["type"] for event in (await client.get("/runs/1/events")).json()]
    assert words == ["RUN_CREATED", "RUN_STARTED", "RUN_PAUSE", "RUN_RESUME", "RUN_STOP_REQUESTED", "RUN_STOP"]


async def revision(client: httpx.AsyncClient, number: int) -> int:
    """The number of a wish, once it is recorded."""
    wanted = {1: "pause", 2: "run", 3: "stop"}[number]

    async def is_wished() -> bool:
        return bool((await client.get("/v1/runs/1")).json()["desired"] == wanted)

    await eventually(is_wished)
    return number


async def test_a_wish_without_its_fact(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> None:
    """After two seconds it is 409, and stands: the original says PAUSED while its agent goes on."""
    await begun(client, worker)
    async with asyncio.timeout(4):
        detail = refusal(await client.post("/runs/1/pause"), 409)
    assert "not fact yet" in detail
    assert (await shown(client))["status"] == "RUNNING"
    assert (await client.get("/v1/runs/1")).json()["desired"] == "pause"


async def test_a_stop_is_not_overwritten(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> None:
    """The original's stop of a RUNNING run ends COMPLETED with STOPPED said; here the answer is what is so."""
    assignment = await begun(client, worker)
    wish = asyncio.create_task(client.post("/runs/1/stop"))
    await revision(client, 3)
    await ended(worker, assignment, "COMPLETED")
    assert "COMPLETED" in refusal(await wish, 409)
    assert (await shown(client))["status"] == "COMPLETED"


async def test_directives(client: httpx.AsyncClient) -> None:
    """An event that the answer shows as it is read later, and text that waits for the agent; not for any agent."""
    await create(client)
    answer = await client.post("/runs/1/directive", json={"text": "hurry\nup"})
    assert (answer.status_code, answer.json()["type"], answer.json()["payload"]) == (200, "DIRECTIVE", "hurry\nup")
    assert (await client.get("/runs/1/events")).json()[1] == answer.json()
    await create(client, options=COMMAND)
    refusal(await client.post("/runs/2/directive", json={"text": "x"}), 409)
    refusal(await client.post("/runs/999/directive", json={"text": "x"}), 404)
    assert place(await client.post("/runs/1/directive", json={"text": ""})) == ["body", "text"]
    assert place(await client.post("/runs/1/directive", json={"text": "\x00"})) == ["body", "text"]
