"""What the spans of a run say together: how long it took, along which chain, and where the time went.

Spans come from programs that may err: a parent that is its own descendant, an end before its beginning, or a day-long
call is left out of the sums and counted, never followed.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from agentrunner.domain.span import Span
from agentrunner.domain.usage import UsageSum

LONGEST_MS = 86_400_000
"""A span that lasts longer than a day was never ended by its program."""
MOST_SLOWEST = 10
MOST_ERRORS = 1000


class SpanTime(msgspec.Struct, frozen=True, kw_only=True):
    """A span and how long it took in milliseconds; None while it lasts."""

    span_id: str
    name: str
    kind: str
    duration_ms: int | None
    status: str


class Hotspot(msgspec.Struct, frozen=True, kw_only=True):
    """The spans of one kind: their time in all, and without what their children took; tokens and cost if known."""

    kind: str
    duration_ms: int
    self_ms: int
    spans: int
    errors: int
    total_tokens: int | None
    cost_usd: float | None


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """The summary. `critical_ms` is the time that the longest chain of nested spans covers, so at most `total_ms`.

    `strange` spans have an end before their beginning or last more than a day; `overfull` ones have children that
    together take longer than they do, as concurrent ones may.
    """

    total_ms: int = 0
    critical_ms: int = 0
    slowest: list[SpanTime] = []
    errors: list[SpanTime] = []
    hotspots: list[Hotspot] = []
    strange: int = 0
    overfull: int = 0


def summarize(spans: Sequence[Span], usage: Mapping[str, UsageSum], now: int) -> Trace:
    """The trace of a run; `usage` is by span, `now` the end of what still lasts."""
    if not spans:
        return Trace()
    known = {span.span_id: span for span in spans}
    children: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        if span.parent_id is not None:
            children[span.parent_id].append(span)
    selves = {span.span_id: _duration(span) - sum(map(_duration, children[span.span_id])) for span in spans}
    ends = [span.ended_at for span in spans if span.ended_at is not None]
    sane = [_time(span) for span in spans if span.ended_at is not None and not _is_strange(span)]
    return Trace(
        total_ms=max(0, (max(ends) if ends else now) - min(span.started_at for span in spans)),
        critical_ms=_critical(known, children),
        slowest=sorted(sane, key=lambda each: -(each.duration_ms or 0))[:MOST_SLOWEST],
        errors=[_time(span) for span in spans if span.status == "error"][:MOST_ERRORS],
        hotspots=_hotspots(spans, selves, usage),
        strange=sum(map(_is_strange, spans)),
        overfull=sum(selves[span.span_id] < 0 and _duration(span) > 0 for span in spans),
    )


def _is_strange(span: Span) -> bool:
    return span.ended_at is not None and not 0 <= span.ended_at - span.started_at <= LONGEST_MS


def _duration(span: Span) -> int:
    """Milliseconds; 0 for one that lasts or is strange."""
    return 0 if span.ended_at is None or _is_strange(span) else span.ended_at - span.started_at


def _time(span: Span) -> SpanTime:
    duration = None if span.ended_at is None else span.ended_at - span.started_at
    return SpanTime(
        span_id=span.span_id, name=span.name, kind=span.kind, duration_ms=duration, status=span.status or "ok"
    )


def _critical(known: Mapping[str, Span], children: Mapping[str, Sequence[Span]]) -> int:
    """The longest time that a chain from a root covers; what is only reached in a circle counts for nothing.

    Each span adds what it covers beyond its parents' end; without recursion, as chains may be as long as the list.
    """
    longest = 0
    todo = [(span, 0, span.started_at) for span in known.values() if span.parent_id not in known]
    while todo:
        span, covered, reached = todo.pop()
        if (length := _duration(span)) > 0:
            end = span.started_at + length
            covered += max(0, end - max(reached, span.started_at))
            reached = max(reached, end)
        longest = max(longest, covered)
        todo.extend((child, covered, reached) for child in children.get(span.span_id, ()))
    return longest


def _hotspots(spans: Sequence[Span], selves: Mapping[str, int], usage: Mapping[str, UsageSum]) -> list[Hotspot]:
    kinds: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        kinds[span.kind].append(span)
    found = [_hotspot(kind, members, selves, usage) for kind, members in kinds.items()]
    return sorted(found, key=lambda each: -each.duration_ms)


def _hotspot(kind: str, members: Sequence[Span], selves: Mapping[str, int], usage: Mapping[str, UsageSum]) -> Hotspot:
    used = [usage[span.span_id] for span in members if span.span_id in usage]
    costs = [each.cost_usd for each in used if each.cost_usd is not None]
    return Hotspot(
        kind=kind,
        duration_ms=sum(map(_duration, members)),
        self_ms=sum(max(0, selves[span.span_id]) for span in members),
        spans=len(members),
        errors=sum(span.status == "error" for span in members),
        total_tokens=sum(each.total_tokens for each in used) if used else None,
        cost_usd=sum(costs) if costs else None,
    )
