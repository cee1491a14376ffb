"""Every path through the application: errors are problem documents, and nothing a client sends is a 500."""

import json
from typing import Any

import httpx
import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentrunner.api.server import Application
from api.serving import COMMAND, WORKER, claim, new_run, problem, record, register

FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True
)
BODIES = [
    "/v1/runs",
    "/v1/runs/1/events",
    "/v1/runs/1/inputs",
    "/v1/projects",
    "/v1/tokens",
    "/v1/control/register",
    "/v1/control/claim",
    "/v1/control/record",
]
SPECIAL = [
    None, True, -1, 0, 2**63, 2**64, -(2**63) - 1, 10**300, 1e308, "", "\x00", "é" * 300, "ar_", "default",
    "external", "command", [], {}, [[]], {"": ""}, "COMPLETED", "9999-12-31T23:59:59Z", "0000-00-00",
]  # fmt: skip
NAMES = """
    goal backend title project agent options limits labels metadata retry secrets runs priority on_lost
    external_id argv env wall_s attempts type payload level ts producer client_seq text name path settings scope
    worker_id epoch run_id parts stream from to events state outcome sizes status reason slots wait_s claim_id
""".split()
values = st.recursive(
    st.sampled_from(SPECIAL) | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner),
    max_leaves=12,
)


def check(response: httpx.Response, context: Any) -> None:
    """No answer is a 500, and every refusal is a problem document that shows nothing of the inside."""
    assert response.status_code < 500, (context, response.text)
    assert response.headers["x-request-id"]
    if response.status_code >= 400:
        detail = problem(response, response.status_code, response.json()["code"])["detail"]
        assert not any(word in detail for word in ("Traceback", "sqlite", "SELECT", "site-packages", "agentrunner/"))


@given(path=st.sampled_from(BODIES), body=st.dictionaries(st.sampled_from(NAMES), values, max_size=8) | values)
@FUZZ
async def test_any_json(client: httpx.AsyncClient, worker: httpx.AsyncClient, path: str, body: Any) -> None:
    """Any JSON value sent to any route that takes a body."""
    sender = worker if "control" in path else client
    check(await sender.post(path, json=body), (path, body))


@given(data=st.data())
@FUZZ
async def test_valid_bodies_with_one_field_changed(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, data: st.DataObject
) -> None:
    """A body that would be taken, with one field replaced by anything."""
    run = (await client.post("/v1/runs", json={"backend": "external"})).json()["id"]
    outcome = {"status": "FAILED", "reason": "signal", "sizes": {"out": 1}}
    part = {"stream": "out", "from": 0, "to": 1, "events": [{"type": "usage"}], "state": 1}
    assignment = {"run_id": run, "attempt": 1, "uid": "u", "epoch": 1}
    good: dict[str, dict[str, Any]] = {
        "/v1/runs": {**COMMAND, "goal": "g", "labels": {"a": "b"}, "limits": {"cpu": 1}, "retry": {"attempts": 2}},
        f"/v1/runs/{run}/events": {"type": "usage", "payload": {"input_tokens": 1}, "ts": 1, "producer": "p"},
        "/v1/control/register": dict(WORKER),
        "/v1/control/claim": {"worker_id": "w", "epoch": 1, "claim_id": "c", "slots": 1, "wait_s": 0},
        "/v1/control/record": record(assignment, parts=[part], outcome=outcome),
        "/v1/tokens": {"name": "n", "scope": "read"},
        "/v1/projects": {"name": "n", "path": "/x", "settings": {"max_running": 1}},
    }
    path = data.draw(st.sampled_from(sorted(good)))
    body = json.loads(json.dumps(good[path]))
    target = body
    while isinstance(inner := target[name := data.draw(st.sampled_from(sorted(target)))], dict) and inner:
        if data.draw(st.booleans()):
            break
        target = inner
    target[name] = data.draw(values)
    sender = worker if "control" in path else client
    check(await sender.post(path, json=body), (path, body))
    check(await client.get("/v1/runs?limit=500"), "list")
    check(await client.get("/v1/workers"), "workers")


