"""Use cases of events: what workers record, what reporters send, what people read and follow."""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from agentrunner.domain.control import MAX_STATE_BYTES, Offsets, Outcome, Part, RecordAnswer, RecordRequest, States
from agentrunner.domain.errors import InvalidField, InvalidRequest, OffsetMismatch, StaleEpoch
from agentrunner.domain.event import TURN_TYPES, Event, EventType, NewEvent
from agentrunner.domain.retry import delay_before_next
from agentrunner.domain.run import Run, Usage
from agentrunner.domain.span import SPAN_TYPES
from agentrunner.domain.state import Cause, Desired, OnLost, Phase, Reason, Status
from agentrunner.engine import samples
from agentrunner.engine.change import Change, append, ending_event
from agentrunner.engine.runs import EXTERNAL, ended, find, locked
from agentrunner.engine.schedule import requeue
from agentrunner.engine.services import Services
from agentrunner.engine.wakeups import run_topic
from agentrunner.store import attempts, events, inputs
from agentrunner.store.attempts import Attempt
from agentrunner.store.base import Tx

T = TypeVar("T")

PAGE = 1000
"""How many events one read of a follower takes."""
HEARTBEAT_S = 15.0
MAX_TYPE = 200


async def record(s: Services, request: RecordRequest) -> RecordAnswer:
    """Store output and facts of an attempt, then perhaps its end; all or none, and twice is once.

    Raises StaleEpoch where the attempt is somebody else's or over, OffsetMismatch (with the stored offsets and states)
    where a part does not continue what is stored.
    """
    _check(request)
    return await s.db.write(_record, request, s.clock())


def _check(request: RecordRequest) -> None:
    for part in request.parts:
        if part.end < part.start or part.start < 0:
            raise InvalidField(f"`parts`: {part.stream} goes from {part.start} to {part.end}.")
        if part.end == part.start and part.events and request.outcome is None:
            raise InvalidField("`parts`: events without bytes are taken only together with `outcome`.")
        if len(bytes(part.state)) > MAX_STATE_BYTES:
            raise InvalidField(f"`parts`: the state of {part.stream} is larger than {MAX_STATE_BYTES} bytes.")
        for event in part.events:
            is_fact = event.type in _FACTS
            if (is_fact and part.stream != "journal") or (event.type.startswith("run.") and not is_fact):
                raise InvalidField(f"`parts`: a worker does not send {event.type!r}; the server writes it.")


async def _record(tx: Tx, request: RecordRequest, now: int) -> RecordAnswer:
    run = await locked(tx, request.run_id)
    attempt = await _owned_attempt(tx, run, request)
    if attempt.ended_at is not None and not request.late:
        if all(part.end <= getattr(attempt.offsets, part.stream) for part in request.parts):
            return _answer(run, attempt.offsets, attempt.states, ended=True)
        raise StaleEpoch(f"Attempt {attempt.number} of run {run.id} is over; send what is left as late.", ended=True)
    change = Change(run, now)
    offsets, states = await _store_parts(tx, change, attempt, request)
    if (offsets, states) != (attempt.offsets, attempt.states):
        await attempts.store_streams(tx, attempt, offsets, states)
    if request.outcome is not None and not request.late:
        if request.outcome.sizes != offsets:
            raise _mismatch("`outcome` is taken only once all output is stored.", attempt)
        await _finish(tx, change, attempt, request.outcome)
    run = await change.save(tx)
    over = attempt.ended_at is not None or request.outcome is not None
    return _answer(run, offsets, states, ended=over)


async def _owned_attempt(tx: Tx, run: Run, request: RecordRequest) -> Attempt:
    attempt = await attempts.get(tx, run.id, request.attempt)
    if attempt is None or attempt.uid != request.uid or attempt.worker_id != request.worker_id:
        raise StaleEpoch(f"Attempt {request.attempt} of run {run.id} is not this worker's.")
    if attempt.ended_at is None and (request.late or request.epoch != run.epoch):
        raise StaleEpoch(f"Run {run.id} has epoch {run.epoch} by now; {request.epoch} is over.")
    return attempt


def _answer(run: Run, offsets: Offsets, states: States, *, ended: bool) -> RecordAnswer:
    return RecordAnswer(offsets=offsets, states=states, status=run.status, last_seq=run.last_seq, ended=ended)


