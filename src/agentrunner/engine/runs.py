"""Use cases of runs: create, look at, wish for, retry."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from agentrunner.domain.errors import (
    BackendUnsupported,
    InvalidField,
    InvalidTransition,
    LimitUnsupported,
    NameTaken,
    RunNotFound,
    TooManyRequests,
)
from agentrunner.domain.event import EventType, NewEvent, new_event
from agentrunner.domain.project import Project
from agentrunner.domain.recording import REPLAY
from agentrunner.domain.report import OURS
from agentrunner.domain.run import RESOURCE_LIMITS, NewRun, Run, Usage, split_secrets, title_of
from agentrunner.domain.state import ACTIVE, TRANSITIONS, Cause, Desired, Hold, Phase, Reason, Status
from agentrunner.domain.worker import lacking
from agentrunner.engine import repeats
from agentrunner.engine.agents import belong
from agentrunner.engine.change import Change, counter_changes, ending_event
from agentrunner.engine.projects import find as find_project
from agentrunner.engine.replays import resolve
from agentrunner.engine.services import Services
from agentrunner.engine.wakeups import QUEUE_TOPIC, RUNS_TOPIC, worker_topic
from agentrunner.store import runs, stats, workers
from agentrunner.store.base import Tx
from agentrunner.store.query import plan_of
from agentrunner.store.runs import RunRow

EXTERNAL = "external"
"""The backend of runs that other programs report."""


class Wished(NamedTuple):
    """A run after a wish; `is_fact` is true where nothing is outstanding."""

    run: Run
    is_fact: bool


async def create(s: Services, requests: Sequence[NewRun], key: str | None = None) -> list[Run]:
    """Create all runs or none. The same `key` with the same requests answers the same runs.

    Raises InvalidField, BadOptions, ProjectNotFound, LimitUnsupported, IdempotencyMismatch, TooManyRequests.
    """
    for request in requests:
        _check(s, request)
    return await s.db.write(_create_all, s, requests, key, s.clock())


def _check(s: Services, request: NewRun) -> None:
    texts = {name: getattr(request, name) or "" for name in ("goal", "title", "agent", "external_id", "project")}
    for name, text in {**texts, "labels": "".join(request.labels.values())}.items():
        if "\x00" in text:
            raise InvalidField(f"`{name}` contains a NUL character; leave it out.")
    if OURS.match(request.external_id or ""):
        raise InvalidField(f"`external_id`: names like {request.external_id!r} are given out by the server alone.")
    if request.backend != EXTERNAL:
        s.backends.get(request.backend).check(request.goal, request.options)


async def _create_all(tx: Tx, s: Services, requests: Sequence[NewRun], key: str | None, now: int) -> list[Run]:
    if (created_before := await repeats.known(tx, key, requests, now)) is not None:
        found = await runs.by_ids(tx, created_before)
        repeats.check_kept(found, created_before)
        return found
    await _check_room(tx, s, len(requests))
    await _check_limits(tx, s, requests, now)
    created = [await _create(tx, s, request, now) for request in requests]
    await stats.add(tx, _added(created))
    await repeats.remember(tx, key, [run.id for run in created])
    tx.after_commit(QUEUE_TOPIC)
    tx.after_commit(RUNS_TOPIC)
    return created


def _added(created: Sequence[Run]) -> Counter[str]:
    """What new runs add to the counters."""
    counters: Counter[str] = Counter()
    for run in created:
        counters.update(counter_changes(None, run))
    return counters


async def _check_room(tx: Tx, s: Services, wanted: int) -> None:
    waiting = await stats.get(tx, f"status/{Status.QUEUED}")
    if waiting + wanted > s.settings.max_queued:
        raise TooManyRequests(f"{waiting} runs wait already and `max_queued` is {s.settings.max_queued}.")


async def _check_limits(tx: Tx, s: Services, requests: Sequence[NewRun], now: int) -> None:
    """Refuse resource limits that no worker can enforce together, of those online, else of all that are known."""
    asked = [(request, wanted) for request in requests if (wanted := _resource_limits(request))]
    if not asked or not (known := await workers.all(tx)):
        return
    oldest = now - round(s.settings.lease_s * 1000)
    candidates = [worker for worker in known if worker.heard_at >= oldest] or known
    for request, wanted in asked:
        able = [worker for worker in candidates if request.backend in worker.backends] or candidates
        lacks = [{name: why for name, why in lacking(worker).items() if name in wanted} for worker in able]
        if all(lacks):
            name, why = next(iter(lacks[0].items()))
            raise LimitUnsupported(f"No worker can enforce `limits.{name}`: {why}. `agentrunner doctor` says more.")


def _resource_limits(request: NewRun) -> list[str]:
    return [name for name in RESOURCE_LIMITS if getattr(request.limits, name) is not None]


async def _create(tx: Tx, s: Services, request: NewRun, now: int, retry_of: int | None = None) -> Run:
    project = await find_project(tx, request.project)
    worker_id = None
    if request.backend == REPLAY:
        request, worker_id = await resolve(tx, request, now - round(s.settings.lease_s * 1000))
    options, secrets = split_secrets(request.options, request.secrets)
    draft = await belong(tx, _draft(request, project, options, now, retry_of), now)
    run = await runs.insert(tx, msgspec.structs.replace(draft, has_secrets=bool(secrets), worker_id=worker_id))
    if run is None:
        taken = await runs.by_external_id(tx, str(request.external_id))
        more = {} if taken is None else {"run_id": taken.id}
        raise NameTaken(f"There is a run with the external_id {request.external_id!r} already.", **more)
    if secrets:
        s.secrets.put(run.id, secrets)
    change = Change(run, now)
    change.emit(new_event(EventType.RUN_CREATED, _created_payload(run)))
    return await change.save(tx)


async def add(tx: Tx, s: Services, request: NewRun, now: int) -> Run:
    """Create one run as a part of a larger transaction; the caller has checked the request. Raises NameTaken."""
    run = await _create(tx, s, request, now)
    await stats.add(tx, _added([run]))
    tx.after_commit(QUEUE_TOPIC)
    tx.after_commit(RUNS_TOPIC)
    return run


def drafted(request: NewRun, project: Project, now: int) -> Run:
    """A run as it would begin, without an id and stored nowhere; for callers that store many at once."""
    return _draft(request, project, request.options, now, None)


def created_event(run: Run) -> NewEvent:
    """The first event of a run's timeline."""
    return new_event(EventType.RUN_CREATED, _created_payload(run), ts=run.created_at)


