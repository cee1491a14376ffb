"""What well-meaning clients of the compatible surfaces send, of the figures, and of telemetry; tries spoil it."""

import gzip
import random
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fuzz import nasty
from fuzz.bodies import Asked, run_id
from fuzz.shot import World

TIMES = ("24h", "7d", "0h", "-1h", "9" * 30 + "d", "2026-11-20", "2026-11-20T08:00:00Z", "0000-00-00", "x", "", "1e9h")
DURATIONS = (
    "5m30s",
    "1.5h",
    "-3s",
    "PT5M",
    "P1Y",
    "1h1h1h",
    "9999999999h",
    "1ns",
    ".s",
    "0",
    "NaN",
    "\u0661s",
    "m" * 300,
)
ACTIONS = ("pause", "resume", "stop", "directive", "events", "events/stream", "explode", "stop/stop", "..", "")
NAMES = ("run-1", "run-2", "a b", "ü", "%2e%2e", "%00", "x" * 250, "1", "run%2F1", "'--", "%ff", "%0d%0aX-Injected:1")
OPS_TYPES = (
    *("run.completed", "run.error", "error", "tool.called", "tool.result", "span.start", "span.end", "usage.report"),
    *("log", "task.progress", "x" * 300, "a\nb", ""),
)
SPAN = {
    "traceId": "5b8efff798038103d269b633813fc60c",
    "spanId": "eee19b7ec3c1b174",
    "parentSpanId": "",
    "name": "chat claude",
    "kind": 3,
    "startTimeUnixNano": "1700000000000000000",
    "endTimeUnixNano": 1700000001000000000,
    "attributes": [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "7"}},
        {"key": "session.id", "value": {"stringValue": "s-1"}},
        {"key": "deep", "value": {"kvlistValue": {"values": [{"key": "a", "value": {"arrayValue": {"values": []}}}]}}},
    ],
    "status": {"code": "STATUS_CODE_ERROR", "message": "m"},
}
LOG = {
    "timeUnixNano": "1700000000000000000",
    "severityNumber": 9,
    "body": {"stringValue": "claude_code.api_request"},
    "attributes": [
        {"key": "event.name", "value": {"stringValue": "api_request"}},
        {"key": "session.id", "value": {"stringValue": "s-2"}},
        {"key": "cost_usd", "value": {"doubleValue": 0.5}},
    ],
}
POINT = {"name": "m", "sum": {"dataPoints": [{"asInt": "1"}], "aggregationTemporality": 1, "isMonotonic": True}}


def any_of(rng: random.Random, world: World) -> Asked:
    """A request of any surface, telemetry included."""
    return rng.choice((ops, ops, runner, runner, metrics, metrics, figures, telemetry))(rng, world)


def asked(rng: random.Random, *names: str) -> str:
    """A query with some of these, each small, odd or huge; or none."""
    some = [name for name in names if rng.random() < 0.4]
    values = [rng.choice(("1", "5", quote(nasty.number(rng)[:40]))) for _ in some]
    return "?" + "&".join(map("=".join, zip(some, values, strict=True))) if some else ""


def ops(rng: random.Random, world: World) -> Asked:
    """A request of the Agent Ops surface."""
    name = rng.choice((*NAMES, run_id(rng, world)))
    some = f"/api/runs/{quote(name, safe='%')}"
    event = {"type": rng.choice(OPS_TYPES), "payload": _ops_payload(rng), "ts": 5, "level": "warn", "agentId": 1}
    choices = [
        Asked("POST", "/api/runs", {"id": name[:200], "title": "t", "startedAt": "2026-01-01T00:00:00Z"}, "report"),
        Asked("POST", "/api/runs", {"title": "t", "status": "running"}, "report"),
        Asked("PATCH", some, {"title": "u", "status": "odd", "errorMessage": None, "metadata": {"a": [1]}}, "report"),
        *[Asked("POST", f"{some}/events", event, "report")] * 4,
        Asked("GET", f"/api/runs{asked(rng, 'limit', 'cursor')}"),
        Asked("GET", rng.choice((some, f"{some}/spans", f"{some}/usage", f"{some}/trace-summary", f"{some}/x"))),
        Asked("GET", f"{some}/events{asked(rng, 'limit', 'after')}", None, "read"),
        Asked(rng.choice(("GET", "POST", "DELETE")), rng.choice(("/api", "/api/", "/api/runs/", "/api/runs//events"))),
    ]
    return rng.choice(choices)


