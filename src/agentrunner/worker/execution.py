"""One attempt, from its assignment to its recorded end.

Read `run` top-down: settle whether it was ever started, start it if not, follow its files until its end, record that.
Everything known is on disk or on the server, so an execution may begin anywhere, any number of times.
"""

import asyncio
import os

import structlog

from agentrunner.agents.base import Backend, Ending
from agentrunner.domain.control import Assignment, Offsets, Outcome, Part, RecordAnswer, RecordRequest
from agentrunner.domain.errors import AgentRunnerError, BackendError, OffsetMismatch, StaleEpoch
from agentrunner.domain.state import Desired, Reason, Status
from agentrunner.process.adopt import ConditionKind, ExitRecord, RunDirectory
from agentrunner.process.redaction import Redactor
from agentrunner.process.spool import SpoolReader
from agentrunner.worker import outcomes
from agentrunner.worker.control import Control
from agentrunner.worker.host import Host
from agentrunner.worker.launch import launch, reason_of
from agentrunner.worker.steering import Steering
from agentrunner.worker.tail import Tail

log = structlog.get_logger("agentrunner.worker")

_RECHECK_S = 1.0
"""After activity, look once more by oneself: a hint may have been lost."""
_SETTLE_S = 0.02
_SPAWNED_WITHIN_S = 10.0


