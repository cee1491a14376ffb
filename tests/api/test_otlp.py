"""OTLP over HTTP: what the programs really send, both encodings, and what no exporter would send."""

import asyncio
import base64
import gzip
import json
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf import json_format
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import StatusCode

from agentrunner.api import otlp_json, otlp_protobuf
from agentrunner.api.otlp import BODY_BYTES
from agentrunner.api.server import Server
from agentrunner.domain.telemetry import MAX_RECORDS
from agentrunner.domain.token import Scope
from agentrunner.engine.services import Services
from agentrunner.engine.telemetry import IDLE_MS
from api.serving import QUICK, Clock, new_run, problem
from waiting import eventually

SENT = Path(__file__).parent / "telemetry"
TRACES, LOGS, METRICS = (f"/v1/otlp/v1/{signal}" for signal in ("traces", "logs", "metrics"))
JSON = {"content-type": "application/json"}
PROTOBUF = {"content-type": "application/x-protobuf"}
CLAUDE = "c9a7d04f-e1f4-4474-ac2a-532ff773a74a"
SPAN: dict[str, Any] = {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174", "name": "chat"}


def sent(name: str) -> bytes:
    """What a program has sent."""
    return (SENT / f"{name}.json").read_bytes()


def of_spans(*spans: dict[str, Any], **resource: str) -> dict[str, Any]:
    """A body of spans."""
    return {"resourceSpans": [{"resource": {"attributes": texts(**resource)}, "scopeSpans": [{"spans": list(spans)}]}]}


def of_logs(*records: dict[str, Any], **resource: str) -> dict[str, Any]:
    """A body of log records."""
    scoped = [{"logRecords": list(records)}]
    return {"resourceLogs": [{"resource": {"attributes": texts(**resource)}, "scopeLogs": scoped}]}


def texts(**values: str) -> list[dict[str, Any]]:
    """Attributes that are texts; `__` is a dot."""
    return [{"key": name.replace("__", "."), "value": {"stringValue": value}} for name, value in values.items()]


async def runs(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    """The runs that there are, by the id that their program chose."""
    return {run["external_id"]: run for run in (await client.get("/v1/runs")).json()["items"]}


async def events(client: httpx.AsyncClient, run: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a run."""
    found: list[dict[str, Any]] = (await client.get(f"/v1/runs/{run['id']}/events?limit=1000")).json()["items"]
    return found


async def test_claude_code_as_it_sends(client: httpx.AsyncClient) -> None:
    """Spans, logs and metrics of one session are one run; tokens and cost are what its own result said, once."""
    for signal, path in (("traces", TRACES), ("logs", LOGS), ("metrics", METRICS), ("logs", LOGS), ("traces", TRACES)):
        answer = await client.post(path, content=sent(f"claude-{signal}"), headers=JSON)
        assert (answer.status_code, answer.json()) == (200, {})
    ((external_id, run),) = (await runs(client)).items()
    assert external_id == CLAUDE
    counted = {"input_tokens": 1700, "cache_read_tokens": 400, "cache_write_tokens": 0, "output_tokens": 110}
    assert run["usage"] == counted
    assert run["cost_usd"] == pytest.approx(0.01145)
    assert (run["agent"], run["agent_version"], run["goal"]) == ("claude", "2.1.197", "Write the poem.")
    found = await events(client, run)
    results = [event["payload"] for event in found if event["type"] == "tool.result"]
    assert [(each["name"], each["ok"]) for each in results] == [("Write", True), ("Bash", False)]
    assert [event["type"] for event in found].count("telemetry.span") == 9
    assert "user.id" not in json.dumps(found)


async def test_codex_as_it_sends(client: httpx.AsyncClient) -> None:
    """Its numbers are texts, its times only observed, each response told twice; its input includes what was cached."""
    answer = await client.post(LOGS, content=sent("codex-logs"), headers=JSON)
    assert (answer.status_code, answer.json()) == (200, {})
    run = (await runs(client))["r77"]
    counted = {"input_tokens": 1603, "cache_read_tokens": 400, "cache_write_tokens": 0, "output_tokens": 100}
    assert run["usage"] == counted
    assert run["started_at"] == "2026-11-21T09:16:48.663Z"
    types = [event["type"] for event in await events(client, run)]
    assert types[:3] == ["run.created", "session.started", "telemetry.log"]
    assert types.count("usage") == 2
    assert len(types) == 16, "pieces of a stream are not kept"


async def test_the_same_in_protobuf(client: httpx.AsyncClient) -> None:
    """Both encodings are read to the same records."""
    for signal, kind, read_json, read_protobuf in (
        ("claude-traces", ExportTraceServiceRequest, otlp_json.read_traces, otlp_protobuf.read_traces),
        ("claude-logs", ExportLogsServiceRequest, otlp_json.read_logs, otlp_protobuf.read_logs),
        ("codex-logs", ExportLogsServiceRequest, otlp_json.read_logs, otlp_protobuf.read_logs),
        ("claude-metrics", ExportMetricsServiceRequest, otlp_json.count_points, otlp_protobuf.count_points),
    ):
        text = sent(signal)
        assert read_json(text) == read_protobuf(protobuf(kind, text)), signal  # type: ignore[operator]
    answer = await client.post(
        TRACES, content=protobuf(ExportTraceServiceRequest, sent("claude-traces")), headers=PROTOBUF
    )
    assert (answer.headers["content-type"], answer.content) == ("application/x-protobuf", b"")
    assert CLAUDE in await runs(client)


def protobuf(kind: Any, text: bytes) -> bytes:
    """The protobuf of a JSON body: OTLP's ids are hexadecimal there, protobuf's own JSON has base64."""

    def converted(value: Any) -> Any:
        if isinstance(value, list):
            return [converted(each) for each in value]
        if not isinstance(value, dict):
            return value
        ids = {"traceId", "spanId", "parentSpanId"}
        return {
            name: base64.b64encode(bytes.fromhex(each)).decode() if name in ids else converted(each)
            for name, each in value.items()
        }

    found: bytes = json_format.ParseDict(converted(json.loads(text)), kind()).SerializeToString()
    return found


async def test_the_sdk_reaches_it(server: Server, token: Callable[[Scope], Awaitable[str]]) -> None:
    """OpenTelemetry's own SDK, gzip and all, with a token that may only report; GenAI spans become a run that fails."""
    exporter = OTLPSpanExporter(
        endpoint=f"http://127.0.0.1:{server.port}{TRACES}",
        headers={"x-api-key": await token(Scope.REPORT)},
        compression=None,
        timeout=5,
    )
    provider = TracerProvider(
        resource=Resource.create({"service.name": "shop", "process.command_line": "secret words"})
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("shop.agent")
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "buyer", "gen_ai.usage.input_tokens": 9}
    chat = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m1",
        "gen_ai.usage.input_tokens": 120,
        "gen_ai.usage.cache_read.input_tokens": 20,
        "gen_ai.usage.output_tokens": 7,
    }

    def work() -> None:
        with tracer.start_as_current_span("invoke_agent buyer", attributes=agent) as root:
            with tracer.start_as_current_span("chat m1", attributes=chat):
                pass
            root.set_status(StatusCode.ERROR, "sold out")
        provider.force_flush(5000)
        provider.shutdown()

    await asyncio.to_thread(work)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{server.port}", headers={"authorization": f"Bearer {await token(Scope.READ)}"}
    ) as reader:
        (run,) = (await runs(reader)).values()
        found = await events(reader, run)
    assert (run["agent"], run["status"]) == ("buyer", "RUNNING")
    counted = {"input_tokens": 100, "cache_read_tokens": 20, "cache_write_tokens": 0, "output_tokens": 7}
    assert run["usage"] == counted, "an agent's sum is not counted again"
    assert [event["payload"]["kind"] for event in found if event["type"] == "telemetry.span"] == ["llm", "agent"]
    assert "secret words" not in json.dumps([run, found])


async def test_gzip_and_its_bounds(client: httpx.AsyncClient) -> None:
    """It is inflated, in several members too, and never beyond the bound; what is no gzip is said to be none."""
    packed = {**JSON, "content-encoding": "gzip"}
    half = len(sent("claude-logs")) // 2
    members = gzip.compress(sent("claude-logs")[:half]) + gzip.compress(sent("claude-logs")[half:])
    assert (await client.post(LOGS, content=members, headers=packed)).status_code == 200
    assert CLAUDE in await runs(client)
    bomb = zlib.compressobj(wbits=31)
    content = bomb.compress(b" " * (BODY_BYTES + 1)) + bomb.flush()
    assert len(content) < 20_000
    problem(await client.post(LOGS, content=content, headers=packed), 413, "body_too_large")
    problem(await client.post(LOGS, content=gzip.compress(b"") * 1000, headers=packed), 413, "body_too_large")
    for broken in (b"no gzip", gzip.compress(b"{}")[:-3]):
        problem(await client.post(LOGS, content=broken, headers=packed), 400, "invalid_request")
    answer = await client.post(LOGS, content=b"{}", headers={**JSON, "content-encoding": "br"})
    problem(answer, 415, "unsupported_media_type")


async def test_other_content_types_are_refused(client: httpx.AsyncClient) -> None:
    """415 says how an exporter is told to send what is taken."""
    answer = await client.post(TRACES, content=b"", headers={"content-type": "application/grpc"})
    assert "OTEL_EXPORTER_OTLP_PROTOCOL" in problem(answer, 415, "unsupported_media_type")["detail"]


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"resourceLogs":1}', b'{"resourceLogs":[{"scopeLogs":[1]}]}', b"\xff"]
)
async def test_broken_json_is_the_clients_fault(client: httpx.AsyncClient, content: bytes) -> None:
    """400 for all of it, the one status that the protocol has for that."""
    problem(await client.post(LOGS, content=content, headers=JSON), 400, "invalid_request")


