"""Use cases of the worker protocol: register, claim, heartbeat, wishes, decisions. (`record` is in `events`.)"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from agentrunner.domain.control import (
    PROTOCOL_VERSION,
    Assignment,
    ClaimAnswer,
    ClaimRequest,
    DecisionsAnswer,
    DecisionsRequest,
    HeartbeatAnswer,
    HeartbeatRequest,
    PendingInput,
    RegisterAnswer,
    RegisterRequest,
    Wish,
    WishesAnswer,
    WishesRequest,
)
from agentrunner.domain.errors import InvalidRequest, StaleEpoch, WorkerInUse, WorkerNotFound
from agentrunner.domain.event import EventType, new_event
from agentrunner.domain.project import Project
from agentrunner.domain.run import Run
from agentrunner.domain.state import Desired, Phase, Status
from agentrunner.domain.worker import Worker
from agentrunner.engine import samples, schedule
from agentrunner.engine.change import Change
from agentrunner.engine.runs import find, owned
from agentrunner.engine.services import Services
from agentrunner.engine.wakeups import QUEUE_TOPIC, RUNS_TOPIC, worker_topic
from agentrunner.store import attempts, inputs, meta, projects, runs, workers
from agentrunner.store.attempts import Attempt
from agentrunner.store.base import Tx

INSTANCE = "instance_id"
T = TypeVar("T")
R = TypeVar("R", WishesRequest, DecisionsRequest)


async def register(s: Services, request: RegisterRequest) -> RegisterAnswer:
    """Take over this worker's identity: its epoch and that of every run it owns rise, so older owners are refused.

    Raises WorkerInUse while the lease of another process with the same identity lives.
    """
    return await s.db.write(_register, s, request, s.clock())


async def _register(tx: Tx, s: Services, request: RegisterRequest, now: int) -> RegisterAnswer:
    if request.protocol != PROTOCOL_VERSION:
        raise InvalidRequest(
            f"The worker speaks protocol {request.protocol}, this server {PROTOCOL_VERSION}: run one version of both."
        )
    known = await workers.lock(tx, request.worker_id)
    if known is not None and _is_other(known, request) and now - known.heard_at < s.settings.lease_s * 1000:
        raise WorkerInUse(
            f"Worker {request.worker_id} is in use on {known.host}: two state directories share its id. "
            "Delete the file `worker.json` of the copy."
        )
    epoch = known.epoch + 1 if known is not None else 1
    await workers.put(tx, _worker(request, epoch, now))
    adopted = [await _adopt(tx, s, run, request, now) for run in await owned(tx, request.worker_id)]
    tx.after_commit(RUNS_TOPIC)
    return RegisterAnswer(
        instance_id=await meta.get(tx, INSTANCE) or "",
        epoch=epoch,
        lease_s=s.settings.lease_s,
        heartbeat_s=s.settings.heartbeat_s,
        runs=adopted,
    )


def _is_other(known: Worker, request: RegisterRequest) -> bool:
    return (known.machine_id, known.lock_inode) != (request.machine_id, request.lock_inode)


def _worker(request: RegisterRequest, epoch: int, now: int) -> Worker:
    return Worker(
        id=request.worker_id,
        name=request.name,
        host=request.host,
        version=request.version,
        machine_id=request.machine_id,
        lock_inode=request.lock_inode,
        boot_id=request.boot_id,
        epoch=epoch,
        slots=request.slots,
        running=0,
        backends=request.backends,
        limits=request.limits,
        tree=request.tree,
        registered_at=now,
        heard_at=now,
    )


async def _adopt(tx: Tx, s: Services, run: Run, request: RegisterRequest, now: int) -> Assignment:
    change = Change(run, now)
    attempt = await attempts.get(tx, run.id, run.attempt)
    change.set(epoch=change.run.epoch + 1)
    if attempt is not None and attempt.started_at is not None:
        payload = {"worker": request.worker_id, "host": request.host, "epoch": change.run.epoch}
        change.emit(new_event(EventType.RUN_ADOPTED, payload))
    await _reach(tx, change)
    (assignment,) = await _assignments(tx, s, [await change.save(tx)])
    return assignment


async def _reach(tx: Tx, change: Change) -> None:
    """The run's worker is heard of again."""
    if change.run.phase is not Phase.UNREACHABLE:
        return
    attempt = await attempts.get(tx, change.run.id, change.run.attempt)
    started = attempt is not None and attempt.started_at is not None
    change.enter(phase_of(change.run, started))


