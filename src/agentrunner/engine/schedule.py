"""Who runs next, and what time does to runs: caps, expiry in the queue, workers that are not heard of."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from agentrunner.config import Settings
from agentrunner.domain.event import EventType, NewEvent, new_event
from agentrunner.domain.recording import REPLAY
from agentrunner.domain.run import Run
from agentrunner.domain.state import Cause, Desired, Hold, OnLost, Phase, Reason, Status
from agentrunner.domain.worker import Worker
from agentrunner.engine.change import Change, ending_event, save_all
from agentrunner.engine.runs import ended, locked, owned
from agentrunner.engine.services import Services
from agentrunner.engine.wakeups import worker_topic
from agentrunner.store import attempts, idempotency, projects, runs, stats, workers
from agentrunner.store.base import Tx

LOST_MARGIN_S = 3.0
"""Between the moment a shim ends its tree by itself and the moment the server acts on that."""
IDEMPOTENCY_S = 7 * 86_400.0
"""How long an Idempotency-Key is remembered."""


class Room:
    """How many more runs may become active, in all and per project, backend and agent."""

    def __init__(self, active: dict[str, int], settings: Settings, project_caps: dict[int, int]) -> None:
        self._active = Counter(active)
        self._settings = settings
        self._project_caps = project_caps
        self.total = settings.max_running - active.get("", 0)

    def fits(self, run: Run) -> bool:
        """True where no cap holds this run."""
        return self.total > 0 and all(self._active[name] < cap for name, cap in self._caps(run))

    def take(self, run: Run) -> None:
        """Count a run that is becoming active."""
        self.total -= 1
        for name, _ in self._caps(run):
            self._active[name] += 1

    def _caps(self, run: Run) -> list[tuple[str, int]]:
        caps = [(f"/project/{run.project_id}", self._project_caps.get(run.project_id, 0))]
        caps.append((f"/backend/{run.backend}", self._settings.max_running_per_backend))
        if run.agent is not None:
            caps.append((f"/agent/{run.agent}", self._settings.max_running_per_agent))
        return [(name, cap) for name, cap in caps if cap > 0]

    def full(self) -> dict[str, list[Any]]:
        """The values per column of the runs table that a cap holds entirely."""
        per_backend, per_agent = self._settings.max_running_per_backend, self._settings.max_running_per_agent
        return {
            "project_id": [key for key, cap in self._project_caps.items() if self._active[f"/project/{key}"] >= cap],
            "backend": self._over("/backend/", per_backend),
            "agent": self._over("/agent/", per_agent),
        }

    def _over(self, prefix: str, cap: int) -> list[str]:
        if cap <= 0:
            return []
        return [name[len(prefix) :] for name, n in self._active.items() if name.startswith(prefix) and n >= cap]


async def room(tx: Tx, settings: Settings) -> Room:
    """The room there is now."""
    return Room(await stats.read(tx, "active"), settings, await projects.capped(tx))


async def choose(tx: Tx, settings: Settings, worker: Worker, slots: int, now: int) -> list[Run]:
    """Up to `slots` runs that a worker may start, by priority then age, within every cap; they are locked."""
    if not worker.backends:
        return []
    if tx.dialect.claim_lock is not None:
        await tx.run(tx.dialect.claim_lock)
    space = await room(tx, settings)
    chosen: list[Run] = []
    while len(chosen) < slots and space.total > 0:
        candidates = await runs.queued(tx, now, worker, space.full(), slots + len(chosen))
        fresh = [run_id for run_id in candidates if all(run_id != run.id for run in chosen)]
        if not fresh:
            break
        found = {run.id: run for run in await runs.lock_all(tx, fresh)}
        for run in [found[run_id] for run_id in fresh if run_id in found]:
            if len(chosen) < slots and may_start(run, now) and space.fits(run):
                space.take(run)
                chosen.append(run)
    return chosen


def may_start(run: Run, now: int) -> bool:
    """True for a queued run that nothing holds; asked again once it is locked, for somebody may have paused it."""
    is_due = run.hold is Hold.NOT_BEFORE and run.hold_until is not None and run.hold_until <= now
    return run.status is Status.QUEUED and (run.hold is None or is_due)


async def take(tx: Tx, chosen: Sequence[Run], worker: Worker, new_uid: Callable[[], str], now: int) -> list[Run]:
    """Give chosen runs to a worker: RUNNING, a new epoch, an attempt with a random name."""
    begun = [attempts.Begun(run.id, run.attempt, new_uid(), worker.id, worker.boot_id, now) for run in chosen]
    await attempts.insert(tx, begun)
    tx.after_commit(worker_topic(worker.id))
    return await save_all(tx, [_claimed(run, worker, now) for run in chosen])


def _claimed(run: Run, worker: Worker, now: int) -> Change:
    change = Change(run, now)
    payload = {"worker": worker.id, "host": worker.host, "attempt": run.attempt, "waited_ms": now - run.queued_at}
    cleared = {"hold": None, "hold_until": None, "phase": Phase.PREPARING, "phase_since": now}
    event = new_event(EventType.RUN_CLAIMED, payload)
    change.move(Cause.CLAIMED, event, worker_id=worker.id, epoch=run.epoch + 1, **cleared)
    return change


async def tick(s: Services) -> None:
    """Do what time demands; called about once a second by every server process."""
    now = s.clock()
    for worker_id in await s.db.read(workers.silent, now - round(s.settings.lease_s * 1000)):
        await s.db.write(_expire, s.settings, worker_id, now)
    if s.settings.queue_expires_s > 0:
        before = now - round(s.settings.queue_expires_s * 1000)
        for run_id in await s.db.read(runs.expired, before, 100):
            await s.db.write(_expire_queued, run_id, before, now)


async def forget(s: Services) -> None:
    """Drop old idempotency keys, and counters that count nothing; called about once an hour."""
    await s.db.write(idempotency.forget, s.clock() - round(IDEMPOTENCY_S * 1000))
    await s.db.write(stats.drop_zeros)


async def _expire(tx: Tx, settings: Settings, worker_id: str, now: int) -> None:
    """A worker's lease is over: its runs are unreachable; those that do not wait end once their shims have acted."""
    worker = await workers.lock(tx, worker_id)
    silent_ms = 0 if worker is None else now - worker.heard_at
    if worker is None or silent_ms <= settings.lease_s * 1000:
        return
    newly = await workers.is_reachable(tx, worker_id)
    dead = silent_ms > (settings.lease_s + LOST_MARGIN_S) * 1000
    await workers.mark_unreachable(tx, worker_id)
    changes = [Change(run, now) for run in await owned(tx, worker_id)]
    for change in changes:
        if newly:
            change.emit(new_event(EventType.RUN_LOST, {"worker": worker_id, "on_lost": change.run.on_lost}))
            change.set(phase=Phase.UNREACHABLE, phase_since=worker.heard_at)
        if dead and change.run.on_lost is not OnLost.WAIT:
            await _lose(tx, change)
    await save_all(tx, changes)