def _ops_payload(rng: random.Random) -> Any:
    usage = {"inputTokens": 7, "outputTokens": 1, "costUsd": 0.1, "model": "m", "provider": "p", "id": "u-1"}
    span = {"spanId": "s", "parentSpanId": "s", "name": "n", "toolCallId": "c", "tool": "bash", "status": "error"}
    error = {"error": {"message": "broken", "code": 5}, "message": "m"}
    return rng.choice((usage, span, error, None, "text", [], 5))


def runner(rng: random.Random, world: World) -> Asked:
    """A request of the Runs API surface."""
    some = f"/runs/{run_id(rng, world)}"
    odd = quote(nasty.number(rng)[:40])
    goal = nasty.text(rng).encode("utf-8", "surrogatepass")[:3000]
    project = rng.choice(("1", "1", "0", "-1", odd, ""))
    run = {"project_id": 1, "goal": "g", "name": "n", "run_type": "agent", "options": {"timeout_seconds": 5}}
    choices = [
        Asked("POST", f"/projects?{urlencode({'name': f'q{rng.randrange(5)}', 'local_path': '/tmp', 'x': goal})}"),
        Asked("POST", "/projects", {"name": f"p{rng.randrange(5)}", "local_path": "/tmp", "path": "/tmp"}),
        Asked("GET", f"/projects{asked(rng, 'limit', 'cursor')}"),
        Asked("POST", f"/runs?project_id={project}&{urlencode({'goal': goal})}&run_type=task"),
        Asked("POST", "/runs", {**run, "metadata": {"a": None}, "run_metadata": None}),
        Asked("POST", "/runs?goal=x", {**run, "options": {"backend": "command", "argv": ["true"], "cwd": "/tmp"}}),
        Asked("GET", f"/runs{asked(rng, 'limit', 'project_id', 'status', 'cursor')}"),
        Asked("GET", some),
        Asked("GET", f"{some}/events{asked(rng, 'after_id', 'limit', 'after')}", None, "read"),
        Asked("POST", f"{some}/directive", {"text": "go on"}),
        Asked("POST", f"{some}/{rng.choice(ACTIONS)}"),
        Asked("GET", "/worker/status"),
        Asked(rng.choice(("POST", "GET")), rng.choice(("/worker/process", "/worker", "/worker/", "/runs/"))),
    ]
    return rng.choice(choices)


def metrics(rng: random.Random, world: World) -> Asked:
    """A request of the Agent Metrics surface."""
    agent = rng.choice((*world.agents * 3, "0" * 24, "f" * 24, "F" * 24, "g" * 24, "1", "%00" * 8, "", "\u0663" * 24))
    version = rng.choice(("v1", "v1", "v1", "v2", "%00", "a/b", "%2e%2e", "x" * 250, "%ff"))
    versions = f"/api/v1/agents/{quote(agent, safe='%')}/versions"
    run = {
        **{"created": "2026-11-20T08:00:00Z", "status": rng.choice(("success", "failed", "odd")), "cost": 0.25},
        **{
            "time_taken": rng.choice(("90s", "2m", *DURATIONS[:4], rng.choice(DURATIONS))),
            "initiator": "i",
            "tools": ["t"],
            "models": ["m"],
            "task_id": 5,
        },
    }
    name = rng.choice(("fuzz", "fuzz", *NAMES))
    choices = [
        Asked("POST", f"/api/v1/agents/{quote(name, safe='%')}/register", {"name": name, "project": "p"}, "report"),
        Asked("POST", versions, {"version": "v1", "cluster": "c", "tools": ["t"], "models": [], "deployment": "d"}),
        *[Asked("POST", f"{versions}/{version}/runs", rng.choice((run, {"runs": [run] * 3})), "report")] * 3,
        Asked("GET", rng.choice((versions, f"{versions}/{version}", f"/api/v1/agents/{quote(agent, safe='%')}/runs"))),
        Asked("GET", f"{versions}/{version}/runs{asked(rng, 'limit', 'cursor')}", None, "read"),
        Asked("GET", f"/api/v1/{rng.choice(('agents', 'ui/stats', 'ui/recent_activity', 'ui/agent_versions', 'x'))}"),
    ]
    return rng.choice(choices)


