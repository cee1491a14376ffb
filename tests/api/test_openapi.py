"""The OpenAPI document: complete, well-formed, and true to what the server answers."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from agentrunner.api import (
    agents,
    bulk,
    control,
    events,
    exposition,
    health,
    metrics,
    ops,
    ops_events,
    otlp,
    projects,
    retention,
    runner,
    runner_events,
    runner_workers,
    runs,
    samples,
    search_events,
    sessions,
    stats,
    stream,
    system,
    tokens,
    usage,
    views,
    workers,
)
from agentrunner.api import config as config_route
from agentrunner.api import services as services_route
from agentrunner.api.refusals import NATIVE, of
from agentrunner.api.server import Application
from api.serving import COMMAND, claim, new_run, register

ROUTES = """
DELETE /v1/sessions/{session_id}
DELETE /v1/tokens/{token_id}
DELETE /v1/views/{name}
GET /
GET /api/runs
GET /api/runs/{run_id}/events
GET /api/runs/{run_id}/spans
GET /api/runs/{run_id}/stream
GET /api/runs/{run_id}/trace-summary
GET /api/runs/{run_id}/usage
GET /api/v1/agents
GET /api/v1/agents/{agent_id}/runs
GET /api/v1/agents/{agent_id}/versions
GET /api/v1/agents/{agent_id}/versions/{version}
GET /api/v1/agents/{agent_id}/versions/{version}/runs
GET /api/v1/ui/agent_versions
GET /api/v1/ui/recent_activity
GET /api/v1/ui/stats
GET /health
GET /metrics
GET /openapi.json
GET /projects
GET /ready
GET /runs
GET /runs/{run_id}
GET /runs/{run_id}/events
GET /runs/{run_id}/events/stream
GET /v1/agents
GET /v1/agents/{agent_id}/versions
GET /v1/backends
GET /v1/config
GET /v1/projects
GET /v1/runs
GET /v1/runs/{run_id}
GET /v1/runs/{run_id}/events
GET /v1/runs/{run_id}/explain
GET /v1/runs/{run_id}/output
GET /v1/runs/{run_id}/samples
GET /v1/runs/{run_id}/search
GET /v1/runs/{run_id}/stream
GET /v1/services
GET /v1/sessions
GET /v1/stats
GET /v1/stream
GET /v1/system
GET /v1/tokens
GET /v1/usage
GET /v1/views
GET /v1/workers
GET /worker/status
PATCH /api/runs/{run_id}
PATCH /v1/projects/{name}
POST /api/runs
POST /api/runs/{run_id}/events
POST /api/v1/agents/{agent_id}/versions
POST /api/v1/agents/{agent_id}/versions/{version}/runs
POST /api/v1/agents/{name}/register
POST /projects
POST /runs
POST /runs/{run_id}/directive
POST /runs/{run_id}/{action}
POST /v1/control/claim
POST /v1/control/decisions
POST /v1/control/heartbeat
POST /v1/control/record
POST /v1/control/register
POST /v1/control/wishes
POST /v1/logins
POST /v1/logins/token
POST /v1/logout
POST /v1/otlp/v1/logs
POST /v1/otlp/v1/metrics
POST /v1/otlp/v1/traces
POST /v1/projects
POST /v1/retention
POST /v1/runs
POST /v1/runs/bulk
POST /v1/runs/{run_id}/events
POST /v1/runs/{run_id}/inputs
POST /v1/runs/{run_id}/pause
POST /v1/runs/{run_id}/resume
POST /v1/runs/{run_id}/retry
POST /v1/runs/{run_id}/stop
POST /v1/stats/rebuild
POST /v1/tokens
POST /v1/views
POST /worker/process
""".split("\n")[1:-1]


@pytest.fixture
async def document(application: Application) -> dict[str, Any]:
    """The document, decoded."""
    decoded: dict[str, Any] = json.loads(application.document())
    return decoded


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


async def test_every_route_is_in_it(document: dict[str, Any], application: Application) -> None:
    """The document lists exactly the routes there are, framework and raw."""
    assert sorted(f"{method} {path}" for method, path, _ in operations(document)) == ROUTES
    raw = [
        *runs.ROUTES,
        *events.ROUTES,
        *stream.ROUTES,
        *control.ROUTES,
        *otlp.ROUTES,
        *exposition.ROUTES,
        *sessions.ROUTES,
    ]
    raw += [*config_route.ROUTES, *search_events.ROUTES]
    raw += [*metrics.ROUTES, *ops.ROUTES, *ops_events.ROUTES]
    raw += [*runner.ROUTES, *runner_events.ROUTES, *runner_workers.ROUTES]
    modules = (runs, bulk, views, workers, projects, retention, samples, tokens, sessions, system, health)
    framework = [handler for module in (*modules, agents, stats, usage, services_route) for handler in module.HANDLERS]
    assert len(ROUTES) == len(raw) + len(framework) + 1


async def test_it_is_well_formed(document: dict[str, Any]) -> None:
    """It says 3.1; every reference leads somewhere, every id is its own, every path parameter is declared."""
    assert document["openapi"].startswith("3.1")
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"], reference
    for method, path, operation in operations(document):
        declared = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
        assert declared == {part[1:-1] for part in path.split("/") if part.startswith("{")}, (method, path)
        assert operation["summary"]
        refusals = {status: each for status, each in operation["responses"].items() if status >= "4"}
        assert {"400", "403", "421", "422", "503"} <= refusals.keys()
        kind = of(path).kind.partition(b";")[0].decode()
        schemas = [each["content"][kind]["schema"] for each in refusals.values()]
        assert all("$ref" in schema if of(path) is NATIVE else schema == of(path).schema for schema in schemas)
        assert [status for status in operation["responses"] if status.startswith("2")], (method, path)
        assert ("requestBody" in operation) <= (method in ("POST", "PATCH"))


def references(value: Any) -> Iterator[str]:
    """Every `$ref` in it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


