"""Use cases of programs that run elsewhere and report here under names of their own: begin, tell, amend, look.

A run is begun by whatever is first told of it. What a program says and what follows from it (the end, spans, usage)
is one transaction; a run that has ended stays as it ended, and what comes later is kept flagged.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from agentrunner.domain.errors import (
    BackendUnsupported,
    InvalidField,
    InvalidRequest,
    InvalidTransition,
    NameTaken,
    RunNotFound,
)
from agentrunner.domain.event import EventType, SurfaceEvent
from agentrunner.domain.finished import AHEAD_MS
from agentrunner.domain.report import (
    COMPLETED,
    ERROR,
    MAX_NAME,
    OURS,
    RUNNING,
    Amendment,
    NewReport,
    Report,
    Said,
    message_of,
    with_word,
)
from agentrunner.domain.run import NewRun, Run
from agentrunner.domain.span import SPAN_TYPES
from agentrunner.domain.state import Cause, Reason
from agentrunner.domain.usage import USAGE_REPORT, read
from agentrunner.engine import repeats, usage
from agentrunner.engine.change import Change
from agentrunner.engine.events import MAX_TYPE
from agentrunner.engine.runs import EXTERNAL, add, ended, find, locked
from agentrunner.engine.services import Services
from agentrunner.engine.wakeups import RUNS_TOPIC, run_topic
from agentrunner.store import events, reported, reports, runs
from agentrunner.store.base import Tx
from agentrunner.store.reported import Reported

SURFACE = "ops"
"""How the rows of these runs are marked."""
_ENDS = {
    EventType.RUN_COMPLETED.value: Cause.COMPLETED,
    EventType.RUN_FAILED.value: Cause.FAILED,
    EventType.RUN_STOPPED.value: Cause.STOPPED,
    "run.error": Cause.FAILED,
    EventType.ERROR.value: Cause.FAILED,
}
_REASONS = {Cause.FAILED: Reason.EXIT_NONZERO, Cause.STOPPED: Reason.STOPPED_BY_USER}
_OURS_TO_SAY = {cause.event_type for cause in Cause} - _ENDS.keys()
"""Types by which the server tells of a status; of a reporter they are kept under another name."""
_CHANGING = _ENDS.keys() | SPAN_TYPES | {USAGE_REPORT}


async def begin(s: Services, new: NewReport, key: str | None = None) -> Report:
    """Begin to report a run; one of this name that is there is amended, and left as it is where it has ended.

    The same `key` with the same request answers the same run. Raises InvalidField, BackendUnsupported,
    IdempotencyMismatch.
    """
    if new.name is not None:
        _check_name(new.name)
    return await s.db.write(_begin, s, new, key, s.clock())


def _check_name(name: str) -> None:
    if not 0 < len(name) <= MAX_NAME or "/" in name or not name.isprintable():
        raise InvalidField(f"`id` has 1 to {MAX_NAME} printable characters, none of them a slash.")


async def _begin(tx: Tx, s: Services, new: NewReport, key: str | None, now: int) -> Report:
    if (before := await repeats.known(tx, key, ("report", new), now)) is not None:
        return await _report(tx, await find(tx, before[0]))
    name = new.name or f"run-{now}-{s.new_uid()[:9]}"
    known = await _locked(tx, name) if new.name else None
    if known is not None:
        _check_reported(known)
    report = known or await _created(tx, s, name, new, now)
    if not report.is_over:
        title = new.title if known else None
        report = await _amended(tx, report, Amendment(title=title, status=new.status), now, new.started_at)
    await repeats.remember(tx, key, [report.run.id])
    return report


async def _created(tx: Tx, s: Services, name: str, new: NewReport, now: int) -> Report:
    if OURS.match(name):
        raise RunNotFound(f"There is no run {name!r}; names of this form are given out by the server alone.")
    request = NewRun(backend=EXTERNAL, external_id=name, title=new.title or f"Run {name}")
    try:
        run = await add(tx, s, request, now)
    except NameTaken:
        # Somebody else has begun it since we looked; the name is visible now.
        report = await _locked(tx, name)
        assert report is not None
        return report
    await reported.put(tx, Reported(run_id=run.id, surface=SURFACE, status=RUNNING))
    return Report(run=run, said=Said())


async def _locked(tx: Tx, name: str) -> Report | None:
    """The run of a name, to be changed in this transaction."""
    run_id = await _id_of(tx, name)
    return None if run_id is None else await _report(tx, await locked(tx, run_id))


async def _id_of(tx: Tx, name: str) -> int | None:
    if (ours := OURS.match(name)) is None:
        found = await runs.by_external_id(tx, name)
        return None if found is None else found.id
    run = await runs.get(tx, int(ours[1]))
    return None if run is None or run.external_id is not None else run.id


async def _report(tx: Tx, run: Run) -> Report:
    row = await reported.get(tx, run.id)
    return Report(run=run, said=_said(row))


def _said(row: Reported | None) -> Said | None:
    return None if row is None or row.surface != SURFACE else Said(status=row.status, error=row.error)


class Told(NamedTuple):
    """What became of events: how many were stored, and id and time (ms) of the last of them."""

    stored: int
    event_id: int
    ts: int


async def tell(s: Services, name: str, told: Sequence[SurfaceEvent], key: str | None = None) -> Told:
    """Store what a program tells of its run, with all that follows; all or none. An unknown run is begun by it.

    The same `key` with the same events stores them once. Raises InvalidField, InvalidRequest (for `run.` types of a run
    that is executed here), IdempotencyMismatch.
    """
    _check_name(name)
    for event in told:
        if not 0 < len(event.type) <= MAX_TYPE or "\x00" in event.type:
            raise InvalidField(f"`type` has 1 to {MAX_TYPE} characters and contains no NUL.")
    try:
        return await s.db.write(_tell, s, name, told, key, s.clock())
    except UnicodeDecodeError as error:
        raise InvalidField("`payload` is not UTF-8.") from error


async def _tell(tx: Tx, s: Services, name: str, told: Sequence[SurfaceEvent], key: str | None, now: int) -> Told:
    is_plain = key is None and OURS.match(name) is None and all(map(_is_plain, told))
    if is_plain and (found := await reports.advance(tx, name, len(told))) is not None:
        return await _append(tx, found, told, now)
    if (before := await repeats.known(tx, key, ("told", name, told), now)) is not None:
        return Told(*before)
    report = await _locked(tx, name) or await _created(tx, s, name, NewReport(), now)
    change = Change(report.run, now)
    for event in told:
        await _tell_one(tx, change, event)
    run = await change.save(tx)
    (last,) = await events.page(tx, run.id, run.last_seq - 1, 1)
    done = Told(len(told), last.id, last.ts)
    await repeats.remember(tx, key, done)
    return done


def _is_plain(event: SurfaceEvent) -> bool:
    """True for an event that changes nothing of its run, whoever executes it."""
    return event.type not in _CHANGING and not event.type.startswith("run.")


async def _append(tx: Tx, at: reports.Advanced, told: Sequence[SurfaceEvent], now: int) -> Told:
    """Store events that change nothing but the timeline: no row is read for them."""
    first = at.last_seq - len(told) + 1
    rows = [
        events.row(event, (at.run_id, seq, at.attempt), now if event.ts is None else event.ts)
        for seq, event in enumerate(told, first)
    ]
    await events.insert(tx, rows[:-1])
    event_id = await events.insert_one(tx, rows[-1])
    tx.after_commit(run_topic(at.run_id))
    return Told(len(told), event_id, now if told[-1].ts is None else told[-1].ts)


async def _tell_one(tx: Tx, change: Change, event: SurfaceEvent) -> None:
    if change.status.is_terminal:
        change.emit(event, late=True)
        return
    is_ours = change.run.backend != EXTERNAL
    if is_ours and event.type.startswith("run."):
        raise InvalidRequest(f"Run {change.run.id} is executed here: {event.type!r} is not for others to say.")
    if (cause := _ENDS.get(event.type)) is not None and not is_ours:
        _end(change, cause, event)
        return
    change.emit(_renamed(event, f"reported.{event.type[4:]}") if event.type in _OURS_TO_SAY else event)
    if (report := read(event, change.run.last_seq)) is not None:
        await usage.count(tx, change, report)


def _renamed(event: SurfaceEvent, type: str) -> SurfaceEvent:
    """The same under another type, its own being kept beside it."""
    return msgspec.structs.replace(event, type=type, extra=with_word(event.extra, event.type))


def _end(change: Change, cause: Cause, event: SurfaceEvent) -> None:
    if event.type != cause.event_type:
        event = _renamed(event, cause.event_type)
    try:
        message = message_of(msgspec.json.decode(event.payload))
    except msgspec.DecodeError:
        message = None
    at = max(change.now, change.run.started_at or 0)
    change.move(cause, event, **ended(at, _REASONS.get(cause), message if cause is not Cause.COMPLETED else None))


async def amend(s: Services, name: str, wanted: Amendment) -> Report:
    """Change what is said of a run. Raises RunNotFound, InvalidTransition (another end), BackendUnsupported."""
    _check_name(name)
    return await s.db.write(_amend, name, wanted, s.clock())


async def _amend(tx: Tx, name: str, wanted: Amendment, now: int) -> Report:
    report = await _locked(tx, name)
    if report is None:
        raise RunNotFound
    _check_reported(report)
    return await _amended(tx, report, wanted, now)


def _check_reported(report: Report) -> None:
    """Refuse a run that no program reports, also where nothing is to change: the answer would tell a reporter of it."""
    if report.run.backend != EXTERNAL:
        raise BackendUnsupported(f"Run {report.run.id} is executed here; it is not for reporters to change.")


async def _amended(tx: Tx, report: Report, wanted: Amendment, now: int, started_at: int | None = None) -> Report:
    if wanted == Amendment() and started_at is None:
        return report
    run = report.run
    if report.is_over and wanted.status not in (None, report.status):
        raise InvalidTransition(f"Run {report.name!r} is over: {report.status}.", current=run.status)
    change = Change(run, now)
    if started_at is not None and started_at > now + AHEAD_MS:
        # It could only end behind that, and would be among what ended last until then.
        started_at = now
    fields = {"title": wanted.title, "metadata": wanted.metadata, "started_at": started_at}
    change.set(**{field: value for field, value in fields.items() if value is not None})
    if not report.is_over and wanted.status in (COMPLETED, ERROR):
        cause = Cause.COMPLETED if wanted.status == COMPLETED else Cause.FAILED
        _end(change, cause, _ending(wanted))
    run = await change.save(tx)
    return msgspec.structs.replace(report, run=run, said=await _keep(tx, run, wanted))


def _ending(wanted: Amendment) -> SurfaceEvent:
    """The event of an end of which only the status was said."""
    if wanted.status == COMPLETED:
        return SurfaceEvent(type=EventType.RUN_COMPLETED)
    payload = msgspec.Raw(msgspec.json.encode({"message": wanted.error} if wanted.error else {}))
    return SurfaceEvent(type="run.error", payload=payload, level="error")


async def _keep(tx: Tx, run: Run, wanted: Amendment) -> Said | None:
    """Remember what the program said, word for word; what another surface keeps of a run is left to it."""
    row = await reported.get(tx, run.id) or Reported(run_id=run.id, surface=SURFACE, status=RUNNING)
    if row.surface != SURFACE:
        return None
    status = row.status if wanted.status is None else wanted.status
    error = row.error if wanted.error is None else wanted.error or None
    if (status, error) != (row.status, row.error):
        await reported.put(tx, msgspec.structs.replace(row, status=status, error=error))
        tx.after_commit(RUNS_TOPIC)
    return Said(status=status, error=error)


async def get(s: Services, name: str) -> Report | None:
    """The run of a name; None where there is none. Raises InvalidField for what can be no name."""
    _check_name(name)
    return await s.db.read(_get, name)


async def _get(tx: Tx, name: str) -> Report | None:
    run_id = await _id_of(tx, name)
    return None if run_id is None else await _report(tx, await find(tx, run_id))


async def page(s: Services, before: int | None, limit: int) -> list[Report]:
    """The newest runs below an id, whoever executes them, the newest first."""
    return await s.db.search(_page, before, limit)


async def _page(tx: Tx, before: int | None, limit: int) -> list[Report]:
    found = [runs.of_row(row) for row in await runs.page(tx, {}, before, limit)]
    if not found:
        return []
    said = await reported.between(tx, SURFACE, found[-1].id, found[0].id)
    return [Report(run=run, said=_said(said.get(run.id))) for run in found]