def _created_payload(run: Run) -> dict[str, Any]:
    payload: dict[str, Any] = {"title": run.title, "backend": run.backend, "project": run.project}
    if run.retry_of is not None:
        payload["retry_of"] = run.retry_of
    return payload


def _draft(request: NewRun, project: Project, options: dict[str, Any], now: int, retry_of: int | None) -> Run:
    reported = request.backend == EXTERNAL
    cause = Cause.REPORTED if reported else Cause.CREATED
    return Run(
        id=0,
        external_id=request.external_id,
        title=title_of(request),
        goal=request.goal,
        project_id=project.id,
        project=project.name,
        backend=request.backend,
        agent=request.agent,
        agent_version=request.agent_version,
        status=TRANSITIONS[None, cause],
        phase=Phase.WORKING if reported else None,
        phase_since=now if reported else None,
        hold=None,
        hold_until=None,
        reason=None,
        message=None,
        desired=Desired.RUN,
        revision=0,
        answered=0,
        attempt=1,
        epoch=0,
        worker_id=None,
        priority=request.priority,
        exit_code=None,
        signal=None,
        options=options,
        limits=request.limits,
        retry=request.retry,
        on_lost=request.on_lost,
        has_secrets=False,
        usage=Usage(),
        cost_usd=None,
        last_seq=0,
        retry_of=retry_of,
        created_at=now,
        queued_at=now,
        started_at=now if reported else None,
        ended_at=None,
        labels=request.labels,
        metadata=request.metadata,
    )


