"""Spans are derived from events in the transaction that stores them, and end with their run."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from agentrunner.domain.event import NewEvent
from agentrunner.domain.run import Run
from agentrunner.domain.span import MAX_SPANS, Begin, End, Span, read, status_at_end
from agentrunner.store import spans
from agentrunner.store.base import Tx


class Told(NamedTuple):
    """An event that may begin or end a span, with its `seq` and its time in milliseconds."""

    seq: int
    ts: int
    event: NewEvent


async def derive(tx: Tx, run_id: int, told: Sequence[Told]) -> None:
    """Begin and end the spans that some new events of a run tell of."""
    room = MAX_SPANS - await spans.count(tx, run_id)
    for item in told:
        found = read(item.event)
        if found is not None and found.at is not None:
            item = item._replace(ts=found.at)
        if isinstance(found, Begin) and room > 0:
            await _begin(tx, run_id, item, found)
            room -= 1
        elif isinstance(found, End):
            await _end(tx, run_id, item, found, room > 0)


async def _begin(tx: Tx, run_id: int, item: Told, begin: Begin) -> None:
    span_id = begin.span_id or f"call-{item.seq}"
    parent_id = begin.parent_id or await spans.innermost(tx, run_id)
    span = Span(
        run_id=run_id,
        span_id=span_id,
        parent_id=parent_id if parent_id != span_id else None,
        name=begin.name,
        kind=begin.kind,
        started_at=item.ts,
        ended_at=None,
        status=None,
        attrs=begin.attrs,
    )
    known = await spans.get(tx, run_id, span_id)
    if known is not None and known.ended_at is not None:
        # Its end came first, as reports of concurrent calls may, or it is told again; neither opens it anew.
        started = min(known.started_at, item.ts)
        span = msgspec.structs.replace(span, started_at=started, ended_at=known.ended_at, status=known.status)
    elif known is not None:
        span = msgspec.structs.replace(span, started_at=known.started_at)
    await spans.put(tx, span)


async def _end(tx: Tx, run_id: int, item: Told, end: End, has_room: bool) -> None:
    if end.span_id is None:
        known = await spans.oldest_call(tx, run_id, end.name)
    else:
        known = await spans.get(tx, run_id, end.span_id)
    if known is None:
        if end.span_id is not None and has_room:
            await spans.put(tx, _unbegun(run_id, item, end, end.span_id))
        return
    if known.ended_at is None:
        attrs = {**known.attrs, **end.attrs}
        ended_at = max(item.ts, known.started_at)
        await spans.put(tx, msgspec.structs.replace(known, ended_at=ended_at, status=end.status, attrs=attrs))


def _unbegun(run_id: int, item: Told, end: End, span_id: str) -> Span:
    """A span of which only the end is known so far."""
    return Span(
        run_id=run_id,
        span_id=span_id,
        parent_id=None,
        name=end.name or span_id,
        kind="tool" if end.name else "span",
        started_at=item.ts,
        ended_at=item.ts,
        status=end.status,
        attrs=end.attrs,
    )


async def close(tx: Tx, run: Run, now: int) -> None:
    """End what is open of a run that has just ended."""
    await spans.close(tx, run.id, now, status_at_end(run.status))