@pytest.mark.parametrize(
    "content",
    [
        *(b"\x0a", b"\x0a\x05a", b"\x08\x01", b"\xff" * 12, b"\x00\x00", b"\x0b"),
        b"\x0a\x04\x12\x02\x12\x05",
        b"\x0a\x06\x12\x04\x12\x02\x0a\x09",
    ],
)
async def test_broken_protobuf_is_the_clients_fault(client: httpx.AsyncClient, content: bytes) -> None:
    """Lengths that lie, groups, a number where a message belongs, a varint without end."""
    problem(await client.post(LOGS, content=content, headers=PROTOBUF), 400, "invalid_request")


async def test_too_many_records(client: httpx.AsyncClient) -> None:
    """Two bytes can stand for a record: they are counted before they take memory."""
    body = of_logs(*({"body": {"stringValue": "x"}} for _ in range(MAX_RECORDS + 1)))
    problem(await client.post(LOGS, json=body), 413, "body_too_large")
    inner = b"\x12\x00" * (MAX_RECORDS + 1)
    scoped = b"\x12" + varint(len(inner)) + inner
    problem(
        await client.post(LOGS, content=b"\x0a" + varint(len(scoped)) + scoped, headers=PROTOBUF), 413, "body_too_large"
    )
    many = b'{"resourceLogs":[' + b"{}," * 500_000 + b"{}]}"
    problem(await client.post(LOGS, content=many, headers=JSON), 413, "body_too_large")


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes((*found, number))


