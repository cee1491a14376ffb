"""The Agent Ops surface: runs, keys, and each weakness of the server behind document 000 that is not ours."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from agentrunner.api.server import Application
from agentrunner.domain.token import Scope
from agentrunner.engine.services import Services
from agentrunner.store.base import Tx
from api.serving import COMMAND, claim, record, register

RUNS = "/api/runs"
Token = Callable[[Scope], Awaitable[str]]


@pytest.fixture
async def anybody(application: Application) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token."""
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as found:
        yield found


def error(response: httpx.Response, status: int) -> str:
    """The text of a refusal, after checking its form."""
    assert response.headers["content-type"] == "application/json", response.text
    assert (response.status_code, response.json().keys()) == (status, {"error"}), response.text
    text: str = response.json()["error"]
    return text


async def tell(client: httpx.AsyncClient, name: str, type: str, payload: Any = None, **more: Any) -> dict[str, Any]:
    """Tell one event that has to be taken."""
    body = {"type": type, "payload": {} if payload is None else payload, **more}
    response = await client.post(f"{RUNS}/{name}/events", json=body)
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


async def shown(client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    """A run in the list."""
    (found,) = [run for run in (await client.get(RUNS)).json() if run["id"] == name]
    return dict(found)


async def count(services: Services) -> int:
    """How many runs there are."""

    async def ask(tx: Tx) -> int:
        row = await tx.one("SELECT count(*) FROM runs")
        assert row is not None
        return int(row[0])

    return await services.db.read(ask)


@pytest.mark.parametrize("path", ["/stream", "/events", "/spans", "/usage", "/trace-summary"])
async def test_nothing_is_created_before_authentication(
    anybody: httpx.AsyncClient, services: Services, path: str
) -> None:
    """A request without a key leaves nothing behind, whatever it asks for."""
    assert error(await anybody.get(f"{RUNS}/ghost{path}"), 401) == "unauthorized"
    assert error(await anybody.post(RUNS, json={"id": "ghost"}), 401) == "unauthorized"
    assert error(await anybody.post(f"{RUNS}/ghost/events", json={"type": "t"}), 401) == "unauthorized"
    assert await count(services) == 0


async def test_a_reader_does_not_create(client: httpx.AsyncClient, services: Services, token: Token) -> None:
    """Whoever may only read finds no run where there is none, and makes none by following it."""
    headers = {"x-api-key": await token(Scope.READ)}
    del client.headers["authorization"]
    assert error(await client.get(f"{RUNS}/ghost/stream", headers=headers), 404) == "not_found"
    assert error(await client.post(RUNS, json={}, headers=headers), 403)
    assert await count(services) == 0


async def test_a_finished_run_is_never_reset(client: httpx.AsyncClient) -> None:
    """The same id again answers the run as it ended: status, end and title stay."""
    await client.post(RUNS, json={"id": "r", "title": "first"})
    await tell(client, "r", "run.completed")
    before = await shown(client, "r")
    again = await client.post(RUNS, json={"id": "r", "title": "second", "status": "running", "startedAt": 1})
    assert (again.status_code, again.json()["status"], again.json()["title"]) == (201, "completed", "first")
    assert await shown(client, "r") == before


async def test_a_finished_run_does_not_run_again(client: httpx.AsyncClient) -> None:
    """A PATCH or an event cannot take the end back; the same end again is as good as said."""
    await tell(client, "r", "run.completed")
    before = await shown(client, "r")
    for status in ("running", "error", "paused"):
        assert "completed" in error(await client.patch(f"{RUNS}/r", json={"status": status}), 409)
    assert (await client.patch(f"{RUNS}/r", json={"status": "completed"})).json() == before
    await tell(client, "r", "run.error", {"message": "too late"})
    assert await shown(client, "r") == before


async def test_usage_of_an_unknown_span(client: httpx.AsyncClient) -> None:
    """It is taken once: no error behind a stored event, so no repeat that doubles it."""
    await tell(client, "r", "usage.report", {"spanId": "never-begun", "inputTokens": 5})
    assert (await client.get(f"{RUNS}/r/usage")).json()["bySpan"]["never-begun"]["inputTokens"] == 5
    assert len((await client.get(f"{RUNS}/r/events")).json()) == 1


async def test_usage_cannot_be_written_to_another_run(client: httpx.AsyncClient) -> None:
    """`runId` in a payload is only a payload."""
    await client.post(RUNS, json={"id": "other"})
    await tell(client, "r", "usage.report", {"runId": "other", "inputTokens": 5})
    assert (await client.get(f"{RUNS}/other/usage")).json()["totals"]["inputTokens"] == 0
    assert (await client.get(f"{RUNS}/r/usage")).json()["totals"]["inputTokens"] == 5


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", RUNS, b"{", 400),
        ("POST", RUNS, b"[]", 422),
        ("POST", RUNS, b'{"id":5}', 422),
        ("POST", RUNS, b'{"id":"a/b"}', 422),
        ("POST", RUNS, b'{"id":"a\\u0000"}', 422),
        ("POST", RUNS, b'{"title":"a\\u0000"}', 422),
        ("POST", RUNS, b'{"status":"a\\u0000"}', 422),
        ("POST", RUNS, b'{"startedAt":"yesterday"}', 422),
        ("POST", RUNS, b'{"startedAt":-5}', 422),
        ("POST", RUNS, b'{"startedAt":1e300}', 422),
        ("POST", RUNS, b'{"id":"ar-7"}', 404),
        ("POST", RUNS, b'"\xff"', 400),
        ("PATCH", f"{RUNS}/r", b"{", 400),
        ("PATCH", f"{RUNS}/r", b'{"metadata":5}', 422),
        ("PATCH", f"{RUNS}/r", b'{"metadata":' + b'{"a":' * 200 + b"1" + b"}" * 200 + b"}", 422),
        ("PATCH", f"{RUNS}/r", b'{"metadata":{"a":"\\u0000"}}', 422),
        ("PATCH", f"{RUNS}/r", b'{"status":{}}', 422),
        ("GET", f"{RUNS}?limit=x", b"", 422),
        ("GET", f"{RUNS}?cursor=x", b"", 400),
        ("GET", f"{RUNS}/r/spans?limit=abc", b"", 422),
        ("GET", f"{RUNS}/r/spans?since=abc", b"", 422),
    ],
)
async def test_a_clients_fault_is_a_4xx(
    client: httpx.AsyncClient, method: str, path: str, body: bytes, status: int
) -> None:
    """Where the original answers 500, this says what is wrong."""
    await client.post(RUNS, json={"id": "r"})
    assert len(error(await client.request(method, path, content=body), status)) > 5