def _mismatch(detail: str, attempt: Attempt) -> OffsetMismatch:
    """What is stored, that is without the parts of this request before the wrong one: they are undone with it."""
    return OffsetMismatch(detail, offsets=msgspec.to_builtins(attempt.offsets), states=attempt.states)


async def _store_parts(tx: Tx, change: Change, attempt: Attempt, request: RecordRequest) -> tuple[Offsets, States]:
    offsets, states = attempt.offsets, attempt.states
    for part in request.parts:
        stored = getattr(offsets, part.stream)
        if part.end <= stored and part.start < part.end:
            continue
        if part.start != stored:
            raise _mismatch(f"{part.stream} is stored up to {stored}, not {part.start}.", attempt)
        if request.late:
            for event in part.events:
                change.emit(event, late=True, attempt=attempt.number)
        else:
            await _apply(tx, change, part)
        offsets = msgspec.structs.replace(offsets, **{part.stream: part.end})
        states = msgspec.structs.replace(states, **{part.stream: part.state})
    return offsets, states


async def _apply(tx: Tx, change: Change, part: Part) -> None:
    """The events of one part, and what they change."""
    if part.stream != "journal" and part.events and change.run.phase is Phase.STARTING:
        change.enter(Phase.WORKING)
    for event in part.events:
        if event.type in _FACTS:
            await _FACTS[event.type](tx, change, event)
        else:
            change.emit(event)
            _total(change, event)


class _Fact(msgspec.Struct, frozen=True):
    """The fields of a fact that change a run."""

    revision: int = 0
    id: int = 0


async def _started(tx: Tx, change: Change, event: NewEvent) -> None:
    change.emit(event)
    run = change.run
    await attempts.start(tx, run.id, run.attempt, change.now, event.payload)
    change.set(started_at=run.started_at or change.now)
    if run.phase is Phase.PREPARING:
        change.enter(Phase.STARTING)


async def _paused(tx: Tx, change: Change, event: NewEvent) -> None:
    if change.run.status is Status.RUNNING:
        change.move(Cause.PAUSED, event)
        change.enter(Phase.STOPPING if change.run.desired is Desired.STOP else None)
    else:
        change.emit(event)
    _note_answer(change, event)


async def _resumed(tx: Tx, change: Change, event: NewEvent) -> None:
    if change.run.status is Status.PAUSED:
        change.move(Cause.RESUMED, event)
        change.enter(Phase.STOPPING if change.run.desired is Desired.STOP else Phase.WORKING)
    else:
        change.emit(event)
    _note_answer(change, event)


def _note_answer(change: Change, event: NewEvent) -> None:
    revision = _read(event, _Fact).revision
    change.set(answered=max(change.run.answered, min(revision, change.run.revision)))


async def _delivered(tx: Tx, change: Change, event: NewEvent) -> None:
    change.emit(event)
    await inputs.deliver(tx, change.run.id, _read(event, _Fact).id, change.now)


_FACTS: dict[str, Callable[[Tx, Change, NewEvent], Any]] = {
    EventType.RUN_STARTED: _started,
    EventType.RUN_PAUSED: _paused,
    EventType.RUN_RESUMED: _resumed,
    EventType.INPUT_DELIVERED: _delivered,
}


class _Cost(msgspec.Struct, frozen=True):
    usd: float = 0.0


def _add_usage(change: Change, event: NewEvent) -> None:
    change.set(usage=change.run.usage.plus(_read(event, Usage)))


def _add_cost(change: Change, event: NewEvent) -> None:
    change.set(cost_usd=(change.run.cost_usd or 0.0) + _read(event, _Cost).usd)


def _add_turn(change: Change, _: NewEvent) -> None:
    change.set(turns=change.run.turns + 1)


_TOTALS: dict[str, Callable[[Change, NewEvent], None]] = {
    EventType.USAGE: _add_usage,
    EventType.COST: _add_cost,
    **dict.fromkeys(TURN_TYPES, _add_turn),
}
_CHANGING = _TOTALS.keys() | SPAN_TYPES
"""Types of events that change more than the timeline."""


def _total(change: Change, event: NewEvent) -> None:
    if event.type in _TOTALS:
        _TOTALS[event.type](change, event)