def figures(rng: random.Random, world: World) -> Asked:
    """Native agents, stats and usage."""
    odd = quote(nasty.number(rng)[:40])
    chosen = {"since": rng.choice(("24h", "7d", rng.choice(TIMES))), "by": rng.choice(("agent", "version", "x"))}
    chosen |= rng.choice(({}, {}, {"until": rng.choice(TIMES)}))
    chosen |= rng.choice(
        ({}, {}, {"agent": "fuzz-a"}, {"version": "v1"}, {"project": "\x00"}, {"agent": nasty.text(rng)[:300]})
    )
    query = urlencode(chosen, errors="surrogatepass")
    choices = [
        Asked("GET", f"/v1/{rng.choice(('stats', 'stats', 'usage'))}?{query}", None, "read"),
        Asked("GET", f"/v1/agents{asked(rng, 'limit', 'cursor', 'name')}"),
        Asked("GET", f"/v1/agents/{rng.choice(('1', '2', '0', odd))}/versions?limit=3"),
        Asked("POST", "/v1/stats/rebuild", {"next": None}),
    ]
    return rng.choice(choices)


def telemetry(rng: random.Random, world: World) -> Asked:
    """Spans, log records and metrics as JSON or protobuf, plain or as gzip."""
    signal = rng.choice(("traces", "traces", "logs", "logs", "metrics", "x"))
    resource = {
        "attributes": [{"key": "run.id", "value": {"stringValue": str(run_id(rng, world))}}] * rng.choice((0, 1))
    }
    kind, content = "application/json", _json(signal, resource)
    if rng.random() < 0.4:
        kind, content = "application/x-protobuf", _protobuf(rng, signal)
    if rng.random() < 0.35:
        plain = content if isinstance(content, bytes) else nasty.encode(rng, nasty.mutate(rng, content))
        return Asked(
            "POST", f"/v1/otlp/v1/{signal}", _packed(rng, plain), "report", kind, ((b"content-encoding", b"gzip"),)
        )
    return Asked("POST", f"/v1/otlp/v1/{signal}", content, "report", kind)


def _json(signal: str, resource: dict[str, Any]) -> dict[str, Any]:
    if signal == "logs":
        return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [LOG, LOG]}]}]}
    if signal == "metrics":
        return {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [POINT]}]}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [SPAN, SPAN]}]}]}


def _protobuf(rng: random.Random, signal: str) -> bytes:
    """A message, or something like one: cut, changed, of another signal, nested without an end."""
    if rng.random() < 0.2:
        return rng.choice((nested(5_000), b"\x0a\xff\xff\xff\xff\x0f", b"\xff" * 50, b"\x0a" * 999, b"\x0b" * 5000))
    made = _logs() if signal == "logs" or rng.random() < 0.1 else _spans()
    return made if rng.random() < 0.3 else nasty.spoil(rng, made)


@lru_cache
def _spans() -> bytes:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.name = b"\x01" * 16, b"\x02" * 8, "chat"
    span.start_time_unix_nano, span.end_time_unix_nano = 1_700_000_000_000_000_000, 2**64 - 1
    for key, text in (("session.id", "s-3"), ("gen_ai.operation.name", "chat")):
        attribute = span.attributes.add()
        attribute.key, attribute.value.string_value = key, text
    return request.SerializeToString()


@lru_cache
def _logs() -> bytes:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.time_unix_nano, record.body.string_value = 2**63, "claude_code.api_request"
    attribute = record.attributes.add()
    attribute.key, attribute.value.string_value = "session.id", "s-4"
    return request.SerializeToString()


@lru_cache
def nested(depth: int) -> bytes:
    """A message that is field 1 of a message, so often."""
    found = b""
    while depth > 0 and len(found) < 16_000:
        found = b"\x0a" + _varint(len(found)) + found
        depth -= 1
    return found


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def _packed(rng: random.Random, content: bytes) -> bytes:
    """Gzip, some of which is a bomb, cut, of many members, or none."""
    packed = gzip.compress(content, mtime=0)
    choices = (packed, packed, packed, packed[: len(packed) // 2], packed * 20, packed + b"x", content, b"", bomb())
    return rng.choice(choices)


@lru_cache
def bomb() -> bytes:
    """A few kilobytes that are many megabytes inside."""
    return gzip.compress(b" " * (48 * 1024 * 1024), mtime=0)