async def test_bodies_are_bounded(client: httpx.AsyncClient) -> None:
    """More than is taken is refused before it is read."""
    big = b'{"title":"' + b"x" * 1_100_000 + b'"}'
    assert "larger" in error(await client.post(RUNS, content=big), 413)
    assert "larger" in error(await client.post(f"{RUNS}/r/events", content=b" " * 8_400_000), 413)
    # A thousand of these make one list.
    metadata = json.dumps({"metadata": {"x": "x" * 131_072}})
    assert "larger" in error(await client.patch(f"{RUNS}/r", content=metadata), 413)


async def test_the_list_is_bounded(client: httpx.AsyncClient) -> None:
    """At most 1,000 runs, the newest; the header Link leads through the rest, each once."""
    native = [{"backend": "external", "external_id": f"r{n}"} for n in range(1005)]
    await client.post("/v1/runs", json={"runs": native[:1000]})
    await client.post("/v1/runs", json={"runs": native[1000:]})
    whole = await client.get(RUNS)
    assert len(whole.json()) == 1000
    seen: list[str] = []
    path = f"{RUNS}?limit=400"
    while path:
        page = await client.get(path)
        seen += [run["id"] for run in page.json()]
        path = page.links.get("next", {}).get("url", "")
    assert sorted(seen) == sorted(run["external_id"] for run in native)
    assert seen[:3] == ["r1004", "r1003", "r1002"]


async def test_the_list_is_bounded_in_bytes_too(client: httpx.AsyncClient) -> None:
    """A page ends behind 4 MiB; what is behind it is not lost."""
    for n in range(7):
        large = {"backend": "external", "external_id": f"r{n}", "metadata": {"x": "x" * 900_000}}
        assert (await client.post("/v1/runs", json=large)).status_code == 201
    page = await client.get(RUNS)
    assert [run["id"] for run in page.json()] == ["r6", "r5", "r4", "r3", "r2"]
    page = await client.get(page.links["next"]["url"])
    assert ([run["id"] for run in page.json()], page.links) == (["r1", "r0"], {})


async def test_the_key_opens_this_surface_only(services: Services, anybody: httpx.AsyncClient) -> None:
    """Nothing is configured: no key opens anything, an empty one least of all."""
    for key in ("", "secret", "ar_secret"):
        assert error(await anybody.get(RUNS, headers={"x-api-key": key}), 401) == "unauthorized"


