"""The Agent Ops surface on the wire: what its clients send, and how they read runs, events, spans, usage and traces.

Fields that are not known are left out; names are in camel case; instants of runs and events are RFC 3339, those of
spans milliseconds.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from agentrunner.domain.errors import InvalidField
from agentrunner.domain.event import Event, SurfaceEvent
from agentrunner.domain.instant import MAX_INSTANT, parse_rfc3339, rfc3339
from agentrunner.domain.report import Extra, Report, extra_of
from agentrunner.domain.span import Span
from agentrunner.domain.trace import Hotspot, SpanTime, Trace
from agentrunner.domain.usage import RunUsage, UsageSum

Text = Annotated[str, Meta(max_length=500)]
Label = Annotated[str, Meta(max_length=200)] | int | None
Time = int | float | Annotated[str, Meta(max_length=40)] | None
_encoder = msgspec.json.Encoder()


class OpsNewRun(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A run to report. `id` is the program's own name for it; unknown fields are ignored."""

    id: Annotated[str, Meta(max_length=200)] | None = None
    title: Text | None = None
    started_at: Time = None
    status: Text | None = None


class OpsAmendment(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to change of a run; `metadata` is replaced whole."""

    title: Text | None = None
    status: Text | None = None
    error_message: Annotated[str, Meta(max_length=10_000)] | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType | None = UNSET


class OpsNewEvent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An event to tell. `ts` is RFC 3339 or milliseconds; unknown fields are ignored."""

    type: Annotated[str, Meta(min_length=1, max_length=200)]
    payload: msgspec.Raw = msgspec.Raw(b"{}")
    ts: Time = None
    level: Annotated[str, Meta(max_length=50)] | None = None
    agent_id: Label = None
    task_id: Label = None


class OpsCreatedRun(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A run that was begun."""

    id: str
    title: str
    started_at: str
    status: str


class OpsRun(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A run. `status` is `running`, `completed`, `error`, or what its program said while it goes on."""

    id: str
    title: str
    started_at: str
    status: str
    ended_at: str | None = None
    error_message: str | None = None
    metadata: dict[str, Any] | None = None


class OpsEvent(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An event. `id` is a number as text; it rises within a run and is what `after` and `Last-Event-ID` take."""

    id: str
    run_id: str
    ts: str
    type: str
    level: str
    agent_id: str | None = None
    task_id: str | None = None
    payload: msgspec.Raw


class OpsTold(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of several events: how many were stored, and the id of the last."""

    accepted: int
    last_id: str


class OpsSpan(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A span; milliseconds since 1970."""

    span_id: str
    run_id: str
    parent_span_id: str | None = None
    name: str
    kind: str
    start_ts: int
    end_ts: int | None = None
    status: str | None = None
    attrs: dict[str, Any] | None = None


class OpsUsageSum(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Tokens and dollars; `costUsd` is null where no cost is known."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    cost_usd: float | None
    model: str | UnsetType = UNSET
    source: str | UnsetType = UNSET
    confidence: str | float | UnsetType = UNSET


class OpsUsage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a run used, in all and by span."""

    totals: OpsUsageSum
    by_span: dict[str, OpsUsageSum]


class OpsSpanTime(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A span and how long it took."""

    span_id: str
    name: str
    kind: str
    duration_ms: int | None
    status: str


class OpsHotspot(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The time of the spans of one kind."""

    kind: str
    total_duration_ms: int
    span_count: int
    error_count: int
    total_tokens: int | UnsetType = UNSET
    cost_usd: float | UnsetType = UNSET


class OpsSelfHotspot(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The time of the spans of one kind without that of their children."""

    kind: str
    total_self_ms: int
    span_count: int
    error_count: int
    total_tokens: int | UnsetType = UNSET
    cost_usd: float | UnsetType = UNSET


class OpsAnomalies(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How many spans could not be added up."""

    duration_anomalies: int | UnsetType = UNSET
    self_time_clamped_spans: int | UnsetType = UNSET


class OpsTrace(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How long a run took, along which chain, and where the time went."""

    total_duration_ms: int
    critical_path_ms: int
    slowest_spans: list[OpsSpanTime]
    error_spans: list[OpsSpanTime]
    hotspots_by_kind: list[OpsHotspot]
    hotspots_by_kind_self: list[OpsSelfHotspot]
    anomaly_counts: OpsAnomalies | UnsetType = UNSET


def instant(value: Time, name: str) -> int | None:
    """Milliseconds of what a client sent, None where it sent none. Raises InvalidField."""
    if not value:
        return None
    try:
        ms = parse_rfc3339(value) if isinstance(value, str) else round(value)
    except (ValueError, OverflowError) as error:
        raise InvalidField(f"`{name}`: {value!r} is neither RFC 3339 nor milliseconds since 1970.") from error
    if not 0 <= ms <= MAX_INSTANT:
        raise InvalidField(f"`{name}`: {value!r} is not between the years 1970 and 9999.")
    return ms


def told(event: OpsNewEvent) -> SurfaceEvent:
    """An event for the engine; a null payload is an empty one. Raises InvalidField."""
    extra = None
    if event.agent_id or event.task_id:
        extra = _encoder.encode(Extra(agent_id=_label(event.agent_id), task_id=_label(event.task_id))).decode()
    return SurfaceEvent(
        type=event.type,
        payload=msgspec.Raw(b"{}") if event.payload == b"null" else event.payload,
        level=_without_nul(event.level, "level") or "info",
        ts=instant(event.ts, "ts"),
        extra=extra,
    )


def _label(value: Label) -> str | None:
    return _without_nul(str(value), "agentId") if value else None


def _without_nul(text: str | None, name: str) -> str | None:
    if text is not None and "\x00" in text:
        raise InvalidField(f"`{name}` contains a NUL character; leave it out.")
    return text


def created(report: Report) -> OpsCreatedRun:
    """The answer to beginning a run."""
    full = run(report)
    return OpsCreatedRun(id=full.id, title=full.title, started_at=full.started_at, status=full.status)


def run(report: Report) -> OpsRun:
    """A run."""
    found = report.run
    return OpsRun(
        id=report.name,
        title=found.title,
        started_at=rfc3339(found.created_at if found.started_at is None else found.started_at),
        status=report.status,
        ended_at=None if found.ended_at is None else rfc3339(found.ended_at),
        error_message=report.error,
        metadata=report.metadata or None,
    )


def event(found: Event, name: str, word: str) -> bytes:
    """An event of the run `name`, told in the word that its reporter knows."""
    extra = extra_of(found)
    shown = OpsEvent(
        id=str(found.id),
        run_id=name,
        ts=rfc3339(found.ts),
        type=word,
        level=found.level,
        agent_id=extra.agent_id,
        task_id=extra.task_id,
        payload=found.payload,
    )
    return _encoder.encode(shown)


def span(found: Span, name: str) -> OpsSpan:
    """A span of the run `name`."""
    return OpsSpan(
        span_id=found.span_id,
        run_id=name,
        parent_span_id=found.parent_id,
        name=found.name,
        kind=found.kind,
        start_ts=found.started_at,
        end_ts=found.ended_at,
        status=found.status,
        attrs=found.attrs or None,
    )


def usage(found: RunUsage) -> OpsUsage:
    """What a run used."""
    by_span = {span_id: _sum(each) for span_id, each in found.by_span.items()}
    return OpsUsage(totals=_sum(found.totals), by_span=by_span)


def _sum(found: UsageSum) -> OpsUsageSum:
    confidence: Any = UNSET if found.confidence is None else msgspec.json.decode(found.confidence)
    return OpsUsageSum(
        input_tokens=found.input_tokens,
        output_tokens=found.output_tokens,
        total_tokens=found.total_tokens,
        cost_usd=found.cost_usd,
        model=found.model or UNSET,
        source=found.source or UNSET,
        confidence=confidence,
    )


def trace(found: Trace) -> OpsTrace:
    """A trace; the hotspots come twice, the longest first each time."""
    by_self = sorted(found.hotspots, key=lambda each: -each.self_ms)
    counts = OpsAnomalies(duration_anomalies=found.strange or UNSET, self_time_clamped_spans=found.overfull or UNSET)
    return OpsTrace(
        total_duration_ms=found.total_ms,
        critical_path_ms=found.critical_ms,
        slowest_spans=[_span_time(each) for each in found.slowest],
        error_spans=[_span_time(each) for each in found.errors],
        hotspots_by_kind=[
            OpsHotspot(kind=each.kind, total_duration_ms=each.duration_ms, **_counts(each)) for each in found.hotspots
        ],
        hotspots_by_kind_self=[
            OpsSelfHotspot(kind=each.kind, total_self_ms=each.self_ms, **_counts(each)) for each in by_self
        ],
        anomaly_counts=counts if found.strange or found.overfull else UNSET,
    )


def _span_time(found: SpanTime) -> OpsSpanTime:
    return OpsSpanTime(
        span_id=found.span_id, name=found.name, kind=found.kind, duration_ms=found.duration_ms, status=found.status
    )


def _counts(found: Hotspot) -> Mapping[str, Any]:
    return {
        "span_count": found.spans,
        "error_count": found.errors,
        "total_tokens": UNSET if found.total_tokens is None else found.total_tokens,
        "cost_usd": UNSET if found.cost_usd is None else found.cost_usd,
    }