def _read(event: NewEvent, kind: type[T]) -> T:
    """What an event's payload says, in a known form. Raises InvalidField."""
    try:
        return msgspec.json.decode(event.payload, type=kind)
    except msgspec.DecodeError as error:
        raise InvalidField(f"`payload` of {event.type!r}: {error}") from error


_CAUSES = {Status.COMPLETED: Cause.COMPLETED, Status.FAILED: Cause.FAILED, Status.STOPPED: Cause.STOPPED}


async def _finish(tx: Tx, change: Change, attempt: Attempt, outcome: Outcome) -> None:
    """End the attempt, and with it the run, unless its policy tries again."""
    run = change.run
    cause = _CAUSES.get(outcome.status)
    if cause is None or (cause is Cause.FAILED and outcome.reason is None):
        raise InvalidField("`outcome` needs a terminal status, and a reason where it is FAILED.")
    await attempts.end(tx, run.id, attempt.number, change.now, (outcome.status, outcome.reason, outcome.exit_code))
    await samples.finish(tx, run.id, attempt.number, outcome.used)
    payload = _outcome_payload(change, attempt, outcome)
    delay = _delay_before_next(run, outcome)
    if delay is not None:
        more = {"next_attempt": run.attempt + 1, "delay_s": delay}
        requeue(change, ending_event(Cause.RETRIED, outcome.reason, **payload, **more), delay)
        return
    fields = ended(change.now, outcome.reason, outcome.message)
    event = ending_event(cause, outcome.reason, **payload)
    change.move(cause, event, exit_code=outcome.exit_code, signal=outcome.signal, answered=run.revision, **fields)


def _delay_before_next(run: Run, outcome: Outcome) -> float | None:
    """Seconds until the next attempt, None where this end is the run's."""
    if outcome.status is not Status.FAILED or outcome.reason is None or outcome.final or run.desired is Desired.STOP:
        return None
    if outcome.reason is Reason.WORKER_LOST and run.on_lost is OnLost.RETRY:
        return 0.0
    return delay_before_next(run.retry, run.attempt, outcome.reason)


def _outcome_payload(change: Change, attempt: Attempt, outcome: Outcome) -> dict[str, Any]:
    payload: dict[str, Any] = {**outcome.details, "attempt": attempt.number}
    payload |= {"exit_code": outcome.exit_code, "signal": outcome.signal, "message": outcome.message}
    if attempt.started_at is not None:
        payload["duration_ms"] = change.now - attempt.started_at
    return payload


class Ingested(NamedTuple):
    """What became of reported events: how many were new, how many known already, and the run's last `seq`."""

    accepted: int
    duplicates: int
    last_seq: int


async def ingest(s: Services, run_id: int, reported: Sequence[NewEvent]) -> Ingested:
    """Store events that a reporter sends; all or none. An external run is ended by `run.completed`, `run.failed`
    or `run.error`.

    Raises RunNotFound, InvalidField, InvalidRequest.
    """
    for event in reported:
        if not 0 < len(event.type) <= MAX_TYPE or "\x00" in event.type or "\x00" in (event.producer or ""):
            raise InvalidField(f"`type` has 1 to {MAX_TYPE} characters; neither it nor `producer` contains NUL.")
    try:
        return await s.db.write(_ingest, run_id, reported, s.clock())
    except UnicodeDecodeError as error:
        raise InvalidField("`payload` is not UTF-8.") from error


async def _ingest(tx: Tx, run_id: int, reported: Sequence[NewEvent], now: int) -> Ingested:
    if all(map(_is_plain, reported)) and (last_seq := await append(tx, run_id, reported, now)) is not None:
        return Ingested(len(reported), 0, last_seq)
    run = await locked(tx, run_id)
    fresh = await _unknown(tx, run_id, reported)
    change = Change(run, now)
    for event in fresh:
        _ingest_one(change, event)
    run = await change.save(tx)
    return Ingested(len(fresh), len(reported) - len(fresh), run.last_seq)


async def ingest_in(tx: Tx, run_id: int, reported: Sequence[NewEvent], now: int) -> Ingested:
    """The same as a part of a larger transaction; the caller has made the events. Raises RunNotFound."""
    return await _ingest(tx, run_id, reported, now)