class Execution:
    """Supervises one attempt. Wishes, inputs and deadlines may come at any time and reach the shim once it is there."""

    def __init__(self, control: Control, host: Host, assignment: Assignment, backend: Backend | None) -> None:
        self.assignment = assignment
        self._control = control
        self._host = host
        self._backend = backend
        self._late = False
        self._changed = asyncio.Event()
        self._steering = Steering(assignment)
        self._directory: RunDirectory | None = None
        self._shim_fd = -1

    @property
    def revision(self) -> int:
        """The newest wish that the shim was told, or will be."""
        return self._steering.revision

    def wish(self, desired: Desired, revision: int) -> None:
        """Somebody wishes something; the shim's journal will say when it is fact."""
        self._steering.wish(desired, revision)
        self._changed.set()

    def send(self, input_id: int, text: str) -> bool:
        """Pass an input on; False where the shim is not there yet."""
        return self._steering.send(input_id, text)

    def move_deadline(self, boottime: float) -> None:
        """The server answered: the run may live until then without another answer."""
        self._steering.move_deadline(boottime)

    async def run(self) -> None:
        """Supervise until the end is recorded. Raises StaleEpoch where another worker process owns the attempt."""
        try:
            await self._supervise()
        except StaleEpoch as error:
            if not error.extra.get("ended"):
                raise
            await self._deliver_late()

    def close(self) -> None:
        """Stop watching; nothing is signalled."""
        self._unwatch()
        self._steering.close()

    async def _supervise(self) -> None:
        if self.assignment.boot_id != self._host.identity.boot_id:
            return await self._end_unproven(Reason.HOST_REBOOTED, "The host restarted while the run was active.")
        directory = await self._started()
        if directory is not None:
            await self._follow(directory)

    async def _deliver_late(self) -> None:
        """The server ended the attempt without us: end its tree, then hand in what it wrote, flagged."""
        self._late = True
        self._steering.wish(Desired.STOP, self._steering.revision)
        directory = RunDirectory.latest(self._host.runs, self.assignment.uid)
        if directory is not None:
            await self._follow(directory)

    async def _started(self) -> RunDirectory | None:
        """The directory in which the attempt was executed, starting it where it never was; None if it ended before."""
        directory = RunDirectory.latest(self._host.runs, self.assignment.uid)
        spawned = False
        while True:
            if directory is None:
                if self._steering.desired is Desired.STOP:
                    await self._finish(outcomes.never_started(self.assignment.offsets))
                    return None
                directory = await self._launch()
                if directory is None:
                    return None
                spawned = True
            if await self._settle(directory, spawned):
                return directory
            directory, spawned = None, False

    async def _launch(self) -> RunDirectory | None:
        if self._backend is None:
            await self._refuse(Reason.BACKEND_MISSING, f"This worker has no backend {self.assignment.backend!r}.")
            return None
        try:
            return await launch(self._host, self.assignment, self._backend)
        except BackendError as error:
            await self._refuse(reason_of(error), error.detail)
            return None

    async def _refuse(self, reason: Reason, message: str) -> None:
        await self._finish(outcomes.refused(self.assignment.offsets, reason, message))

    async def _settle(self, directory: RunDirectory, spawned: bool) -> bool:
        """True once the attempt is proven to have been started there, False once it is proven that it never will be.

        Where this worker has just asked for the start it waits for it first; creating `start` itself is for the case
        that nobody can be coming any more.
        """
        self._watch(directory)
        if spawned:
            deadline = asyncio.get_running_loop().time() + _SPAWNED_WITHIN_S
            while not directory.has_proc() and asyncio.get_running_loop().time() < deadline:
                if not directory.may_be_starting():
                    break
                await self._wait(_RECHECK_S)
        while (state := directory.settle_start()).name == "UNDECIDED":
            await self._wait(_SETTLE_S)
        return state.name == "STARTED"

    async def _follow(self, directory: RunDirectory) -> None:
        """Record what the attempt writes until it has ended, then its end."""
        self._watch(directory)
        tail = self._tail(directory)
        quiet = 0
        while True:
            condition = directory.condition()
            self._steering.attach(directory, condition)
            self._watch_shim(directory)
            if condition.kind is not ConditionKind.ALIVE:
                break
            moved = await self._record_all(tail, None)
            quiet = 0 if moved else quiet + 1
            await self._wait(_RECHECK_S if quiet < 2 else None)
        await self._conclude(directory, tail)

    async def _conclude(self, directory: RunDirectory, tail: Tail) -> None:
        condition = directory.condition()
        if condition.kind is ConditionKind.COPY:
            outcome = outcomes.copied(tail.recorded, directory.path)
            return await self._finish(outcome)
        if condition.kind is ConditionKind.EXITED:
            assert condition.exit is not None
            sizes = _sizes(condition.exit)
            await self._record_all(tail, sizes)
            await self._finish(outcomes.exited(condition.exit, tail.verdict(_ending(condition.exit)), sizes), tail)
        else:
            reboot = condition.kind is ConditionKind.OTHER_BOOT
            if not reboot:
                await asyncio.to_thread(directory.kill_leftovers)
            sizes = _measured(directory)
            await self._record_all(tail, sizes)
            await self._finish(outcomes.lost(sizes, reboot), tail)
        directory.mark_recorded()

    async def _end_unproven(self, reason: Reason, message: str) -> None:
        """An attempt of another boot: nothing of it can live; hand in what it wrote."""
        directory = RunDirectory.latest(self._host.runs, self.assignment.uid)
        sizes = self.assignment.offsets
        if directory is not None:
            tail = self._tail(directory)
            sizes = _measured(directory)
            await self._record_all(tail, sizes)
        await self._finish(Outcome(status=Status.FAILED, reason=reason, message=message, sizes=sizes))

    def _tail(self, directory: RunDirectory) -> Tail:
        spec = directory.read_spec()
        backend = self._backend or outcomes.PLAIN
        tail = Tail(SpoolReader(directory.path), backend, Redactor(spec.secrets))
        tail.reset(self.assignment.offsets, self.assignment.states)
        return tail

    async def _record_all(self, tail: Tail, sizes: Offsets | None) -> bool:
        """Record until nothing more can be read now; answers whether there was anything."""
        moved = False
        while True:
            batch = tail.read(sizes)
            if batch.parts:
                moved = True
                await self._record(tail, batch.parts)
            if batch.is_all:
                return moved

    async def _record(self, tail: Tail, parts: list[Part]) -> None:
        try:
            answer = await self._control.record(self._request(parts))
        except OffsetMismatch:
            answer = await self._control.record(self._request([]))
            tail.reset(answer.offsets, answer.states)
            return
        tail.recorded = answer.offsets
        self._steering.recorded(answer.offsets, tail.read_sizes)

    async def _finish(self, outcome: Outcome, tail: Tail | None = None) -> RecordAnswer | None:
        if self._late:
            return None
        answer = await self._control.record(self._request([], outcome))
        log.info("run ended", run=self.assignment.run_id, status=outcome.status, reason=outcome.reason)
        return answer

    def _request(self, parts: list[Part], outcome: Outcome | None = None) -> RecordRequest:
        return RecordRequest(
            worker_id=self._host.identity.worker_id,
            epoch=self.assignment.epoch,
            run_id=self.assignment.run_id,
            attempt=self.assignment.attempt,
            uid=self.assignment.uid,
            parts=parts,
            outcome=outcome,
            late=self._late,
        )