@pytest.mark.parametrize("overrides", [{"agentops_api_key": "gehört mir"}])
async def test_the_key(anybody: httpx.AsyncClient) -> None:
    """It opens all of this surface, and nothing else; what is nearly it opens nothing."""
    good = [(b"x-api-key", "gehört mir".encode())]
    assert (await anybody.post(RUNS, json={"id": "r"}, headers=good)).status_code == 201
    assert (await anybody.get(f"{RUNS}/r/events", headers=good)).json() == []
    for path in ("/v1/runs", "/v1/tokens", "/metrics", "/api/runsx", "/openapi.json"):
        assert (await anybody.get(path, headers=good)).status_code in (401, 404), path
    for text in ("gehört mi", "gehört mirr", "GEHÖRT MIR", "x" * 10_000):
        assert error(await anybody.get(RUNS, headers=[(b"x-api-key", text.encode())]), 401) == "unauthorized"


@pytest.mark.parametrize("overrides", [{"insecure_no_auth": True}])
async def test_without_authentication(anybody: httpx.AsyncClient) -> None:
    """Document 000's clients, which have no key by default or any, are let in."""
    assert (await anybody.post(RUNS, json={})).status_code == 201
    assert (await anybody.get(RUNS, headers={"x-api-key": "whatever"})).status_code == 200


@pytest.mark.parametrize(
    ("scope", "reads", "reports"), [(Scope.ADMIN, 1, 1), (Scope.READ, 1, 0), (Scope.REPORT, 0, 1), (Scope.WORKER, 0, 0)]
)
async def test_our_own_tokens(
    anybody: httpx.AsyncClient, token: Token, scope: Scope, reads: bool, reports: bool
) -> None:
    """Each opens what its scope is for."""
    headers = {"x-api-key": await token(scope)}
    assert (await anybody.get(RUNS, headers=headers)).status_code == (200 if reads else 403)
    assert (await anybody.post(RUNS, headers=headers)).status_code == (201 if reports else 403)


