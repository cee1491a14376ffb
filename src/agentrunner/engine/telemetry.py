"""Use cases of telemetry: spans and log records find their run, become its events, spans and usage, and end it.

A record belongs to the run that `run.id` names, else to its conversation's, else to its trace's. Conversations and
traces that nobody reported before get a run of backend `external`; no record says that a conversation is over, so such
a run ends once nothing more was heard of it. Of a run that a worker supervises the agent's own output is the record:
telemetry is shown beside it and adds no usage.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from agentrunner.domain.errors import NameTaken
from agentrunner.domain.event import EventType, NewEvent
from agentrunner.domain.report import OURS, message_of
from agentrunner.domain.run import NewRun, Run
from agentrunner.domain.span import MAX_SPANS, Span
from agentrunner.domain.state import Cause, Reason
from agentrunner.domain.telemetry import LogRecord, SpanRecord
from agentrunner.domain.telemetry_joining import TRACE, Group, agent_of, external_id_of, goal_of, group, title_of
from agentrunner.domain.telemetry_reading import call_id_of, counted, is_noise, shown, spans_of, told, usage_events
from agentrunner.engine import events, runs
from agentrunner.engine.change import Change, ending_event
from agentrunner.engine.services import Services
from agentrunner.process.redaction import Redactor
from agentrunner.store import runs as stored_runs
from agentrunner.store import spans, telemetry
from agentrunner.store.base import Tx
from agentrunner.store.telemetry import Source

IDLE_MS = 30 * 60_000
"""A run that telemetry began ends when it was silent for so long."""
SETTLE_MS = 10_000
"""The same once the root span of its trace has ended: other processes may be about to send theirs."""
FORGET_MS = 24 * 3_600_000
"""A trace that belongs to another's run is remembered for so long."""
EVERY_S = 5.0
"""How often somebody looks which runs are over."""
MOST_NEW = 100
"""How many runs one request may begin."""
_TURN = (EventType.ERROR.value, EventType.USAGE.value, EventType.MESSAGE.value)
_MOST_TOGETHER = 1000
"""Records of one transaction: more would keep other writers waiting for more than 50 ms."""
_PIECE = 100
_MOST_DIGITS = 18
"""Of an id."""


@dataclass(frozen=True, slots=True)
class Taken:
    """How many records found a run, how many did not, and of those that did how many were new."""

    accepted: int
    rejected: int
    fresh: int


class _Told(NamedTuple):
    fresh: int
    began: bool


async def take(s: Services, records: Sequence[LogRecord | SpanRecord]) -> Taken:
    """Store the records of one request: up to 1,000 of a run in one transaction; sent twice they are stored once."""
    groups, rejected = group(records)
    fresh, room = 0, MOST_NEW
    for found in (piece for each in groups for piece in each.pieces(_MOST_TOGETHER)):
        done = await _take_group(s, found, room)
        if done is None:
            rejected += len(found.records)
        else:
            fresh += done.fresh
            room -= done.began
    return Taken(len(records) - rejected, rejected, fresh)


async def _take_group(s: Services, found: Group, room: int) -> _Told | None:
    redact = await _redaction(s, found)
    try:
        return await s.db.write(_take, s, found, redact, room > 0, s.clock())
    except NameTaken:
        # Another server process has begun the same run meanwhile: now it is there.
        return await s.db.write(_take, s, found, redact, room > 0, s.clock())


async def _redaction(s: Services, found: Group) -> Callable[[bytes], bytes] | None:
    """What hides the secrets of the run that records belong to: their program has them in its environment."""
    run = await s.db.read(_known, found)
    if run is None or not run.has_secrets:
        return None
    return (await asyncio.to_thread(lambda: Redactor(s.secrets.get(run.id).values()))).redact


async def _take(
    tx: Tx, s: Services, found: Group, redact: Callable[[bytes], bytes] | None, may_begin: bool, now: int
) -> _Told | None:
    run, began = await _find(tx, s, found, now), False
    if run is None:
        if not (found.is_of_an_agent and may_begin) or OURS.match(external_id_of(found)):
            return None
        run, began = await _begin(tx, s, found, now), True
    fresh = await _store(tx, run, found, redact, now)
    await _remember(tx, run, found, now)
    return _Told(fresh, began)


