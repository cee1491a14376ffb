"""Runs over HTTP."""

from typing import Any

import httpx
import pytest

from agentrunner.domain.token import Scope
from agentrunner.engine import search
from agentrunner.engine.services import Services
from api.serving import COMMAND, claim, new_run, problem, record, register


async def test_create_answers_the_run(client: httpx.AsyncClient) -> None:
    """A created run is answered as it is stored."""
    response = await client.post("/v1/runs", json={**COMMAND, "goal": "say hello\nand more", "labels": {"team": "a"}})
    run = response.json()
    assert response.status_code == 201
    assert (run["id"], run["status"], run["title"], run["labels"]) == (1, "QUEUED", "say hello", {"team": "a"})
    assert (await client.get("/v1/runs/1")).json() == run


async def test_create_many_all_or_none(client: httpx.AsyncClient) -> None:
    """A batch creates every run in its order, and a bad one among them leaves nothing behind."""
    created = await client.post("/v1/runs", json={"runs": [{**COMMAND, "title": str(n)} for n in range(1000)]})
    assert [run["title"] for run in created.json()["items"]] == [str(n) for n in range(1000)]
    bad = await client.post("/v1/runs", json={"runs": [COMMAND, {**COMMAND, "project": "nowhere"}]})
    problem(bad, 404, "project_not_found")
    assert (await client.get("/v1/runs?limit=1")).json()["items"][0]["id"] == 1000


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"backend": 3}, "`backend`: expected `str`, got `int`."),
        ({"backend": "external", "goal": None}, "`goal`"),
        ({"backend": "external", "gaol": "x"}, "unknown field `gaol`"),
        ({"backend": "external", "priority": 10_000}, "`priority`: expected `int` <= 1000."),
        ({"backend": "external", "limits": {"wall_s": -1}}, "`limits.wall_s`"),
        ({"runs": [COMMAND, {"goal": "x"}]}, "`runs[1]`: object missing required field `backend`."),
        ({"runs": []}, "`runs`"),
        ({"runs": [COMMAND] * 1001}, "`runs`"),
        ({"backend": "external", "goal": "a\x00b"}, "NUL"),
        ({"backend": "external", "metadata": {"a": ["b\x00"]}}, "`metadata` contains a NUL"),
        ({"backend": "external", "labels": {"a": "b\x00"}}, "`labels` contains a NUL"),
        ({"backend": "external", "labels": {"a b": "c"}}, "`labels`"),
        ({"backend": "external", "project": "de\x00fault"}, "`project` contains a NUL"),
        ({"backend": "nothing"}, "There is no backend"),
    ],
)
async def test_create_names_the_field(client: httpx.AsyncClient, body: dict[str, Any], says: str) -> None:
    """A refusal says which field is wrong."""
    assert says in problem(await client.post("/v1/runs", json=body), 422, "invalid_field")["detail"]


async def test_a_backends_refusal_is_the_requests_fault(client: httpx.AsyncClient) -> None:
    """Options that can never start are refused at once, as 422."""
    refused = await client.post("/v1/runs", json={"backend": "command"})
    assert "argv" in problem(refused, 422, "bad_config")["detail"]


async def test_metadata_is_bounded_in_depth(client: httpx.AsyncClient) -> None:
    """What is stored can be read back: values nested too deeply are refused, those below the bound come back."""
    deep: Any = "leaf"
    for _ in range(99):
        deep = [deep]
    run = await new_run(client, metadata={"deep": deep})
    assert run["metadata"] == {"deep": deep}
    for _ in range(5):
        deep = [deep]
    refused = await client.post("/v1/runs", json={"backend": "external", "metadata": {"deep": deep}})
    assert "`metadata` is nested deeper" in problem(refused, 422, "invalid_field")["detail"]