def phase_of(run: Run, started: bool) -> Phase | None:
    """Where an active run is, as far as its row tells."""
    if run.desired is Desired.STOP:
        return Phase.STOPPING
    if run.status is Status.PAUSED:
        return None
    return Phase.WORKING if started else Phase.PREPARING


async def _assignments(tx: Tx, s: Services, found: Sequence[Run]) -> list[Assignment]:
    """What a worker has to know of its runs, in their order."""
    if not found:
        return []
    numbers = await attempts.current(tx, [run.id for run in found])
    places = {project_id: await projects.get(tx, project_id) for project_id in {run.project_id for run in found}}
    return [_assignment(s, run, numbers[run.id], places[run.project_id]) for run in found]


def _assignment(s: Services, run: Run, attempt: Attempt, project: Project | None) -> Assignment:
    return Assignment(
        run_id=run.id,
        attempt=run.attempt,
        uid=attempt.uid,
        epoch=run.epoch,
        status=run.status,
        desired=run.desired,
        revision=run.revision,
        backend=run.backend,
        title=run.title,
        goal=run.goal,
        project=run.project,
        project_path=None if project is None else project.path,
        options=run.options,
        secrets=s.secrets.get(run.id) if run.has_secrets else {},
        limits=run.limits,
        on_lost=run.on_lost,
        boot_id=attempt.boot_id,
        offsets=attempt.offsets,
        states=attempt.states,
    )


async def claim(s: Services, request: ClaimRequest) -> ClaimAnswer:
    """Take runs from the queue, waiting until there is one. Raises WorkerNotFound, StaleEpoch."""
    deadline = s.clock() + round(request.wait_s * 1000)
    with s.wakeups.subscribe(QUEUE_TOPIC) as subscription:
        while True:
            asked = s.clock()
            answer = await s.db.write(_claim, s, request, asked)
            if answer.runs or asked >= deadline:
                return answer
            next_hold = await s.db.read(runs.next_hold, asked)
            until = deadline if next_hold is None else min(deadline, next_hold)
            await subscription.wait(max(0, until - s.clock()) / 1000)


async def _claim(tx: Tx, s: Services, request: ClaimRequest, now: int) -> ClaimAnswer:
    worker = await _current(tx, request.worker_id, request.epoch)
    repeated = await workers.claimed(tx, worker.id)
    if repeated is not None and repeated.claim_id == request.claim_id:
        return ClaimAnswer(runs=await _still_owned(tx, s, worker.id, repeated.runs))
    if not _has_lease(s, worker, now):
        return ClaimAnswer(runs=[])
    chosen = await schedule.choose(tx, s.settings, worker, request.slots, now)
    if not chosen:
        return ClaimAnswer(runs=[])
    taken = await schedule.take(tx, chosen, worker, s.new_uid, now)
    await workers.remember_claim(tx, worker.id, request.claim_id, [(run.id, run.attempt) for run in taken])
    return ClaimAnswer(runs=await _assignments(tx, s, taken))


def _has_lease(s: Services, worker: Worker, now: int) -> bool:
    """False for a worker that has to be heard of before it gets runs: their shims' deadline would be over at once."""
    return bool(now - worker.heard_at <= s.settings.lease_s * 1000)


async def _still_owned(tx: Tx, s: Services, worker_id: str, pairs: list[tuple[int, int]]) -> list[Assignment]:
    found = [await find(tx, run_id) for run_id, _ in pairs]
    numbers = dict(pairs)
    mine = [run for run in found if run.worker_id == worker_id and run.attempt == numbers[run.id]]
    return await _assignments(tx, s, [run for run in mine if not run.status.is_terminal])