@pytest.mark.parametrize("overrides", [{"cors_origins": "http://localhost:5173"}])
async def test_a_dashboard_elsewhere_can_come_back(anybody: httpx.AsyncClient) -> None:
    """A browser of a configured origin may send the key, and the cursor with which it resumes a stream."""
    headers = {"origin": "http://localhost:5173", "access-control-request-method": "PATCH"}
    answer = await anybody.options(f"{RUNS}/r/stream", headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "http://localhost:5173"
    allowed = answer.headers["access-control-allow-headers"]
    assert all(name in allowed for name in ("x-api-key", "last-event-id", "content-type", "idempotency-key"))
    assert all(method in answer.headers["access-control-allow-methods"] for method in ("GET", "POST", "PATCH"))


async def test_no_other_website_may_call(anybody: httpx.AsyncClient) -> None:
    """Without configuration there is no CORS; a link on another site cannot make a server that asks no key create."""
    headers = {"origin": "http://evil.test", "access-control-request-method": "POST"}
    answer = await anybody.options(RUNS, headers=headers)
    assert error(answer, 403)
    assert "access-control-allow-origin" not in answer.headers
    visit = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert error(await anybody.get(f"{RUNS}/x/stream", headers=visit), 403)
    assert error(await anybody.options(RUNS), 404) == "Not found"


async def test_runs_that_are_executed_here(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> None:
    """They are in the list, in the words of this surface, with their true status beside."""
    await client.post("/v1/runs", json={**COMMAND, "title": "ours"})
    run = await shown(client, "ar-1")
    assert (run["title"], run["status"], run["metadata"]) == ("ours", "running", {"state": "QUEUED"})
    await register(worker)
    (assignment,) = await claim(worker)
    outcome = {"status": "FAILED", "reason": "exit_nonzero", "exit_code": 3, "message": "broken"}
    outcome["sizes"] = {"out": 0, "err": 0, "journal": 0}
    answer = await worker.post("/v1/control/record", json=record(assignment, parts=[], outcome=outcome))
    assert answer.status_code == 200, answer.text
    run = await shown(client, "ar-1")
    assert (run["status"], run["errorMessage"], "endedAt" in run) == ("error", "broken", True)
    types = [event["type"] for event in (await client.get(f"{RUNS}/ar-1/events")).json()]
    assert (types[0], types[-1]) == ("run.created", "run.error")
    assert "executed here" in error(await client.patch(f"{RUNS}/ar-1", json={"status": "completed"}), 409)
    assert error(await client.post(f"{RUNS}/ar-9/events", json={"type": "t"}), 404) == "not_found"


async def test_begin(client: httpx.AsyncClient) -> None:
    """An empty body will do; every field may be said; times come back as RFC 3339, the newest start first."""
    plain = (await client.post(RUNS)).json()
    assert plain["title"] == f"Run {plain['id']}"
    body = {"id": "Läufer 1", "title": "t", "startedAt": "2025-11-21T03:00:00+01:00", "status": "blocked", "more": 1}
    told = (await client.post(RUNS, json=body)).json()
    assert told == {"id": "Läufer 1", "title": "t", "startedAt": "2025-11-21T02:00:00.000Z", "status": "blocked"}
    assert [run["id"] for run in (await client.get(RUNS)).json()] == [plain["id"], "Läufer 1"]
    assert await shown(client, "Läufer 1") == told
    over = (await client.post(RUNS, json={"status": "completed"})).json()
    assert "endedAt" in await shown(client, over["id"])


async def test_idempotency_key(client: httpx.AsyncClient) -> None:
    """A create that is sent twice creates once."""
    headers = {"idempotency-key": "k"}
    first = (await client.post(RUNS, json={"title": "t"}, headers=headers)).json()
    assert (await client.post(RUNS, json={"title": "t"}, headers=headers)).json() == first
    assert error(await client.post(RUNS, json={"title": "u"}, headers=headers), 409)
    assert len((await client.get(RUNS)).json()) == 1


async def test_patch(client: httpx.AsyncClient) -> None:
    """Each field by itself, metadata whole, null clears; an empty body changes nothing."""
    await client.post(RUNS, json={"id": "r"})
    await client.patch(f"{RUNS}/r", json={"metadata": {"cost": 1, "tags": ["a"]}})
    run = (await client.patch(f"{RUNS}/r", json={"metadata": {"cost": 2}, "errorMessage": "e", "title": "t"})).json()
    assert (run["metadata"], run["errorMessage"], run["title"]) == ({"cost": 2}, "e", "t")
    assert (await client.patch(f"{RUNS}/r")).json() == run
    run = (await client.patch(f"{RUNS}/r", json={"metadata": None, "errorMessage": None})).json()
    assert run.keys() == {"id", "title", "startedAt", "status"}
    run = (await client.patch(f"{RUNS}/r", json={"status": "error", "errorMessage": "x"})).json()
    assert (run["status"], run["errorMessage"]) == ("error", "x")
    (event,) = (await client.get(f"{RUNS}/r/events")).json()
    assert (event["type"], event["level"], event["payload"]) == ("run.error", "error", {"message": "x"})


async def test_spans_are_bounded(client: httpx.AsyncClient) -> None:
    """A limit below or above is moved to the nearest that is taken."""
    for n in range(3):
        await tell(client, "r", "span.start", {"spanId": f"s{n}", "name": "n", "kind": "k", "ts": 1000 + n})
    assert len((await client.get(f"{RUNS}/r/spans?limit=0")).json()) == 1
    assert len((await client.get(f"{RUNS}/r/spans?limit=99999999999999999999&x=y")).json()) == 3


async def test_tool_calls_without_ids(client: httpx.AsyncClient) -> None:
    """Document 000's program sends none: its calls are paired by name and order, and none outlives its run."""
    for name in ("Read", "Write", "Read"):
        await tell(client, "r", "tool.called", {"toolName": name})
    await tell(client, "r", "tool.result", {"toolName": "Read", "success": False})
    await tell(client, "r", "run.completed")
    spans = (await client.get(f"{RUNS}/r/spans")).json()
    assert sorted((span["name"], span["status"]) for span in spans) == [
        ("Read", "error"),
        ("Read", "ok"),
        ("Write", "ok"),
    ]
    assert all("endTs" in span for span in spans)


async def test_a_circle_of_spans(client: httpx.AsyncClient) -> None:
    """The summary of spans that are their own parents is answered."""
    for span, parent in (("a", "b"), ("b", "a"), ("c", "c")):
        begun = {"spanId": span, "parentSpanId": parent, "name": span, "kind": "k", "ts": 1000}
        await tell(client, "r", "span.start", begun)
        await tell(client, "r", "span.end", {"spanId": span, "ts": 1010})
    summary = (await client.get(f"{RUNS}/r/trace-summary")).json()
    assert (summary["totalDurationMs"], len(summary["slowestSpans"])) == (10, 3)


async def test_the_document_describes_it(client: httpx.AsyncClient) -> None:
    """Names are text, fields as they are sent."""
    paths = json.loads((await client.get("/openapi.json")).content)["paths"]
    found = {(method, path) for path, item in paths.items() if path.startswith(RUNS) for method in item}
    assert len(found) == 9
    (parameter,) = [each for each in paths[f"{RUNS}/{{run_id}}"]["patch"]["parameters"] if each["in"] == "path"]
    assert parameter["schema"]["type"] == "string"