async def test_secrets_are_never_answered(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> None:
    """Secrets and secret-looking variables are masked everywhere but in the worker's assignment."""
    options = {"argv": ["true"], "env": {"API_KEY": "hidden-1", "PLAIN": "shown"}}
    body = {"backend": "command", "options": options, "secrets": {"OTHER": "hidden-2"}}
    texts = [(await client.post("/v1/runs", json=body)).text]
    texts.extend([(await client.get(f"/v1/runs/1{rest}")).text for rest in ("", "/events", "/explain")])
    assert all("hidden" not in text for text in texts)
    assert '"***"' in texts[0]
    await register(worker)
    assert (await claim(worker))[0]["secrets"] == {"API_KEY": "hidden-1", "OTHER": "hidden-2"}


async def test_an_idempotency_key_answers_the_same_run(client: httpx.AsyncClient) -> None:
    """The same key with the same body is one run; with another body it is refused."""
    first = await client.post("/v1/runs", json=COMMAND, headers={"idempotency-key": "k1"})
    again = await client.post("/v1/runs", json=COMMAND, headers={"idempotency-key": "k1"})
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    other = await client.post("/v1/runs", json={**COMMAND, "goal": "other"}, headers={"idempotency-key": "k1"})
    problem(other, 409, "idempotency_mismatch")
    bad = await client.post("/v1/runs", json=COMMAND, headers={"idempotency-key": "k" * 201})
    assert "Idempotency-Key" in problem(bad, 422, "invalid_field")["detail"]


async def test_reporters_create_only_what_they_report(application, token, client: httpx.AsyncClient) -> None:
    """A token of scope `report` creates external runs and nothing that executes."""
    headers = {"authorization": f"Bearer {await token(Scope.REPORT)}"}
    assert (await client.post("/v1/runs", json={"backend": "external"}, headers=headers)).status_code == 201
    problem(await client.post("/v1/runs", json=COMMAND, headers=headers), 403, "forbidden")
    mixed = {"runs": [{"backend": "external"}, COMMAND]}
    problem(await client.post("/v1/runs", json=mixed, headers=headers), 403, "forbidden")


async def test_pages_are_complete_and_without_repeats(client: httpx.AsyncClient) -> None:
    """Following the cursor meets every run once, the newest first, even while new ones come."""
    await client.post("/v1/runs", json={"runs": [COMMAND] * 25})
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await client.get("/v1/runs", params={"limit": 10, **({"cursor": cursor} if cursor else {})})).json()
        seen.extend(run["id"] for run in page["items"])
        cursor = page["next_cursor"]
        await new_run(client)
    assert seen == list(range(25, 0, -1))


async def test_pages_end_early_where_runs_are_large(client: httpx.AsyncClient) -> None:
    """No page has much more than 4 MiB, whatever its limit, and none is left out."""
    for _ in range(9):
        await new_run(client, metadata={"text": "x" * 1_000_000})
    first = (await client.get("/v1/runs?limit=500")).json()
    assert [run["id"] for run in first["items"]] == [9, 8, 7, 6, 5]
    rest = (await client.get(f"/v1/runs?limit=500&cursor={first['next_cursor']}")).json()
    assert ([run["id"] for run in rest["items"]], rest["next_cursor"]) == ([4, 3, 2, 1], None)


async def test_filters(client: httpx.AsyncClient) -> None:
    """Each filter narrows; several values of one are alternatives, several filters and labels all hold."""
    await client.post("/v1/projects", json={"name": "web app"})
    await new_run(client, agent="alpha", labels={"team": "a", "tier": "1"}, title="Fix the login")
    await new_run(client, agent="beta", labels={"team": "a"}, project="web app", goal="100% of_it")
    await client.post("/v1/runs", json=COMMAND)

    async def ids(**params: Any) -> list[int]:
        return [run["id"] for run in (await client.get("/v1/runs", params=params)).json()["items"]]

    assert await ids(status="RUNNING") == [2, 1]
    assert await ids(status=["RUNNING", "QUEUED"]) == [3, 2, 1]
    assert await ids(backend="command") == [3]
    assert await ids(agent=["alpha", "beta"]) == [2, 1]
    assert await ids(agent="alpha", status="QUEUED") == []
    assert await ids(project="web app") == [2]
    assert await ids(label="team=a") == [2, 1]
    assert await ids(label=["team=a", "tier=1"]) == [1]
    assert await ids(q="login fix") == [1]
    assert await ids(q="100% of_") == [2]
    assert await ids(q="log*") == [1]
    assert await ids(q="%") == []
    assert await ids(worker="nobody") == []
    assert await ids(q="status:running -agent:beta") == [1]
    assert await ids(q='project:"web app"', label="team=a", agent=["alpha", "beta"]) == [2]
    assert await ids(q="id:1,3", status="QUEUED") == [3]


async def test_a_search_says_how_far_it_reaches(client: httpx.AsyncClient, services: Services) -> None:
    """While what was said is not indexed yet; a list without text says nothing of it."""
    await new_run(client, title="talk")
    said = {"type": "message", "payload": {"text": "a secret handshake"}}
    assert (await client.post("/v1/runs/1/events", json=said)).status_code == 201
    before = (await client.get("/v1/runs", params={"q": "talk -handshake"})).json()
    assert [run["id"] for run in before["items"]] == [1]
    assert before["indexed_to"] == before["items"][0]["created_at"]
    assert "indexed_to" not in (await client.get("/v1/runs", params={"q": "status:running"})).json()
    await search.index(services)
    behind = (await client.get("/v1/runs", params={"q": "talk handshake"})).json()
    assert [run["id"] for run in behind["items"]] == [1]
    assert behind.keys() == {"items", "next_cursor"}


