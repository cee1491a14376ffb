"""The worker: registers, claims, and keeps one execution per attempt until its end is recorded.

Ending the worker touches no agent: the next one with the same state directory goes on where the stored offsets are.
"""

import asyncio
import uuid

import structlog

from agentrunner.agents.base import Backend
from agentrunner.agents.registry import Registry
from agentrunner.domain.control import Assignment, ClaimRequest, RegisterAnswer, RegisterRequest
from agentrunner.domain.errors import AgentRunnerError, StaleEpoch, WorkerNotFound
from agentrunner.process import limits, tree
from agentrunner.process.launch import ZygoteLink
from agentrunner.worker.control import Control
from agentrunner.worker.execution import Execution
from agentrunner.worker.health import Health
from agentrunner.worker.hints import Hints
from agentrunner.worker.host import Host, WorkerOptions
from agentrunner.worker.identity import Identity
from agentrunner.worker.lease import Lease, boottime
from agentrunner.worker.leftovers import Leftovers
from agentrunner.worker.programs import look_around
from agentrunner.worker.replay import backend_of, replayed_uid
from agentrunner.worker.wishes import Wishes

log = structlog.get_logger("agentrunner.worker")

_SUCCEEDED = "Another process has registered as this worker since; this one ends. Its agents are untouched."
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 30.0


class Worker:
    """Between `start` and `stop` it works; both may be called twice, `stop` returns when everything is closed."""

    def __init__(self, control: Control, identity: Identity, backends: Registry, options: WorkerOptions) -> None:
        self._control = control
        self._identity = identity
        self._backends = backends
        self._options = options
        self._executions: dict[str, Execution] = {}
        self._room = asyncio.Event()
        self._main: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to work in the background."""
        if self._main is None:
            self._main = asyncio.create_task(self._run(), name="worker")

    async def wait_failed(self) -> None:
        """Return never while the worker works; raise what ended it."""
        if self._main is not None:
            await asyncio.shield(self._main)

    async def stop(self) -> None:
        """End every task; agents go on."""
        if self._main is not None:
            self._main.cancel()
            await asyncio.gather(self._main, return_exceptions=True)
            self._main = None

    @property
    def executions(self) -> list[Execution]:
        """What is being supervised now."""
        return list(self._executions.values())

    async def _run(self) -> None:
        """Register and work; where the server does not know this worker (any more), register again.

        Raises StaleEpoch where another process has registered as this worker, and whatever else the server refuses.
        """
        while True:
            sent = boottime()
            answer = await self._control.register(self._introduction())
            log.info("registered", worker=self._identity.worker_id, epoch=answer.epoch, runs=len(answer.runs))
            try:
                await self._work(answer, Lease(sent, answer.lease_s))
            except ExceptionGroup as group:
                refusal = _refusal(group)
                if isinstance(refusal, StaleEpoch):
                    raise StaleEpoch(_SUCCEEDED) from group
                if not isinstance(refusal, WorkerNotFound):
                    raise refusal from None
                log.warning("the server does not know this worker; registering again")
            # A server that keeps forgetting must not be asked at full speed.
            await asyncio.sleep(_FIRST_PAUSE_S)

    def _introduction(self) -> RegisterRequest:
        mechanism = tree.probe(self._options.tree)
        return RegisterRequest(
            worker_id=self._identity.worker_id,
            machine_id=self._identity.machine_id,
            lock_inode=self._identity.lock_inode,
            boot_id=self._identity.boot_id,
            name=self._options.name or self._identity.host,
            host=self._identity.host,
            version=self._options.version,
            slots=self._options.slots,
            backends=self._backends.names,
            limits=limits.enforceable(),
            tree=mechanism.name,
        )

    async def _work(self, answer: RegisterAnswer, lease: Lease) -> None:
        host = self._host(answer, lease)
        me = (self._identity.worker_id, answer.epoch)
        health, wishes = Health(self._control, me, self, lease), Wishes(self._control, me, self)
        try:
            async with asyncio.TaskGroup() as group:
                for assignment in answer.runs:
                    self._take(group, host, assignment)
                group.create_task(health.run(answer.heartbeat_s))
                group.create_task(look_around(self._backends, self._options.environment, health))
                group.create_task(wishes.follow_wishes())
                group.create_task(wishes.follow_inputs())
                group.create_task(Leftovers(self._control, host, self._is_supervised, self._backend).run())
                # A run that is claimed before the lease is known to be fresh would begin with its deadline over.
                await health.answered.wait()
                await self._claim(group, host, me)
        finally:
            host.close()
            self._executions.clear()

    def _host(self, answer: RegisterAnswer, lease: Lease) -> Host:
        return Host(
            instance_id=answer.instance_id,
            identity=self._identity,
            options=self._options,
            lease=lease,
            hints=Hints(),
            zygote=ZygoteLink(self._options.state_dir),
        )

    async def _claim(self, group: asyncio.TaskGroup, host: Host, me: tuple[str, int]) -> None:
        """Fill the free slots, for ever. One claim_id per answer: a lost answer is asked for again with the same."""
        while True:
            free = self._options.slots - len(self._executions)
            if free <= 0:
                self._room.clear()
                await self._room.wait()
                continue
            request = ClaimRequest(
                worker_id=me[0],
                epoch=me[1],
                claim_id=uuid.uuid4().hex,
                slots=min(free, self._options.claim_slots),
                wait_s=self._options.claim_wait_s,
            )
            for assignment in (await self._control.claim(request)).runs:
                self._take(group, host, assignment)

    def _take(self, group: asyncio.TaskGroup, host: Host, assignment: Assignment) -> None:
        """By attempt, not by run: the next attempt may be claimed while the one before is still closing its files."""
        if assignment.uid not in self._executions:
            backend = backend_of(assignment, host.runs, self._backend)
            execution = Execution(self._control, host, assignment, backend)
            self._executions[assignment.uid] = execution
            group.create_task(self._execute(execution), name=f"run {assignment.run_id}")

    def _is_supervised(self, uid: str) -> bool:
        """True also for a recording that is being replayed; asked from another thread."""
        executions = list(self._executions.values())
        return uid in self._executions or any(uid == replayed_uid(each.assignment) for each in executions)

    def _backend(self, name: str) -> Backend:
        """The backend of a run; one that this version has lost is read as plain output."""
        return self._backends.get(name if name in self._backends.names else "command")

    async def _execute(self, execution: Execution) -> None:
        """One attempt to its recorded end. A fault ends no other execution: the attempt is taken up anew."""
        run_id, uid = execution.assignment.run_id, execution.assignment.uid
        pause_s = _FIRST_PAUSE_S
        try:
            while True:
                try:
                    await execution.run()
                    return
                except StaleEpoch as error:
                    log.warning("a newer worker process owns this run", run=run_id, error=error.detail)
                    return
                except Exception:
                    log.exception("supervising failed; taking the run up again", run=run_id, in_s=pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        finally:
            execution.close()
            self._executions.pop(uid, None)
            self._room.set()


def _refusal(group: ExceptionGroup[Exception]) -> Exception:
    """What the server said to all tasks alike, as one error for a person; the group where it is a fault of ours."""
    refused, faults = group.split(AgentRunnerError)
    if refused is None or faults is not None:
        return group
    error: Exception = refused
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