async def _lose(tx: Tx, change: Change) -> None:
    """The shim's own deadline is over, so nothing of the attempt lives: end it or queue the next one."""
    run = change.run
    change.set(epoch=run.epoch + 1)
    if run.desired is Desired.STOP:
        reason, cause = Reason.STOPPED_BY_USER, Cause.STOPPED
    elif run.on_lost is OnLost.RETRY:
        reason, cause = Reason.WORKER_LOST, Cause.RETRIED
    else:
        reason, cause = Reason.WORKER_LOST, Cause.FAILED
    await attempts.end(tx, run.id, run.attempt, change.now, (_LOST_STATUS[cause], reason, None))
    if cause is Cause.RETRIED:
        requeue(change, ending_event(cause, reason, attempt=run.attempt, next_attempt=run.attempt + 1), 0)
        return
    message = f"Worker {run.worker_id} was not heard of for a lease."
    event = ending_event(cause, reason, attempt=run.attempt, message=message)
    change.move(cause, event, **ended(change.now, reason, message))


_LOST_STATUS = {Cause.STOPPED: Status.STOPPED, Cause.FAILED: Status.FAILED, Cause.RETRIED: Status.FAILED}


def requeue(change: Change, event: NewEvent, delay_s: float) -> None:
    """Back into the queue for the next attempt, held for `delay_s` and by whoever paused the run."""
    run = change.run
    until = change.now + round(delay_s * 1000) if delay_s > 0 else None
    hold = Hold.OPERATOR if run.desired is Desired.PAUSE else Hold.NOT_BEFORE if until is not None else None
    # The next attempt of a replay needs the same worker, for that one has the recording.
    worker_id = run.worker_id if run.backend == REPLAY else None
    fields = {"phase": None, "phase_since": None, "worker_id": worker_id, "queued_at": change.now}
    change.move(Cause.RETRIED, event, hold=hold, hold_until=until, **fields)
    change.set(attempt=run.attempt + 1, turns=0, answered=change.run.revision)


async def _expire_queued(tx: Tx, run_id: int, before: int, now: int) -> None:
    run = await locked(tx, run_id)
    if not may_start(run, before) or run.queued_at >= before:
        return
    change = Change(run, now)
    event = ending_event(Cause.FAILED, Reason.QUEUE_EXPIRED, waited_ms=now - run.queued_at)
    change.move(Cause.FAILED, event, **ended(now, Reason.QUEUE_EXPIRED))
    await change.save(tx)