async def test_a_query_that_is_none_says_where(client: httpx.AsyncClient) -> None:
    """The place is a field of the problem, for a console to point at."""
    refused = problem(await client.get("/v1/runs", params={"q": "fine status:faild"}), 422, "invalid_field")
    assert refused["position"] == 13


async def test_pages_of_a_query(client: httpx.AsyncClient) -> None:
    """Following the cursor meets every run that matches once."""
    await client.post("/v1/runs", json={"runs": [{**COMMAND, "labels": {"n": str(n % 2)}} for n in range(9)]})
    found, params = [], {"q": "label:n=0", "limit": "2"}
    while True:
        answer = (await client.get("/v1/runs", params=params)).json()
        found += [run["id"] for run in answer["items"]]
        if answer["next_cursor"] is None:
            break
        params["cursor"] = answer["next_cursor"]
    assert found == [9, 7, 5, 3, 1]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("limit=501", "`limit`"),
        ("limit=0", "`limit`"),
        ("limit=x", "`limit`"),
        ("limit=1&limit=2", "`limit` is given twice"),
        ("status=BUSY", "`status"),
        ("label=nothing", "`name=value`"),
        ("staus=RUNNING", "did you mean `status`?"),
        ("q=" + "a+" * 31, "30 terms"),
        ("q=stauts:failed", "character 1: there is no field `stauts`"),
        ("q=ok+status:faild", "character 11: there is no status `faild`; did you mean `failed`?"),
        ("q=" + "a" * 501, "`q`"),
        ("q=%ff", "UTF-8"),
        ("q=%00", "NUL"),
        ("&".join(f"agent=a{n}" for n in range(51)), "`agent`"),
    ],
)
async def test_bad_filters_are_named(client: httpx.AsyncClient, query: str, says: str) -> None:
    """A bad parameter is a 422 that names it."""
    assert says in problem(await client.get(f"/v1/runs?{query}"), 422, "invalid_field")["detail"]


@pytest.mark.parametrize(
    "cursor", ["x", "", "cnVuczox=", "cHJvamVjdHM6MQ", "cnVuczotMQ", "cnVuczo5OTk5OTk5OTk5OTk5OTk5OTk5", "é"]
)
async def test_a_made_up_cursor_is_refused(client: httpx.AsyncClient, cursor: str) -> None:
    """A cursor that this server did not give out is refused, whatever it is."""
    problem(await client.get("/v1/runs", params={"cursor": cursor}), 400, "invalid_cursor")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/runs/1", 404, "run_not_found"),
        ("/v1/runs/9223372036854775807", 404, "run_not_found"),
        ("/v1/runs/9223372036854775808", 422, "invalid_field"),
        ("/v1/runs/0", 422, "invalid_field"),
        ("/v1/runs/-1", 422, "invalid_field"),
        ("/v1/runs/abc", 404, "not_found"),
        ("/v1/runs/" + "9" * 5000, 404, "not_found"),
        ("/v1/runs/1/explain", 404, "run_not_found"),
        ("/v1/runs/1/events", 404, "run_not_found"),
        ("/v1/runs/1/stream", 404, "run_not_found"),
        ("/v1/runs/abc/events", 422, "invalid_field"),
        ("/v1/runs/9223372036854775808/events", 422, "invalid_field"),
        ("/v1/runs/%C2%B2/stream", 422, "invalid_field"),
    ],
)
async def test_ids_that_are_none(client: httpx.AsyncClient, path: str, status: int, code: str) -> None:
    """An id that is unknown, no number or out of range is never a 500."""
    problem(await client.get(path), status, code)


async def test_wishes_for_a_queued_run_are_fact_at_once(client: httpx.AsyncClient) -> None:
    """Pause, resume and stop of a queued run answer 200; what is impossible afterwards is 409 with the status."""
    await client.post("/v1/runs", json=COMMAND)
    paused = await client.post("/v1/runs/1/pause")
    assert (paused.status_code, paused.json()["hold"]) == (200, "operator")
    assert (await client.post("/v1/runs/1/pause")).status_code == 200
    assert (await client.post("/v1/runs/1/resume")).json()["hold"] is None
    assert (await client.post("/v1/runs/1/stop")).json()["status"] == "STOPPED"
    assert (await client.post("/v1/runs/1/stop")).status_code == 200
    refused = problem(await client.post("/v1/runs/1/pause"), 409, "invalid_transition")
    assert refused["current"] == "STOPPED"


