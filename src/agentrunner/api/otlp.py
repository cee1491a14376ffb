"""OTLP over HTTP: telemetry of agents that we did not start, and of those that we did, as JSON or protobuf.

The paths are those that exporters make of the endpoint `http://HOST:PORT/v1/otlp`. What names no run is answered as
`partial_success`, what is to be sent again as 503 with Retry-After; errors are problem documents as everywhere.
"""

import zlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from agentrunner.api import otlp_json, otlp_protobuf, query
from agentrunner.api.call import JSON, Call
from agentrunner.api.context import Context
from agentrunner.api.otlp_json import ExportLogs, ExportMetrics, ExportTraces
from agentrunner.api.routes import Raw
from agentrunner.domain.errors import BodyTooLarge, InvalidField, InvalidRequest, UnsupportedMediaType
from agentrunner.domain.telemetry import LogRecord, SpanRecord
from agentrunner.domain.token import Scope
from agentrunner.engine import telemetry

T = TypeVar("T")

BODY_BYTES = 8 * 1024 * 1024
"""The largest body, before and after it is inflated."""
PROTOBUF = b"application/x-protobuf"
_INFLATION = 32
"""How much larger gzip is taken to be inside, before anybody knows."""
_MOST_MEMBERS = 16
_NO_RUN = (
    "have no ids, are too large or name no run: "
    "set `run.id` or `session.id` as a resource attribute, or send GenAI attributes"
)


class PartialTraces(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """How many spans were not taken, and why; a 64-bit number is a text in this encoding."""

    rejected_spans: str = "0"
    error_message: str = ""


class PartialLogs(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """How many log records were not taken, and why."""

    rejected_log_records: str = "0"
    error_message: str = ""


class TracesAnswer(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The answer to spans; empty where all were taken."""

    partial_success: PartialTraces | None = None


class LogsAnswer(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The answer to log records; empty where all were taken."""

    partial_success: PartialLogs | None = None


class MetricsAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to metrics, always empty."""


async def traces(context: Context, call: Call, _: str) -> None:
    """`POST /v1/otlp/v1/traces`."""
    is_json = _check(call)
    reader = otlp_json.read_traces if is_json else otlp_protobuf.read_traces
    rejected = await _take(context, await _read(context, call, reader))
    message = f"{rejected} spans {_NO_RUN}." if rejected else ""
    partial = PartialTraces(rejected_spans=str(rejected), error_message=message) if rejected else None
    await _answer(call, TracesAnswer(partial_success=partial) if is_json else ("traces", rejected, message))


async def logs(context: Context, call: Call, _: str) -> None:
    """`POST /v1/otlp/v1/logs`."""
    is_json = _check(call)
    reader = otlp_json.read_logs if is_json else otlp_protobuf.read_logs
    rejected = await _take(context, await _read(context, call, reader))
    message = f"{rejected} log records {_NO_RUN}." if rejected else ""
    partial = PartialLogs(rejected_log_records=str(rejected), error_message=message) if rejected else None
    await _answer(call, LogsAnswer(partial_success=partial) if is_json else ("logs", rejected, message))


async def metrics(context: Context, call: Call, _: str) -> None:
    """`POST /v1/otlp/v1/metrics`: counted and not kept, for they repeat in sums what spans and logs tell."""
    is_json = _check(call)
    points = await _read(context, call, otlp_json.count_points if is_json else otlp_protobuf.count_points)
    context.figures.telemetry.labels("metrics").inc(points)
    await _answer(call, MetricsAnswer() if is_json else ("metrics", 0, ""))


async def _take(context: Context, found: Sequence[LogRecord | SpanRecord | None]) -> int:
    """Store what was read; answers how many records were not taken."""
    records = [record for record in found if record is not None]
    done = await telemetry.take(context.services, records)
    for signal, kind in (("traces", SpanRecord), ("logs", LogRecord)):
        if count := sum(isinstance(record, kind) for record in records):
            context.figures.telemetry.labels(signal).inc(count)
    context.figures.reported.inc(done.fresh)
    return len(found) - done.accepted


def _check(call: Call) -> bool:
    """True for JSON, False for protobuf. Raises UnsupportedMediaType."""
    query.check(call.scope["query_string"], (), ())
    kind = call.media_type()
    if kind not in (JSON.decode(), PROTOBUF.decode()):
        raise UnsupportedMediaType(
            f"OTLP is taken as application/json or application/x-protobuf, not {kind[:100]!r}: "
            "set OTEL_EXPORTER_OTLP_PROTOCOL to http/json or http/protobuf."
        )
    return kind == JSON.decode()


async def _read(context: Context, call: Call, reader: Callable[[bytes], T]) -> T:
    encoding = (call.header(b"content-encoding") or "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise UnsupportedMediaType(f"The body is encoded as {encoding[:100]!r}; send it plain or as gzip.")
    content = await call.body(BODY_BYTES)
    try:
        with call.decoding():
            if encoding == "identity":
                return await context.readers.read(reader, content, len(content))
            size = len(content) * _INFLATION
            return await context.readers.read(lambda packed: reader(_inflated(packed)), content, size)
    except InvalidField as error:
        # The protocol knows one status for what cannot be read.
        raise InvalidRequest(error.detail) from error


def _inflated(packed: bytes) -> bytes:
    """The inside of gzip, of several members one behind the other. Raises InvalidRequest, BodyTooLarge."""
    found: list[bytes] = []
    room = BODY_BYTES
    while packed:
        if len(found) == _MOST_MEMBERS:
            raise BodyTooLarge(f"The body is gzip of more than {_MOST_MEMBERS} members; send one.")
        member = zlib.decompressobj(wbits=31)
        try:
            found.append(member.decompress(packed, room + 1))
        except zlib.error as error:
            raise InvalidRequest("The body is not gzip, as its content-encoding says.") from error
        room -= len(found[-1])
        if room < 0:
            raise BodyTooLarge(f"The body is larger than {BODY_BYTES} bytes once inflated; send smaller batches.")
        if not member.eof:
            raise InvalidRequest("The body is gzip that ends early.")
        packed = member.unused_data
    return b"".join(found)


async def _answer(call: Call, found: msgspec.Struct | tuple[str, int, str]) -> None:
    if isinstance(found, tuple):
        await call.answer(otlp_protobuf.answer(*found), kind=PROTOBUF)
    else:
        await call.json(found)


def _route(signal: str, serve: Any, body: Any, answer: Any, summary: str) -> Raw:
    return Raw(
        "POST",
        f"/v1/otlp/v1/{signal}",
        Scope.REPORT,
        serve,
        summary,
        bodies={"application/json": body, "application/x-protobuf": bytes},
        answers={200: answer},
    )


ROUTES = [
    _route("traces", traces, ExportTraces, TracesAnswer, "Take spans (OTLP): they become runs, spans and usage"),
    _route("logs", logs, ExportLogs, LogsAnswer, "Take log records (OTLP): they become runs, events and usage"),
    _route("metrics", metrics, ExportMetrics, MetricsAnswer, "Take metrics (OTLP): they are counted, not kept"),
]
