"""OTLP's JSON encoding: ids in hexadecimal, enums by number or name, 64-bit numbers as texts, unknown fields ignored.

Read by types of our own: protobuf's JSON reader takes ids as base64 and needs a second for what this reads in 20 ms.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from agentrunner.api.call import check_utf8
from agentrunner.domain.errors import BodyTooLarge
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

_MOST_OBJECTS = 400_000
_MAX_DEPTH = 6
_ID = re.compile(r"[0-9a-f]*[1-9a-f][0-9a-f]*")
_Number = int | float | str | None
_Value = dict[str, Any] | None


class KeyValue(msgspec.Struct, frozen=True, rename="camel"):
    """An attribute; its value is an object of one field that names its type."""

    key: str = ""
    value: _Value = None


_Pairs = list[KeyValue] | None


class Resource(msgspec.Struct, frozen=True, rename="camel"):
    """What sends."""

    attributes: _Pairs = None


class InstrumentationScope(msgspec.Struct, frozen=True, rename="camel"):
    """The part of a program that sends."""

    name: str | None = None


class SpanStatus(msgspec.Struct, frozen=True, rename="camel"):
    """How a span ended."""

    code: _Number = None
    message: str | None = None


class OtlpSpan(msgspec.Struct, frozen=True, rename="camel"):
    """A span, as far as it is read."""

    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    name: str | None = None
    start_time_unix_nano: _Number = None
    end_time_unix_nano: _Number = None
    attributes: _Pairs = None
    status: SpanStatus | None = None


class OtlpLogRecord(msgspec.Struct, frozen=True, rename="camel"):
    """A log record, as far as it is read."""

    time_unix_nano: _Number = None
    observed_time_unix_nano: _Number = None
    severity_number: _Number = None
    body: _Value = None
    attributes: _Pairs = None
    trace_id: str | None = None
    span_id: str | None = None
    event_name: str | None = None


class ScopeSpans(msgspec.Struct, frozen=True, rename="camel"):
    """Spans of one scope."""

    scope: InstrumentationScope | None = None
    spans: list[OtlpSpan] | None = None


class ScopeLogs(msgspec.Struct, frozen=True, rename="camel"):
    """Log records of one scope."""

    scope: InstrumentationScope | None = None
    log_records: list[OtlpLogRecord] | None = None


class ScopeMetrics(msgspec.Struct, frozen=True, rename="camel"):
    """Metrics of one scope."""

    metrics: list[dict[str, Any]] | None = None


class ResourceSpans(msgspec.Struct, frozen=True, rename="camel"):
    """Spans of one resource."""

    resource: Resource | None = None
    scope_spans: list[ScopeSpans] | None = None


class ResourceLogs(msgspec.Struct, frozen=True, rename="camel"):
    """Log records of one resource."""

    resource: Resource | None = None
    scope_logs: list[ScopeLogs] | None = None


class ResourceMetrics(msgspec.Struct, frozen=True, rename="camel"):
    """Metrics of one resource."""

    scope_metrics: list[ScopeMetrics] | None = None


class ExportTraces(msgspec.Struct, frozen=True, rename="camel"):
    """The body of `/v1/otlp/v1/traces`, as far as it is read."""

    resource_spans: list[ResourceSpans] | None = None


class ExportLogs(msgspec.Struct, frozen=True, rename="camel"):
    """The body of `/v1/otlp/v1/logs`, as far as it is read."""

    resource_logs: list[ResourceLogs] | None = None


class ExportMetrics(msgspec.Struct, frozen=True, rename="camel"):
    """The body of `/v1/otlp/v1/metrics`, as far as it is read."""

    resource_metrics: list[ResourceMetrics] | None = None


_traces = msgspec.json.Decoder(ExportTraces)
_logs = msgspec.json.Decoder(ExportLogs)
_metrics = msgspec.json.Decoder(ExportMetrics)


def read_traces(content: bytes) -> list[SpanRecord | None]:
    """The spans; None for one without ids. Raises msgspec.DecodeError, UnicodeDecodeError, BodyTooLarge."""
    _check(content)
    found: list[SpanRecord | None] = []
    for part in _traces.decode(content).resource_spans or ():
        resource = _resource(part.resource)
        for scope in part.scope_spans or ():
            _check_room(len(found), scope.spans)
            found += [_span(resource, _scope_name(scope.scope), span) for span in scope.spans or ()]
    return found


def read_logs(content: bytes) -> list[LogRecord | None]:
    """The log records. Raises msgspec.DecodeError, UnicodeDecodeError, BodyTooLarge."""
    _check(content)
    found: list[LogRecord | None] = []
    for part in _logs.decode(content).resource_logs or ():
        resource = _resource(part.resource)
        for scope in part.scope_logs or ():
            _check_room(len(found), scope.log_records)
            found += [_log(resource, _scope_name(scope.scope), record) for record in scope.log_records or ()]
    return found


def count_points(content: bytes) -> int:
    """How many data points a body of metrics has. Raises msgspec.DecodeError, UnicodeDecodeError, BodyTooLarge."""
    _check(content)
    found = 0
    for part in _metrics.decode(content).resource_metrics or ():
        for scope in part.scope_metrics or ():
            for metric in scope.metrics or ():
                points = [each.get("dataPoints") for each in metric.values() if isinstance(each, dict)]
                found += sum(len(each) for each in points if isinstance(each, list))
    return found


def _check(content: bytes) -> None:
    check_utf8(content)
    if content.count(b"{") + content.count(b"[") > _MOST_OBJECTS:
        raise BodyTooLarge(f"The body has more than {_MOST_OBJECTS} objects; send smaller batches.")


def _check_room(there: int, coming: list[Any] | None) -> None:
    if there + len(coming or ()) > MAX_RECORDS:
        raise BodyTooLarge(f"The body has more than {MAX_RECORDS} records; send smaller batches.")


def _resource(given: Resource | None) -> dict[str, Any]:
    return {} if given is None else resource_attributes(_pairs(given.attributes))


def _scope_name(given: InstrumentationScope | None) -> str:
    return printable(given.name) if given is not None and given.name else ""


def _span(resource: dict[str, Any], scope: str, given: OtlpSpan) -> SpanRecord | None:
    trace_id, span_id = _hex(given.trace_id, 32), _hex(given.span_id, 16)
    if not trace_id or not span_id:
        return None
    status = given.status or SpanStatus()
    return SpanRecord(
        resource=resource,
        scope=scope,
        name=printable(given.name or "span"),
        nanos=_whole(given.end_time_unix_nano),
        attributes=attributes(_pairs(given.attributes)),
        trace_id=trace_id,
        span_id=span_id,
        parent_id=_hex(given.parent_span_id, 16),
        start_nanos=_whole(given.start_time_unix_nano),
        failed=_number(status.code, Status.StatusCode) == Status.STATUS_CODE_ERROR,
        message=str(bounded(status.message or "")),
    )


def _log(resource: dict[str, Any], scope: str, given: OtlpLogRecord) -> LogRecord:
    found = attributes(_pairs(given.attributes))
    body = bounded(_plain(given.body))
    return LogRecord(
        resource=resource,
        scope=scope,
        name=event_name(given.event_name or "", found, body),
        nanos=_whole(given.time_unix_nano) or _whole(given.observed_time_unix_nano),
        attributes=found,
        trace_id=_hex(given.trace_id, 32),
        span_id=_hex(given.span_id, 16),
        severity=_number(given.severity_number, SeverityNumber),
        body=body,
    )


def _pairs(given: _Pairs) -> Iterator[tuple[str, Any]]:
    return ((pair.key, bounded(_plain(pair.value))) for pair in given or ())


def _plain(given: Any, depth: int = 0) -> Any:
    """The value of an AnyValue; None for none, and for one that is not what its field says."""
    if not isinstance(given, Mapping) or depth > _MAX_DEPTH:
        return None
    for name, value in given.items():
        if value is not None and (reader := _READERS.get(name)) is not None:
            return reader(value, depth)
    return None


def _list(value: Any, depth: int) -> Any:
    values = value.get("values") if isinstance(value, Mapping) else None
    return [_plain(each, depth + 1) for each in values] if isinstance(values, list) else []


def _map(value: Any, depth: int) -> Any:
    pairs = value.get("values") if isinstance(value, Mapping) else None
    found = [pair for pair in pairs if isinstance(pair, Mapping)] if isinstance(pairs, list) else []
    return {str(pair.get("key", "")): _plain(pair.get("value"), depth + 1) for pair in found}


def _double(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _bytes(value: Any) -> str | None:
    """Bytes stay the base64 that they are."""
    try:
        base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        return None
    return str(value)


_READERS: dict[str, Callable[[Any, int], Any]] = {
    "stringValue": lambda value, _: value if isinstance(value, str) else None,
    "boolValue": lambda value, _: value if isinstance(value, bool) else None,
    "intValue": lambda value, _: _whole(value, least=-(2**63)),
    "doubleValue": lambda value, _: _double(value),
    "arrayValue": _list,
    "kvlistValue": _map,
    "bytesValue": lambda value, _: _bytes(value),
}


def _whole(value: Any, least: int = 0) -> int:
    """A 64-bit number, which may be written as text; 0 for anything else."""
    try:
        found = int(value or 0)
    except (TypeError, ValueError, OverflowError):
        return 0
    return min(max(found, least), 2**63 - 1)


def _number(value: _Number, enum: Any) -> int:
    """An enum by number or by name; 0 for one that is not known."""
    if isinstance(value, str) and not value.isdigit():
        return int(enum.Value(value)) if value in enum.keys() else 0
    return min(_whole(value), 100)


def _hex(value: str | None, length: int) -> str:
    found = (value or "").lower()
    return found if len(found) == length and _ID.fullmatch(found) else ""
