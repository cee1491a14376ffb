"""Spans: stretches of a run that have a name, a beginning and an end, read from its events.

`span.start` and `span.end` say them outright; `tool.called` and `tool.result` make one for each call. Every spelling
that reporters use is understood, and a call without an id is paired by the tool's name, in order.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from agentrunner.domain.event import EventType, NewEvent
from agentrunner.domain.instant import MAX_INSTANT
from agentrunner.domain.state import Status

SPAN_START = "span.start"
SPAN_END = "span.end"
SPAN_TYPES = frozenset({SPAN_START, SPAN_END, EventType.TOOL_CALLED.value, EventType.TOOL_RESULT.value})
"""The types of the events that begin or end a span."""
MAX_SPANS = 10_000
"""How many spans a run may have; what begins after them is only an event."""
_MAX_TEXT = 500


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A span as stored; instants in milliseconds. `ended_at` is None while it lasts, `status` is ok or error."""

    run_id: int
    span_id: str
    parent_id: str | None
    name: str
    kind: str
    started_at: int
    ended_at: int | None
    status: str | None
    attrs: dict[str, Any]


class Begin(NamedTuple):
    """A span begins. Without `span_id` it gets one; without `parent_id` it belongs to the innermost open span."""

    span_id: str | None
    parent_id: str | None
    name: str
    kind: str
    attrs: dict[str, Any]
    at: int | None = None
    """When, in milliseconds, where the payload says it apart from the event's own time."""


class End(NamedTuple):
    """A span ends. Without `span_id` it is the oldest open call of the tool `name`."""

    span_id: str | None
    name: str
    status: str
    attrs: dict[str, Any]
    at: int | None = None


def read(event: NewEvent) -> Begin | End | None:
    """What an event says about spans; None for one that says nothing that could be understood."""
    reader = _READERS.get(event.type)
    if reader is None:
        return None
    try:
        payload = msgspec.json.decode(event.payload)
    except msgspec.DecodeError:
        return None
    found = reader(payload) if isinstance(payload, dict) else None
    if isinstance(found, End) and event.type == EventType.TOOL_RESULT and event.level == "error":
        found = found._replace(status="error")
    return found


def status_at_end(status: Status) -> str:
    """The status of a span that was still open when its run ended."""
    return "ok" if status is Status.COMPLETED else "error"


def _begin(payload: Mapping[str, Any]) -> Begin | None:
    span_id = _text(payload, "spanId", "span_id", "id")
    if span_id is None:
        return None
    parent_id = _text(payload, "parentSpanId", "parent_span_id", "parentId", "parent_id")
    name, kind = _text(payload, "name", "title") or span_id, _text(payload, "kind", "type") or "span"
    return Begin(span_id, parent_id, name, kind, _attrs(payload), _at(payload))


def _end(payload: Mapping[str, Any]) -> End | None:
    span_id = _text(payload, "spanId", "span_id", "id")
    return None if span_id is None else End(span_id, "", _status(payload), _attrs(payload), _at(payload))


def _called(payload: Mapping[str, Any]) -> Begin | None:
    call_id, name = _call(payload)
    if call_id is None and name is None:
        return None
    parent_id = _text(payload, "parentSpanId", "parent_span_id", "parent_call_id", "spanId", "span_id")
    return Begin(call_id, parent_id if parent_id != call_id else None, name or "tool", "tool", {})


def _result(payload: Mapping[str, Any]) -> End | None:
    call_id, name = _call(payload)
    return None if call_id is None and name is None else End(call_id, name or "", _status(payload), {})


def _call(payload: Mapping[str, Any]) -> tuple[str | None, str | None]:
    call_id = _text(payload, "toolCallId", "tool_call_id", "call_id", "callId", "tool_use_id", "id")
    return call_id, _text(payload, "name", "toolName", "tool_name", "tool")


def _text(payload: Mapping[str, Any], *names: str) -> str | None:
    for name in names:
        value = payload.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and (text := str(value).replace("\x00", "")):
            return text[:_MAX_TEXT]
    return None


def _at(payload: Mapping[str, Any]) -> int | None:
    value = payload.get("ts")
    is_instant = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MAX_INSTANT
    return round(value) if is_instant else None  # type: ignore[arg-type]


def _attrs(payload: Mapping[str, Any]) -> dict[str, Any]:
    value = payload.get("attrs", payload.get("attributes"))
    return value if isinstance(value, dict) else {}


def _status(payload: Mapping[str, Any]) -> str:
    said = payload.get("status")
    if isinstance(said, str) and said:
        return "error" if said.lower() in {"error", "failed", "failure", "timeout"} else said[:_MAX_TEXT]
    failed = any(payload.get(name) for name in ("is_error", "isError", "error"))
    return "error" if failed or any(payload.get(name) is False for name in ("ok", "success")) else "ok"


_READERS: dict[str, Callable[[Mapping[str, Any]], Begin | End | None]] = {
    SPAN_START: _begin,
    SPAN_END: _end,
    EventType.TOOL_CALLED: _called,
    EventType.TOOL_RESULT: _result,
}