def _is_plain(event: NewEvent) -> bool:
    """True for an event that is stored as it is, whatever is stored already, and changes nothing of its run."""
    is_anonymous = event.producer is None and event.client_seq is None
    return is_anonymous and event.type not in _CHANGING and not event.type.startswith("run.")


async def _unknown(tx: Tx, run_id: int, reported: Sequence[NewEvent]) -> list[NewEvent]:
    """The events that are not stored yet, by producer and client_seq."""
    asked: dict[str, list[int]] = {}
    for event in reported:
        if (event.producer is None) != (event.client_seq is None):
            raise InvalidField("`producer` and `client_seq` go together.")
        if event.producer is not None and event.client_seq is not None:
            asked.setdefault(event.producer, []).append(event.client_seq)
    seen = {(name, seq) for name, seqs in asked.items() for seq in await events.known(tx, run_id, name, seqs)}
    fresh: list[NewEvent] = []
    for event in reported:
        key = (event.producer, event.client_seq)
        if event.producer is None or key not in seen:
            fresh.append(event)
            seen.add(key)  # type: ignore[arg-type]
    return fresh


RUN_ERROR = "run.error"
"""How many reporters say that their run has failed; it is kept as they say it."""
_ENDS: dict[str, Cause] = {
    EventType.RUN_COMPLETED.value: Cause.COMPLETED,
    EventType.RUN_FAILED.value: Cause.FAILED,
    RUN_ERROR: Cause.FAILED,
}


def _ingest_one(change: Change, event: NewEvent) -> None:
    if change.status.is_terminal:
        change.emit(event, late=True)
        return
    cause = _ENDS.get(event.type)
    if event.type.startswith("run.") and (change.run.backend != EXTERNAL or cause is None):
        raise InvalidRequest(f"{event.type!r} is not for reporters: the server writes it.")
    if cause is None:
        change.emit(event)
        _total(change, event)
        return
    message = _read(event, object)
    text = message.get("message") if isinstance(message, dict) else None
    reason = Reason.EXIT_NONZERO if cause is Cause.FAILED else None
    change.move(cause, event, **ended(change.now, reason, str(text)[:10_000] if text is not None else None))


async def page(s: Services, run_id: int, after: int, limit: int, types: Sequence[str] = ()) -> list[Event]:
    """The events of a run behind `seq` `after`. Raises RunNotFound."""
    return await s.db.read(_page, run_id, after, limit, types)


async def _page(tx: Tx, run_id: int, after: int, limit: int, types: Sequence[str]) -> list[Event]:
    found = await events.page(tx, run_id, after, limit, types)
    if not found:
        await find(tx, run_id)
    return found


async def seq_at(s: Services, run_id: int, event_id: int) -> int:
    """The cursor `seq` behind which are a run's events with a greater id than this, be it of another run or of none.

    0 where every event that is there has one, so that whoever follows from it is told what is gone. Raises RunNotFound.
    """
    return await s.db.read(_seq_at, run_id, event_id)


async def _seq_at(tx: Tx, run_id: int, event_id: int) -> int:
    run = await find(tx, run_id)
    return await events.seq_at(tx, run_id, event_id, run.last_seq) if event_id > 0 else 0


async def last(s: Services, run_id: int, count: int) -> list[Event]:
    """The last events of a run."""
    return await s.db.read(events.last, run_id, count)


async def _page_and_run(tx: Tx, run_id: int, after: int) -> tuple[list[Event], Run]:
    return await events.page(tx, run_id, after, PAGE), await find(tx, run_id)


async def follow(s: Services, run_id: int, after: int) -> AsyncGenerator[tuple[list[Event], Run], None]:
    """The events of a run behind `after`, as they come, each batch with the run as it then was.

    An empty batch comes at least every 15 s. Ends once the run is terminal and every event was given. The subscription
    is there before the first read, and run and events are read in one snapshot, so nothing falls between.
    """
    with s.wakeups.subscribe(run_topic(run_id)) as subscription:
        while True:
            batch, run = await s.db.read(_page_and_run, run_id, after)
            if batch:
                after = batch[-1].seq
            done = run.status.is_terminal and after >= run.last_seq
            yield batch, run
            if done:
                return
            if len(batch) < PAGE and after >= run.last_seq:
                await subscription.wait(HEARTBEAT_S)