async def test_what_is_rejected_is_told(client: httpx.AsyncClient) -> None:
    """Spans without ids and spans of no agent are counted in `partial_success`, in the encoding that was sent."""
    body = of_spans(SPAN, {"name": "no ids"}, {**SPAN, "spanId": "00" * 8}, {**SPAN, "traceId": "xyz"})
    answer = (await client.post(TRACES, json=body)).json()
    assert answer["partialSuccess"]["rejectedSpans"] == "4"
    assert "run.id" in answer["partialSuccess"]["errorMessage"]
    raw = await client.post(
        TRACES, content=protobuf(ExportTraceServiceRequest, json.dumps(of_spans(SPAN)).encode()), headers=PROTOBUF
    )
    assert ExportTraceServiceResponse.FromString(raw.content).partial_success.rejected_spans == 1
    logs = await client.post(LOGS, json=of_logs({"body": {"stringValue": "x"}}))
    assert logs.json()["partialSuccess"]["rejectedLogRecords"] == "1"
    text = protobuf(ExportLogsServiceRequest, json.dumps(of_logs({"body": {"stringValue": "x"}})).encode())
    found = (await client.post(LOGS, content=text, headers=PROTOBUF)).content
    assert ExportLogsServiceResponse.FromString(found).partial_success.rejected_log_records == 1
    assert await runs(client) == {}


async def test_enums_by_number_and_name_and_unknown_fields(client: httpx.AsyncClient) -> None:
    """As protobuf's JSON allows it; numbers of 64 bits may be texts."""
    run = await new_run(client, external_id="mine")
    statuses: list[Any] = [2, "2", "STATUS_CODE_ERROR", "STATUS_CODE_OK", "WHAT", None]
    spans = [
        {**SPAN, "spanId": f"{n:016x}", "status": {"code": code, "new": 1}, "endTimeUnixNano": end, "more": {"a": []}}
        for n, (code, end) in enumerate(zip(statuses, [10**18, f"{10**18}", "x", 1e18, -1, None], strict=True), 1)
    ]
    assert (await client.post(TRACES, json=of_spans(*spans, run__id="mine"))).json() == {}
    found = [event for event in await events(client, run) if event["type"] == "telemetry.span"]
    assert [event["payload"]["status"] for event in found] == ["error"] * 3 + ["ok"] * 3
    years = [event["ts"][:4] for event in found]
    assert [year == "2001" for year in years] == [True, True, False, True, False, False]
    assert "1970" not in years, "what has no time happened when it came"
    levels: list[Any] = [17, "SEVERITY_NUMBER_WARN", "9", None]
    body = of_logs(
        *({"severityNumber": level, "timeUnixNano": str(n)} for n, level in enumerate(levels, 1)), run__id="mine"
    )
    assert (await client.post(LOGS, json=body)).json() == {}
    found = [event for event in await events(client, run) if event["type"] == "telemetry.log"]
    assert [event["level"] for event in found] == ["error", "warning", "info", "info"]