async def _current(tx: Tx, worker_id: str, epoch: int) -> Worker:
    """The worker, if the caller is its present incarnation."""
    worker = await workers.lock(tx, worker_id)
    return _checked(worker, worker_id, epoch)


def _checked(worker: Worker | None, worker_id: str, epoch: int) -> Worker:
    if worker is None:
        raise WorkerNotFound(f"Worker {worker_id} is not registered here.")
    if worker.epoch != epoch:
        raise StaleEpoch(f"Worker {worker_id} has registered again since; this process must end or register.")
    return worker


async def heartbeat(s: Services, request: HeartbeatRequest) -> HeartbeatAnswer:
    """Note a sign of life; what was unreachable is no more. Raises WorkerNotFound, StaleEpoch."""
    return await s.db.write(_heartbeat, s, request, s.clock())


async def _heartbeat(tx: Tx, s: Services, request: HeartbeatRequest, now: int) -> HeartbeatAnswer:
    worker = await _current(tx, request.worker_id, request.epoch)
    if not _has_lease(s, worker, now):
        tx.after_commit(QUEUE_TOPIC)
    await samples.keep(tx, worker.id, request.samples, now)
    if request.programs is not None:
        await workers.found(tx, worker.id, request.programs)
    if await workers.hear(tx, worker.id, request.running, now):
        for run in await owned(tx, worker.id):
            change = Change(run, now)
            payload = {"worker": worker.id, "host": worker.host, "epoch": change.run.epoch}
            change.emit(new_event(EventType.RUN_ADOPTED, payload))
            await _reach(tx, change)
            await change.save(tx)
    return HeartbeatAnswer(lease_s=s.settings.lease_s)


async def wishes(s: Services, request: WishesRequest) -> WishesAnswer:
    """Every wish newer than what the worker knows, waiting until there is one. Raises WorkerNotFound, StaleEpoch."""
    return WishesAnswer(wishes=await _first_found(s, request, _wishes))


async def _first_found(s: Services, request: R, read: Callable[[Tx, R], Awaitable[list[T]]]) -> list[T]:
    """What `read` finds for a worker, as soon as it finds something or `wait_s` is over."""
    deadline = s.clock() + round(request.wait_s * 1000)
    with s.wakeups.subscribe(worker_topic(request.worker_id)) as subscription:
        while True:
            found = await s.db.read(read, request)
            remaining = deadline - s.clock()
            if found or remaining <= 0:
                return found
            await subscription.wait(remaining / 1000)


async def _wishes(tx: Tx, request: WishesRequest) -> list[Wish]:
    _checked(await workers.get(tx, request.worker_id), request.worker_id, request.epoch)
    found = await runs.wished(tx, request.worker_id)
    return [_wish(run) for run in found if run.revision > request.known.get(run.id, 0)]


def _wish(run: Run) -> Wish:
    return Wish(run_id=run.id, attempt=run.attempt, epoch=run.epoch, desired=run.desired, revision=run.revision)


async def decisions(s: Services, request: DecisionsRequest) -> DecisionsAnswer:
    """Inputs to deliver that the worker does not know, waiting until there is one."""
    return DecisionsAnswer(inputs=await _first_found(s, request, _decisions))


async def _decisions(tx: Tx, request: DecisionsRequest) -> list[PendingInput]:
    _checked(await workers.get(tx, request.worker_id), request.worker_id, request.epoch)
    waiting = await inputs.waiting(tx, request.worker_id, request.known)
    found = {run.id: run for run in await runs.by_ids(tx, sorted({item.run_id for item in waiting}))}
    return [
        PendingInput(
            id=item.id,
            run_id=item.run_id,
            attempt=found[item.run_id].attempt,
            epoch=found[item.run_id].epoch,
            text=item.text,
        )
        for item in waiting
    ]


async def all_with_lease(s: Services) -> list[tuple[Worker, bool]]:
    """Every worker, and whether its lease lives."""
    oldest = s.clock() - round(s.settings.lease_s * 1000)
    return [(worker, worker.heard_at >= oldest) for worker in await s.db.read(workers.all)]