async def _find(tx: Tx, s: Services, found: Group, now: int) -> Run | None:
    run = await _known(tx, found)
    return None if run is None else await _going_on(tx, s, run, found, now)


async def _known(tx: Tx, found: Group) -> Run | None:
    """The run that there is for these records."""
    if found.run_name and (run := await _named(tx, found.run_name)) is not None:
        return run
    for name in () if found.has_name else found.names:
        source = await telemetry.get(tx, name)
        if source is not None and (run := await stored_runs.get(tx, source.run_id)) is not None:
            return run
    return await stored_runs.by_external_id(tx, external_id_of(found))


async def _named(tx: Tx, name: str) -> Run | None:
    """The run that `run.id` names: by its id, else by the id that a client chose."""
    if name.isascii() and name.isdigit() and len(name) <= _MOST_DIGITS:
        run = await stored_runs.get(tx, int(name))
        if run is not None:
            return run
    return await stored_runs.by_external_id(tx, name)


async def _going_on(tx: Tx, s: Services, run: Run, found: Group, now: int) -> Run:
    """The run itself; the one after it where it was given up and its conversation went on after that."""
    is_later = run.ended_at is not None and min(record.ts for record in found.records) > run.ended_at
    if not (is_later and _is_begun_here(run) and (found.session or found.run_name)):
        return run
    following = f"{external_id_of(found)[:150]}#{run.id}"
    after = await stored_runs.by_external_id(tx, following)
    return await _begin(tx, s, found, now, following) if after is None else await _going_on(tx, s, after, found, now)


def _is_begun_here(run: Run) -> bool:
    return run.backend == runs.EXTERNAL and "telemetry" in run.metadata


async def _begin(tx: Tx, s: Services, found: Group, now: int, external_id: str | None = None) -> Run:
    agent, version = agent_of(found)
    request = NewRun(
        backend=runs.EXTERNAL,
        goal=goal_of(found),
        title=title_of(found),
        agent=agent,
        agent_version=version,
        external_id=external_id or external_id_of(found),
        metadata={"telemetry": found.origin},
    )
    run = await runs.add(tx, s, request, now)
    change = Change(await runs.locked(tx, run.id), now)
    began = (record.started if isinstance(record, SpanRecord) else record.ts for record in found.records)
    change.set(started_at=min(now, *(ts or now for ts in began)))
    return await change.save(tx)


def _heard(found: Group, now: int) -> int:
    """The time of the latest record: nothing happens in the future, and what has no time happened now."""
    return max(min(record.ts or now, now) for record in found.records)


async def _store(tx: Tx, run: Run, found: Group, redact: Callable[[bytes], bytes] | None, now: int) -> int:
    reported = [_timely(event, redact, now) for event in _events(run, found)]
    before = await _spans_of_calls(tx, run.id, found.records)
    ingested = await events.ingest_in(tx, run.id, reported, now)
    for span in before:
        # A span tells more of a call than the log record of its end, and may have come before.
        await spans.put(tx, span)
    await _put_spans(tx, run, spans_of(run.id, found.records), redact, now)
    return ingested.accepted


def _events(run: Run, found: Group) -> Iterator[NewEvent]:
    """What the timeline gets, tokens right behind the record that told of them."""
    is_supervised = run.backend != runs.EXTERNAL
    used = {} if is_supervised else {record.identity: usage for record, usage in counted(found.records)}
    for record in found.records:
        if not is_noise(record):
            yield from [shown(record)] if is_supervised else told(record)
        if (usage := used.get(record.identity)) is not None:
            yield from usage_events(record, usage)


async def _spans_of_calls(tx: Tx, run_id: int, records: Sequence[LogRecord | SpanRecord]) -> list[Span]:
    """The spans that are there already of the calls that log records tell of."""
    ids = dict.fromkeys(call_id_of(record) for record in records if isinstance(record, LogRecord))
    return [span for call_id in ids if call_id and (span := await spans.get(tx, run_id, call_id)) is not None]


def _timely(event: NewEvent, redact: Callable[[bytes], bytes] | None, now: int) -> NewEvent:
    """Nothing has happened in the future, whatever a clock says; secrets are hidden."""
    payload = event.payload if redact is None else msgspec.Raw(_hidden(bytes(event.payload), redact))
    return msgspec.structs.replace(event, ts=min(event.ts or now, now), payload=payload)