@given(
    path=st.sampled_from(BODIES), body=st.binary(max_size=200), kind=st.sampled_from(["application/json", "", "x/y"])
)
@FUZZ
async def test_any_bytes(client: httpx.AsyncClient, worker: Any, path: str, body: bytes, kind: str) -> None:
    """Any bytes sent to any route that takes a body."""
    sender = worker if "control" in path else client
    check(await sender.post(path, content=body, headers={"content-type": kind}), (path, body))


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "TRACE", "BREW"]),
    path=st.sampled_from(["/v1/runs/", "/v1/", "/", "/v1/runs?", "/v1/runs/1/events?", "/v1/projects/", "/v1/tokens/"]),
    rest=st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(["..", "%2e%2e/", "1/../2", "%00", "//"]),
)
@FUZZ
async def test_any_address(application: Application, client: Any, method: str, path: str, rest: str) -> None:
    """Any method at any address, with any query."""
    query = rest.encode() if "?" in path else b""
    whole = path.rstrip("?") + ("" if query else rest)
    scope = {
        "type": "http", "method": method, "path": whole, "raw_path": whole.encode(), "query_string": query,
        "root_path": "", "scheme": "http", "http_version": "1.1", "server": ("localhost", 80), "client": None,
        "headers": [(b"host", b"localhost"), (b"authorization", client.headers["authorization"].encode())],
        "asgi": {"version": "3.0"},
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await application(scope, receive, send)
    head = dict(sent[0]["headers"])
    assert sent[0]["status"] < 500, (method, whole, query, sent)
    if sent[0]["status"] >= 400:
        assert head[b"content-type"] == b"application/problem+json"
    assert head[b"x-request-id"]


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b'{"goal": "\xff"}', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"a":' * 100_000, "application/json"),
        (b'{"name":"\x00"}', "application/json"),
        (b"9" * 5_000, "application/json"),
        (b"{}", "application/xml"),
        (b"a=b", "application/x-www-form-urlencoded"),
    ],
    ids=["empty", "open", "utf-16", "latin-1", "deep arrays", "deep objects", "nul", "huge int", "xml", "form"],
)
async def test_bodies_that_are_none(client: Any, worker: Any, path: str, body: bytes, kind: str) -> None:
    """What is no usable JSON is refused on every route that takes a body."""
    await new_run(client)
    sender = worker if "control" in path else client
    response = await sender.post(path, content=body, headers={"content-type": kind})
    assert 400 <= response.status_code < 500
    check(response, (path, body[:20]))
    if kind != "application/json":
        problem(response, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/runs", "GET, POST"),
        ("DELETE", "/v1/runs/1", "GET"),
        ("GET", "/v1/runs/1/pause", "POST"),
        ("PATCH", "/v1/runs/1/events", "GET, POST"),
        ("POST", "/v1/stream", "GET"),
        ("GET", "/v1/control/claim", "POST"),
        ("POST", "/metrics", "GET"),
        ("HEAD", "/health", "GET"),
        ("OPTIONS", "/v1/workers", None),
    ],
)
async def test_wrong_methods(client: httpx.AsyncClient, method: str, path: str, allowed: str | None) -> None:
    """A wrong method is 405 and says which are right."""
    response = await client.request(method, path)
    assert response.status_code == 405
    assert response.headers.get("allow") == allowed


@pytest.mark.parametrize("path", ["/nowhere", "/v1", "/v1/runs/1/nothing", "/v2/runs", "/v1/runs/1/events/2", "/.env"])
async def test_unknown_addresses(client: httpx.AsyncClient, path: str) -> None:
    """An unknown address is 404 and says where to look."""
    assert "/openapi.json" in problem(await client.get(path), 404, "not_found")["detail"]


async def test_headers_of_every_answer(client: httpx.AsyncClient) -> None:
    """Good and bad answers carry a request id of their own and the security headers."""
    ids = set()
    for path in ("/health", "/v1/runs", "/nowhere", "/v1/runs/1", "/metrics"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        ids.add(headers["x-request-id"])
    assert len(ids) == 5


async def test_what_nobody_foresaw(application: Application, services: Any, client: httpx.AsyncClient) -> None:
    """An error of ours is `internal`: logged under the request id with its trace, of which the client sees nothing."""
    run = await new_run(client)
    await services.db.write(_break, run["id"])
    with structlog.testing.capture_logs() as logged:
        document = problem(await client.get("/v1/runs/1"), 500, "internal")
    assert "request id" in document["detail"]
    assert "secret-path" not in json.dumps(document)
    (entry,) = [each for each in logged if each.get("request_id") == document["request_id"]]
    assert "Traceback" in entry["exception"]
    assert "ar_" not in json.dumps(entry)


async def _break(tx: Any, run_id: int) -> None:
    await tx.run("UPDATE runs SET status = 'secret-path' WHERE id = ?", run_id)


async def test_two_runs_can_be_taken(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> None:
    """After all that the ordinary way still works: the fuzzed bodies are refused, not everything."""
    await client.post("/v1/runs", json={"runs": [COMMAND, COMMAND]})
    await register(worker)
    assert len(await claim(worker)) == 2