async def get(s: Services, run_id: int) -> Run:
    """One run. Raises RunNotFound."""
    return await s.db.read(find, run_id)


async def find(tx: Tx, run_id: int) -> Run:
    """The same inside a transaction."""
    run = await runs.get(tx, run_id)
    if run is None:
        raise RunNotFound(f"There is no run {run_id}.")
    return run


async def locked(tx: Tx, run_id: int) -> Run:
    """One run that this transaction will change. Raises RunNotFound."""
    run = await runs.lock(tx, run_id)
    if run is None:
        raise RunNotFound(f"There is no run {run_id}.")
    return run


async def owned(tx: Tx, worker_id: str) -> list[Run]:
    """The active runs of a worker, locked; one that ended while this waited for its lock is left out."""
    found = [await locked(tx, run_id) for run_id in await runs.owned(tx, worker_id)]
    return [run for run in found if run.worker_id == worker_id and run.status in ACTIVE]


async def page(s: Services, filters: Mapping[str, Any], before: int | None, limit: int) -> list[Run]:
    """The newest runs below an id."""
    return [runs.of_row(row) for row in await page_rows(s, filters, before, limit)]


async def page_rows(s: Services, filters: Mapping[str, Any], before: int | None, limit: int) -> list[RunRow]:
    """The same as rows; what one look into an index does not answer has a thread and a time limit."""
    asked = {**filters, "now": s.clock()}
    look = s.db.read if plan_of(asked).is_quick else s.db.search
    return await look(runs.page, asked, before, limit)


async def pause(s: Services, run_id: int) -> Wished:
    """Wish a run to pause; a queued one is held. Raises RunNotFound, InvalidTransition, BackendUnsupported."""
    return await s.db.write(_pause, run_id, s.clock())


async def _pause(tx: Tx, run_id: int, now: int) -> Wished:
    run = await _wishable(tx, run_id, "paused")
    if run.desired is Desired.PAUSE:
        return Wished(run, _is_answered(run))
    change = Change(run, now)
    change.set(desired=Desired.PAUSE, revision=run.revision + 1)
    if run.status is Status.QUEUED:
        change.set(hold=Hold.OPERATOR, answered=change.run.revision)
    return await _wish(tx, change)


async def resume(s: Services, run_id: int) -> Wished:
    """Wish a paused run to go on. Raises RunNotFound, InvalidTransition, BackendUnsupported."""
    return await s.db.write(_resume, run_id, s.clock())


async def _resume(tx: Tx, run_id: int, now: int) -> Wished:
    run = await _wishable(tx, run_id, "resumed")
    if run.desired is Desired.RUN:
        if run.revision == 0 and run.status is not Status.PAUSED:
            raise InvalidTransition(f"Run {run.id} is {run.status} and not paused.", current=run.status)
        if run.status is not Status.PAUSED or run.revision > 0:
            return Wished(run, _is_answered(run))
    change = Change(run, now)
    change.set(desired=Desired.RUN, revision=run.revision + 1)
    if run.status is Status.QUEUED:
        later = run.hold_until is not None and run.hold_until > now
        held = {"hold": Hold.NOT_BEFORE if later else None, "hold_until": run.hold_until if later else None}
        change.set(**held, queued_at=now, answered=change.run.revision)
    return await _wish(tx, change)


async def stop(s: Services, run_id: int) -> Wished:
    """Wish a run to end; a queued one ends at once. Raises RunNotFound, InvalidTransition, BackendUnsupported."""
    return await s.db.write(_stop, run_id, s.clock())