def _hidden(content: bytes, redact: Callable[[bytes], bytes]) -> bytes:
    hidden = redact(content)
    if hidden is content:
        return content
    try:
        msgspec.json.decode(hidden)
    except msgspec.DecodeError:
        # A secret that is a number leaves a text where JSON has no quotes.
        return b'{"redacted":true}'
    return hidden


async def _put_spans(
    tx: Tx, run: Run, found: Sequence[Span], redact: Callable[[bytes], bytes] | None, now: int
) -> None:
    """Spans of a run that a worker supervises never replace those that its own output has told."""
    if not found:
        return
    room = MAX_SPANS - await spans.count(tx, run.id)
    for span in found:
        known = await spans.get(tx, run.id, span.span_id)
        if known is None and room <= 0:
            continue
        room -= known is None
        if known is None or run.backend == runs.EXTERNAL:
            ended_at = min(span.ended_at or now, now)
            started_at = min(span.started_at or ended_at, ended_at)
            span = msgspec.structs.replace(span, ended_at=ended_at, started_at=started_at)
            await spans.put(tx, span if redact is None else _hidden_span(span, redact))


def _hidden_span(span: Span, redact: Callable[[bytes], bytes]) -> Span:
    attrs = msgspec.json.decode(_hidden(msgspec.json.encode(span.attrs), redact), type=dict[str, Any])
    return msgspec.structs.replace(span, name=redact(span.name.encode()).decode(), attrs=attrs)


async def _remember(tx: Tx, run: Run, found: Group, now: int) -> None:
    """Whose run the names are, from when on it counts as given up, and which of them ends it."""
    heard = _heard(found, now)
    ends = _is_begun_here(run) and not run.status.is_terminal
    made: list[Source] = []
    for index, name in enumerate(found.names):
        before = await telemetry.get(tx, name)
        latest = heard if before is None or before.run_id != run.id else max(heard, before.heard_at)
        is_trace = name.startswith(TRACE)
        if ends and index == 0:
            settled = is_trace and await telemetry.root_status(tx, run.id) is not None
            made.append(Source(name, run.id, True, latest, now + (SETTLE_MS if settled else IDLE_MS)))
        else:
            made.append(Source(name, run.id, False, latest, now + FORGET_MS if is_trace else None))
    await telemetry.put(tx, made)


async def expire(s: Services) -> None:
    """End the runs of which nothing more was heard, and forget old traces; called every few seconds."""
    now = s.clock()
    for name in await s.db.read(telemetry.due, now, _PIECE):
        await s.db.write(_expire, name, now)


async def _expire(tx: Tx, name: str, now: int) -> None:
    source = await telemetry.get(tx, name)
    run = None if source is None else await stored_runs.lock(tx, source.run_id)
    # Asked again behind the lock: whoever had it may have heard of the run.
    source = await telemetry.get(tx, name)
    if source is None or source.due_at is None or source.due_at > now:
        return
    if run is not None and source.ends and not run.status.is_terminal:
        await _end(tx, run, min(source.heard_at, now))
    if (name.startswith(TRACE) and not source.ends) or run is None:
        await telemetry.delete(tx, name)
    else:
        forget = now + FORGET_MS if name.startswith(TRACE) else None
        await telemetry.put(tx, [source._replace(ends=False, due_at=forget)])


async def _end(tx: Tx, run: Run, at: int) -> None:
    """End a run as its last records tell, at their time; where they do not tell it is only stopped being waited for."""
    change = Change(run, max(at, run.started_at or 0))
    root, last = await telemetry.root_status(tx, run.id), await telemetry.last_of(tx, run.id, _TURN)
    if root == "error" or (last is not None and last[0] == EventType.ERROR):
        # Others may tell of this run too: their `error` has any payload.
        said = message_of(msgspec.json.decode(last[1])) if last and last[0] == EventType.ERROR else None
        text = said or "The last root span of its telemetry ended with an error."
        cause, reason = Cause.FAILED, Reason.EXIT_NONZERO
    elif root is not None:
        cause, reason, text = Cause.COMPLETED, None, None
    else:
        cause, reason, text = Cause.STOPPED, None, "Its telemetry fell silent; nothing in it says how it ended."
    event = ending_event(cause, reason, message=text, by="telemetry")
    change.move(cause, event, **runs.ended(change.now, reason, text))
    await change.save(tx)