async def test_wishes_for_a_running_run_are_outstanding(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> None:
    """A wish answers 202 until the worker records the fact, then 200."""
    await client.post("/v1/runs", json=COMMAND)
    await register(worker)
    (assignment,) = await claim(worker)
    wished = await client.post("/v1/runs/1/pause")
    assert (wished.status_code, wished.json()["status"], wished.json()["desired"]) == (202, "RUNNING", "pause")
    fact = {"type": "run.paused", "payload": {"revision": 1}}
    part = {"stream": "journal", "from": 0, "to": 10, "events": [fact]}
    assert (await worker.post("/v1/control/record", json=record(assignment, parts=[part]))).status_code == 200
    again = await client.post("/v1/runs/1/pause")
    assert (again.status_code, again.json()["status"]) == (200, "PAUSED")


async def test_retry_is_a_new_run(client: httpx.AsyncClient) -> None:
    """A finished run is retried as a new one; an unfinished one is not."""
    await client.post("/v1/runs", json={**COMMAND, "goal": "x", "labels": {"a": "b"}})
    assert problem(await client.post("/v1/runs/1/retry"), 409, "invalid_transition")["current"] == "QUEUED"
    await client.post("/v1/runs/1/stop")
    retried = await client.post("/v1/runs/1/retry")
    assert (retried.status_code, retried.json()["retry_of"], retried.json()["labels"]) == (201, 1, {"a": "b"})


async def test_input_is_accepted_where_somebody_reads(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> None:
    """An input is 202 and reaches the worker; a run without an open stdin refuses it."""
    options = {"argv": ["cat"], "stdin": "pipe"}
    await client.post("/v1/runs", json={"backend": "command", "options": options})
    await client.post("/v1/runs", json=COMMAND)
    await register(worker)
    await claim(worker)
    sent = await client.post("/v1/runs/1/inputs", json={"text": "hello"})
    assert (sent.status_code, sent.json()["text"], sent.json()["delivered_at"]) == (202, "hello", None)
    asked = {"worker_id": "7b0c0a3e-6f0e-4a9e-9f53-8b5f2d3b5a11", "epoch": 1, "wait_s": 0}
    waiting = (await worker.post("/v1/control/decisions", json=asked)).json()["inputs"]
    assert [(item["run_id"], item["text"]) for item in waiting] == [(1, "hello")]
    problem(await client.post("/v1/runs/2/inputs", json={"text": "hello"}), 409, "backend_unsupported")
    problem(await client.post("/v1/runs/1/inputs", json={"text": ""}), 422, "invalid_field")
    problem(await client.post("/v1/runs/1/inputs"), 422, "invalid_field")


async def test_explain_says_why(client: httpx.AsyncClient) -> None:
    """A queued run without a worker says so and what to do."""
    await client.post("/v1/runs", json=COMMAND)
    explained = (await client.get("/v1/runs/1/explain")).json()
    assert explained["summary"] == "No worker is online."
    assert "agentrunner up" in explained["what_to_do"]


async def test_a_repeated_retry_and_input(client: httpx.AsyncClient) -> None:
    """With an Idempotency-Key they are one run and one input."""
    key = {"idempotency-key": "k"}
    await client.post("/v1/runs", json={**COMMAND, "options": {"argv": ["cat"], "stdin": "pipe"}})
    sent = [(await client.post("/v1/runs/1/inputs", json={"text": "hello"}, headers=key)).json() for _ in range(2)]
    assert sent[0] == sent[1]
    other = await client.post("/v1/runs/1/inputs", json={"text": "other"}, headers=key)
    problem(other, 409, "idempotency_mismatch")
    await client.post("/v1/runs/1/stop")
    retried = [(await client.post("/v1/runs/1/retry", headers={"idempotency-key": "r"})).json() for _ in range(2)]
    assert retried[0] == retried[1]
    bad = await client.post("/v1/runs/1/retry", headers={"idempotency-key": "k" * 201})
    assert "Idempotency-Key" in problem(bad, 422, "invalid_field")["detail"]


async def test_a_list_shows_what_changed_since(client: httpx.AsyncClient) -> None:
    """However often it was asked for before."""
    await new_run(client, title="one")
    await new_run(client, title="two")
    first = (await client.get("/v1/runs")).json()
    assert (await client.get("/v1/runs")).json() == first
    await client.post("/v1/runs/1/events", json=[{"type": "t"}, {"type": "run.failed", "payload": {"message": "no"}}])
    two, one = (await client.get("/v1/runs")).json()["items"]
    assert two == first["items"][0]
    assert (one["status"], one["message"], one["last_seq"]) == ("FAILED", "no", 3)
    assert one == (await client.get("/v1/runs/1")).json()