async def _stop(tx: Tx, run_id: int, now: int) -> Wished:
    run = await locked(tx, run_id)
    if run.status is Status.STOPPED:
        return Wished(run, is_fact=True)
    run = await _wishable(tx, run_id, "stopped", stopping=True)
    if run.desired is Desired.STOP:
        return Wished(run, is_fact=False)
    change = Change(run, now)
    change.set(desired=Desired.STOP, revision=run.revision + 1)
    if run.status is Status.QUEUED:
        event = ending_event(Cause.STOPPED, Reason.STOPPED_BY_USER, started=False)
        change.move(Cause.STOPPED, event, **ended(now, Reason.STOPPED_BY_USER), answered=change.run.revision)
    else:
        change.emit(new_event(EventType.RUN_STOP_REQUESTED))
        if run.phase is not Phase.UNREACHABLE:
            change.enter(Phase.STOPPING)
    return await _wish(tx, change)


async def _wishable(tx: Tx, run_id: int, done: str, stopping: bool = False) -> Run:
    run = await locked(tx, run_id)
    if run.status.is_terminal:
        raise InvalidTransition(f"Run {run.id} is {run.status} and cannot be {done} any more.", current=run.status)
    if run.desired is Desired.STOP and not stopping:
        raise InvalidTransition(f"Run {run.id} is being stopped and cannot be {done}.", current=run.status)
    if run.backend == EXTERNAL:
        raise BackendUnsupported(f"Run {run.id} is only reported here; the program that reports it controls it.")
    return run


async def _wish(tx: Tx, change: Change) -> Wished:
    run = await change.save(tx)
    if run.worker_id is not None:
        tx.after_commit(worker_topic(run.worker_id))
    return Wished(run, _is_answered(run))


def _is_answered(run: Run) -> bool:
    return run.answered >= run.revision


def ended(now: int, reason: Reason | None, message: str | None = None) -> dict[str, Any]:
    """The fields of a run that has just ended."""
    cleared = {"phase": None, "phase_since": None, "hold": None, "hold_until": None}
    # What an agent wrote last may contain NUL, and PostgreSQL has no text with one.
    text = None if message is None else message.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return {**cleared, "ended_at": now, "reason": reason, "message": text}


async def retry(s: Services, run_id: int, key: str | None = None) -> Run:
    """A new run with the same request, `retry_of` the finished one; the same `key` again answers the same new run.

    Raises RunNotFound, InvalidTransition, BackendUnsupported, IdempotencyMismatch, TooManyRequests.
    """
    return await s.db.write(_retry, s, run_id, key, s.clock())


async def _retry(tx: Tx, s: Services, run_id: int, key: str | None, now: int) -> Run:
    if before := await repeats.known(tx, key, ("retry", run_id), now):
        return await find(tx, before[0])
    run = await find(tx, run_id)
    if not run.status.is_terminal:
        raise InvalidTransition(
            f"Run {run.id} is {run.status}: only a finished run can be retried.", current=run.status
        )
    if run.backend == EXTERNAL:
        raise BackendUnsupported(f"Run {run.id} was only reported here; start its program again.")
    secrets = s.secrets.get(run.id) if run.has_secrets else {}
    if run.has_secrets and not secrets:
        raise InvalidTransition(f"The secrets of run {run.id} are deleted; create a new run.", current=run.status)
    await _check_room(tx, s, 1)
    tx.after_commit(QUEUE_TOPIC)
    tx.after_commit(RUNS_TOPIC)
    created = await _create(tx, s, _request_of(run, secrets), now, retry_of=run.id)
    await stats.add(tx, _added([created]))
    await repeats.remember(tx, key, [created.id])
    return created


def _request_of(run: Run, secrets: dict[str, str]) -> NewRun:
    return NewRun(
        goal=run.goal,
        backend=run.backend,
        title=run.title,
        project=run.project,
        agent=run.agent,
        agent_version=run.agent_version,
        options=run.options,
        limits=run.limits,
        priority=run.priority,
        labels=run.labels,
        metadata=run.metadata,
        on_lost=run.on_lost,
        retry=run.retry,
        secrets=secrets,
    )