class Schema:
    """The part of JSON Schema that the document uses, to hold answers against it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._schemas = document["components"]["schemas"]

    def errors(self, value: Any, schema: dict[str, Any], where: str = "$") -> list[str]:
        """What does not fit."""
        if "$ref" in schema:
            return self.errors(value, self._schemas[schema["$ref"].rpartition("/")[2]], where)
        for several in ("anyOf", "oneOf"):
            if several in schema:
                found = [self.errors(value, option, where) for option in schema[several]]
                return [] if any(not each for each in found) else [f"{where}: fits none of {several}: {found}"]
        if "enum" in schema:
            return [] if value in schema["enum"] else [f"{where}: {value!r} not in {schema['enum']}"]
        types = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float)}
        types |= {"boolean": bool, "null": type(None)}
        kind = schema.get("type")
        if kind is not None and not isinstance(value, types[kind]):
            return [f"{where}: {value!r} is no {kind}"]
        if isinstance(value, dict):
            return self._object(value, schema, where)
        if isinstance(value, list) and "items" in schema:
            return [e for n, item in enumerate(value) for e in self.errors(item, schema["items"], f"{where}[{n}]")]
        return []

    def _object(self, value: dict[str, Any], schema: dict[str, Any], where: str) -> list[str]:
        found = [f"{where}: {name} is missing" for name in schema.get("required", []) if name not in value]
        properties = schema.get("properties", {})
        rest = schema.get("additionalProperties", not properties)
        for name, inner in value.items():
            if name in properties:
                found += self.errors(inner, properties[name], f"{where}.{name}")
            elif isinstance(rest, dict):
                found += self.errors(inner, rest, f"{where}.{name}")
            elif not rest:
                found.append(f"{where}: {name} is not described")
        return found


async def test_answers_are_as_described(
    document: dict[str, Any], client: httpx.AsyncClient, worker: httpx.AsyncClient
) -> None:
    """What the routes answer fits their schemas, field by field, with nothing undescribed."""
    await new_run(client, labels={"a": "b"}, metadata={"deep": {"er": 1}})
    await client.post("/v1/runs", json={**COMMAND, "secrets": {"A": "b"}, "limits": {"wall_s": 3}})
    await client.post("/v1/runs/1/events", json={"type": "run.failed", "payload": {"message": "x"}})
    await client.post("/v1/runs/1/events", json={"type": "late"})
    for agent in ("a", "b"):
        await client.post("/v1/runs", json={**COMMAND, "agent": agent, "agent_version": "1"})
    await register(worker)
    await claim(worker)
    schema = Schema(document)
    gets = [path for method, path, op in operations(document) if method == "GET" and "stream" not in path]
    for path in gets:
        if path in ("/metrics", "/openapi.json", "/v1/runs/{run_id}/output"):
            continue
        for run in ("1", "2"):
            filled = path.replace("{agent_id}", run.zfill(24)).replace("{version}", "1")
            sought = "?q=text" if path.endswith("/search") else ""
            response = await client.get(filled.replace("{run_id}", run) + sought)
            described = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            assert (response.status_code, schema.errors(response.json(), described)) == (200, []), path


async def test_the_checker_sees_what_is_wrong(document: dict[str, Any]) -> None:
    """The checker above finds missing, undescribed and ill-typed fields, so its silence means something."""
    schema = Schema(document)
    good = {"id": 1, "name": "x", "scope": "read", "created_at": "t", "revoked_at": None}
    described = {"$ref": "#/components/schemas/TokenView"}
    assert schema.errors(good, described) == []
    for bad in (
        {**good, "id": "1"},
        {**good, "scope": "nothing"},
        {**good, "more": 1},
        {k: v for k, v in good.items() if k != "name"},
    ):
        assert schema.errors(bad, described) != []


async def test_requests_are_described_as_they_are_checked(document: dict[str, Any]) -> None:
    """Bounds that decoding enforces are in the schemas, and unknown fields are refused in both."""
    new = document["components"]["schemas"]["NewRun"]
    assert new["additionalProperties"] is False
    assert new["properties"]["priority"] == {"type": "integer", "minimum": -1000, "maximum": 1000, "default": 0}
    assert new["required"] == ["backend"]
    body = document["paths"]["/v1/runs/{run_id}/events"]["post"]["requestBody"]["content"]
    assert set(body) == {"application/json", "application/x-ndjson"}
    part = document["components"]["schemas"]["Part"]["properties"]
    assert {"stream", "from", "to", "events", "state"} == set(part)


async def test_what_a_query_names_may_be_missing(document: dict[str, Any]) -> None:
    """404 is told of lists that a query may narrow to an agent that there is none of, and of no other list."""
    for path, told in (("/v1/agents", True), ("/v1/stats", True), ("/v1/usage", True), ("/v1/views", False)):
        assert ("404" in document["paths"][path]["get"]["responses"]) is told, path


async def test_it_is_served(client: httpx.AsyncClient, application: Application) -> None:
    """`/openapi.json` answers the document, with the version of this package."""
    response = await client.get("/openapi.json")
    assert response.content == application.document()
    assert msgspec.json.decode(response.content)["info"]["title"] == "Agent Runner"
