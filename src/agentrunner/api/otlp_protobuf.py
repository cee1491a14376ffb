"""OTLP's protobuf encoding.

The outer messages are taken apart by hand and each record is parsed alone: two bytes of a request can stand for a
message that takes two hundred in memory, so one of 8 MiB parsed as a whole would take 700 MB.
"""

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_service
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_service
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from agentrunner.domain.errors import BodyTooLarge, InvalidRequest
from agentrunner.domain.telemetry import (
    MAX_RECORDS,
    LogRecord,
    SpanRecord,
    attributes,
    bounded,
    printable,
    resource_attributes,
)
from agentrunner.domain.telemetry_names import event_name

MAX_RECORD_BYTES = 1024 * 1024
_MAX_DEPTH = 6
_MAX_ITEMS = 128
_BROKEN = "The body is not the protobuf message that this address takes."
_RESPONSES: dict[str, tuple[Any, str]] = {
    "traces": (trace_service.ExportTraceServiceResponse, "rejected_spans"),
    "logs": (logs_service.ExportLogsServiceResponse, "rejected_log_records"),
    "metrics": (metrics_service.ExportMetricsServiceResponse, "rejected_data_points"),
}
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def read_traces(content: bytes) -> list[SpanRecord | None]:
    """The spans; None for one without ids or of more than 1 MiB. Raises InvalidRequest, BodyTooLarge."""
    return [
        _span(resource, scope, _parsed(trace_pb2.Span, raw)) if len(raw) <= MAX_RECORD_BYTES else None
        for resource, scope, raw in _records(content)
    ]


def read_logs(content: bytes) -> list[LogRecord | None]:
    """The log records; None for one of more than 1 MiB. Raises InvalidRequest, BodyTooLarge."""
    return [
        _log(resource, scope, _parsed(logs_pb2.LogRecord, raw)) if len(raw) <= MAX_RECORD_BYTES else None
        for resource, scope, raw in _records(content)
    ]


def count_points(content: bytes) -> int:
    """How many data points a body of metrics has; of a metric of more than 1 MiB none. The same errors."""
    found = 0
    for _, _, raw in _records(content):
        metric = _parsed(metrics_pb2.Metric, raw) if len(raw) <= MAX_RECORD_BYTES else metrics_pb2.Metric()
        kind = metric.WhichOneof("data")
        found += len(getattr(metric, kind).data_points) if kind else 0
    return found


def answer(signal: str, rejected: int, message: str) -> bytes:
    """The response of a signal; a count and a message where something was rejected."""
    kind, field = _RESPONSES[signal]
    response = kind()
    if rejected:
        setattr(response.partial_success, field, rejected)
        response.partial_success.error_message = message
    return bytes(response.SerializeToString())


def _records(content: bytes) -> Iterator[tuple[dict[str, Any], str, bytes]]:
    """Each record's bytes with its resource and scope; the numbers are the same for every signal."""
    count = 0
    for part in _fields(memoryview(content), 1):
        resource = _resource(part)
        for scoped in _fields(part, 2):
            scope = _scope_name(scoped)
            for raw in _fields(scoped, 2):
                count += 1
                if count > MAX_RECORDS:
                    raise BodyTooLarge(f"The body has more than {MAX_RECORDS} records; send smaller batches.")
                yield resource, scope, bytes(raw)


def _resource(part: memoryview) -> dict[str, Any]:
    for raw in _fields(part, 1):
        if len(raw) <= MAX_RECORD_BYTES:
            return resource_attributes(_pairs(_parsed(Resource, bytes(raw)).attributes))
    return {}


def _scope_name(part: memoryview) -> str:
    for raw in _fields(part, 1):
        if len(raw) <= MAX_RECORD_BYTES:
            return printable(_parsed(InstrumentationScope, bytes(raw)).name)
    return ""


def _parsed(kind: type[Message], raw: bytes) -> Any:
    try:
        return kind.FromString(raw)
    except DecodeError as error:
        raise InvalidRequest(_BROKEN) from error


def _fields(data: memoryview, wanted: int) -> Iterator[memoryview]:
    """The contents of every field `wanted` of a message, which is a message itself. Raises InvalidRequest."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if number == 0 or kind not in (_VARINT, _FIXED64, _LENGTH, _FIXED32):
            raise InvalidRequest(_BROKEN)
        if kind == _LENGTH:
            size, at = _varint(data, at)
            end = at + size
        elif kind == _VARINT:
            end = _varint(data, at)[1]
        else:
            end = at + (8 if kind == _FIXED64 else 4)
        if end > len(data) or (number == wanted and kind != _LENGTH):
            raise InvalidRequest(_BROKEN)
        if number == wanted:
            yield data[at:end]
        at = end


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number and where it ends."""
    found = 0
    for index, byte in enumerate(data[at : at + 10]):
        found |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return found, at + index + 1
    raise InvalidRequest(_BROKEN)


def _span(resource: dict[str, Any], scope: str, given: Any) -> SpanRecord | None:
    trace_id, span_id = _id(given.trace_id, 16), _id(given.span_id, 8)
    if not trace_id or not span_id:
        return None
    return SpanRecord(
        resource=resource,
        scope=scope,
        name=printable(given.name or "span"),
        nanos=given.end_time_unix_nano,
        attributes=attributes(_pairs(given.attributes)),
        trace_id=trace_id,
        span_id=span_id,
        parent_id=_id(given.parent_span_id, 8),
        start_nanos=given.start_time_unix_nano,
        failed=given.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        message=str(bounded(given.status.message)),
    )


def _log(resource: dict[str, Any], scope: str, given: Any) -> LogRecord:
    found = attributes(_pairs(given.attributes))
    body = bounded(_plain(given.body))
    return LogRecord(
        resource=resource,
        scope=scope,
        name=event_name(given.event_name, found, body),
        nanos=given.time_unix_nano or given.observed_time_unix_nano,
        attributes=found,
        trace_id=_id(given.trace_id, 16),
        span_id=_id(given.span_id, 8),
        severity=given.severity_number,
        body=body,
    )


def _pairs(given: Any) -> Iterator[tuple[str, Any]]:
    return ((pair.key, bounded(_plain(pair.value))) for pair in given)


def _plain(given: Any, depth: int = 0) -> Any:
    kind = given.WhichOneof("value")
    if kind is None or depth > _MAX_DEPTH:
        return None
    value = getattr(given, kind)
    if kind == "array_value":
        return [_plain(each, depth + 1) for each in value.values[:_MAX_ITEMS]]
    if kind == "kvlist_value":
        return {pair.key: _plain(pair.value, depth + 1) for pair in value.values[:_MAX_ITEMS]}
    return value.hex() if kind == "bytes_value" else value


def _id(value: bytes, length: int) -> str:
    return value.hex() if len(value) == length and any(value) else ""