async def test_values_of_every_kind_and_size(client: httpx.AsyncClient) -> None:
    """Every kind arrives; what is too long, too many or too deep is cut; a resource keeps what is on its list."""
    run = await new_run(client, external_id="mine")
    deep: dict[str, Any] = {"stringValue": "bottom"}
    for _ in range(30):
        deep = {"arrayValue": {"values": [deep]}}
    values: dict[str, Any] = {
        "bool": {"boolValue": True},
        "int": {"intValue": "-9223372036854775808"},
        "double": {"doubleValue": "NaN"},
        "map": {"kvlistValue": {"values": [{"key": "a", "value": {"intValue": 1}}]}},
        "bytes": {"bytesValue": "AAEC"},
        "deep": deep,
        "long": {"stringValue": "x" * 200_000},
        "wrong": {"boolValue": "yes"},
        "none": {},
        "api_key": {"stringValue": "sk-1234"},
        "nul": {"stringValue": "a\x00b"},
    }
    attributes = [{"key": name, "value": value} for name, value in values.items()]
    attributes += [{"key": f"more{n}", "value": {"intValue": n}} for n in range(500)]
    body = of_logs(
        {"attributes": attributes, "body": {"stringValue": "hello"}},
        run__id="mine",
        process__command_line="secret words",
    )
    assert (await client.post(LOGS, json=body)).json() == {}
    payload = (await events(client, run))[-1]["payload"]
    found = payload["attributes"]
    assert (found["bool"], found["int"], found["double"], found["map"]) == (True, -(2**63), "nan", {"a": 1})
    assert (found["bytes"], found["api_key"], found["nul"], payload["body"]) == ("AAEC", "***", "a\x00b", "hello")
    assert len(found["long"]) == 16_385
    assert len(found) == 128
    assert not {"wrong", "none"} & found.keys()
    assert "bottom" not in json.dumps(payload)
    assert "secret words" not in json.dumps(payload)


async def test_metrics_are_counted(client: httpx.AsyncClient) -> None:
    """They are accepted, counted by data points, and make no run."""
    for content, headers in (
        (sent("claude-metrics"), JSON),
        (protobuf(ExportMetricsServiceRequest, sent("claude-metrics")), PROTOBUF),
    ):
        assert (await client.post(METRICS, content=content, headers=headers)).status_code == 200
    points = otlp_json.count_points(sent("claude-metrics"))
    assert points > 5
    assert (
        f'agentrunner_telemetry_records_total{{signal="metrics"}} {2 * points}.0' in (await client.get("/metrics")).text
    )
    assert await runs(client) == {}


async def test_who_may_send(client: httpx.AsyncClient, token: Callable[[Scope], Awaitable[str]]) -> None:
    """A token of scope `report`, as a bearer or as `x-api-key`; one that reads only is refused."""
    for scope, status in ((Scope.REPORT, 200), (Scope.READ, 403)):
        text = await token(scope)
        for header in ({"authorization": f"Bearer {text}"}, {"x-api-key": text}):
            sender = httpx.AsyncClient(transport=client._transport, base_url="http://localhost", headers=header)
            async with sender:
                assert (await sender.post(LOGS, json={})).status_code == status


async def test_large_bodies_wait_or_are_sent_again(client: httpx.AsyncClient) -> None:
    """Many at once are read a few at a time; those that do not find room are told to come again."""
    record = {"body": {"stringValue": "x" * 200_000}}
    content = json.dumps(of_logs(record, session__id="s")).encode()
    answers = await asyncio.gather(*(client.post(LOGS, content=content, headers=JSON) for _ in range(40)))
    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, 503}
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert int(refused.headers["retry-after"]) > 0
    assert len(await events(client, (await runs(client))["s"])) == 2


async def test_the_server_ends_what_fell_silent(client: httpx.AsyncClient, services: Services, clock: Clock) -> None:
    """By itself, as soon as it runs."""
    await client.post(LOGS, content=sent("codex-logs"), headers=JSON)
    clock.forward_ms += IDLE_MS

    async def has_ended() -> bool:
        return bool((await runs(client))["r77"]["status"] == "STOPPED")

    server = Server(services, bounds=QUICK)
    await server.start()
    try:
        await eventually(has_ended)
    finally:
        await server.stop()
