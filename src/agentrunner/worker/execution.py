"""One attempt, from its assignment to its recorded end.

Read `run` top-down: settle whether it was ever started, start it if not, follow its files until its end, record that.
Everything known is on disk or on the server, so an execution may begin anywhere, any number of times.
"""

import asyncio
import os

import structlog

from agentrunner.agents.base import Backend
from agentrunner.domain.control import Assignment, Offsets, Outcome, Part, RecordRequest
from agentrunner.domain.errors import BackendError, OffsetMismatch, StaleEpoch
from agentrunner.domain.state import Desired
from agentrunner.process.adopt import RunDirectory, Settled, Sizes, State
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
"""After activity, look once more unasked: a hint may have been lost."""
_RECHECKS = 3
_SETTLE_S = 0.02
_SPAWNED_WITHIN_S = 10.0


class Execution:
    """Supervises one attempt. Wishes, inputs and deadlines may come at any time and reach the shim once it is there."""

    def __init__(self, control: Control, host: Host, assignment: Assignment, backend: Backend) -> None:
        self.assignment = assignment
        self._control = control
        self._host = host
        self._backend = backend
        self._late = False
        self._changed = asyncio.Event()
        self._steering = Steering(assignment, host.options.spool_cap_bytes)
        self._watched: RunDirectory | None = None
        self._shim_fd = -1
        self._reader: SpoolReader | None = None

    @property
    def revision(self) -> int:
        """The newest wish that this execution knows."""
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
            await self.deliver_late()

    async def deliver_late(self) -> None:
        """The attempt is over without us: end its tree, then hand in what the server has not got, flagged."""
        self._late = True
        directory = RunDirectory.latest(self._host.runs, self.assignment.uid)
        if directory is None or not await self._settle(directory, spawned=False):
            return
        if directory.state() is State.ALIVE:
            self._steering.attach(directory.path)
            self._steering.end()
        await self._follow(directory)

    def close(self) -> None:
        """Stop watching; nothing is signalled."""
        self._unwatch()
        self._steering.close()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    async def _supervise(self) -> None:
        if self.assignment.boot_id != self._host.identity.boot_id:
            return await self._end_of_other_boot()
        directory = await self._started()
        if directory is not None:
            await self._follow(directory)

    async def _started(self) -> RunDirectory | None:
        """The directory in which the attempt was executed, starting it where it never was; None if it ended before."""
        directory = RunDirectory.latest(self._host.runs, self.assignment.uid)
        spawned = False
        while True:
            if directory is None:
                directory = await self._launch()
                if directory is None:
                    return None
                spawned = True
            self._watch(directory)
            if await self._settle(directory, spawned):
                return directory
            directory, spawned = None, False

    async def _launch(self) -> RunDirectory | None:
        """Ask for the start; None where the attempt has ended before it could begin."""
        if self._steering.desired is Desired.STOP:
            await self._finish(outcomes.never_started(self.assignment.offsets))
            return None
        try:
            return launch(self._host, self.assignment, self._backend)
        except BackendError as error:
            await self._finish(outcomes.refused(self.assignment.offsets, reason_of(error), error.detail))
            return None

    async def _settle(self, directory: RunDirectory, spawned: bool) -> bool:
        """True once the attempt is proven to have been started there, False once it is proven that it never will be.

        Where this worker has just asked for the start it first waits for it; closing the gate is for the case that
        nobody may be coming any more.
        """
        deadline = asyncio.get_running_loop().time() + _SPAWNED_WITHIN_S
        while spawned and directory.proc() is None and asyncio.get_running_loop().time() < deadline:
            if not self._host.zygote.is_connected():
                break
            await self._wait(_RECHECK_S)
        while (settled := directory.settle()) is Settled.UNDECIDED:
            await self._wait(_SETTLE_S)
        return settled is Settled.STARTED

    async def _follow(self, directory: RunDirectory) -> None:
        """Record what the attempt writes until it has ended, then its end."""
        self._watch(directory)
        tail = self._tail(directory)
        if self._late:
            await self._catch_up(tail)
        quiet = 0
        while (state := directory.state()) is State.ALIVE:
            self._steering.attach(directory.path)
            self._watch_shim(directory)
            quiet = 0 if await self._record_all(tail, None) else quiet + 1
            await self._wait(_RECHECK_S if quiet < _RECHECKS else None)
        if state is State.SHIM_LOST:
            await asyncio.to_thread(directory.kill_leftovers)
        await self._conclude(directory, state, tail)

    async def _conclude(self, directory: RunDirectory, state: State, tail: Tail) -> None:
        """Record the rest and the outcome."""
        if state is State.COPY:
            await self._finish(outcomes.copied(tail.recorded, directory.path))
            return
        record = directory.exit() if state is State.EXITED else None
        sizes = _offsets(directory.sizes() if record is None else record.sizes)
        await self._record_all(tail, sizes)
        if record is not None:
            outcome = outcomes.exited(record, tail.verdict(outcomes.ending(record)), sizes)
        elif state is State.OTHER_BOOT:
            outcome = outcomes.rebooted(sizes)
        else:
            outcome = outcomes.lost(sizes)
        await self._finish(outcome)
        directory.mark_recorded()

    async def _end_of_other_boot(self) -> None:
        """An attempt of another boot: nothing of it can live, whatever its directory says."""
        directory = RunDirectory.latest(self._host.runs, self.assignment.uid)
        if directory is None:
            await self._finish(outcomes.rebooted(self.assignment.offsets))
            return
        await self._conclude(directory, State.OTHER_BOOT, self._tail(directory))

    def _tail(self, directory: RunDirectory) -> Tail:
        spec = directory.spec()
        if self._reader is not None:
            self._reader.close()
        self._reader = SpoolReader(directory.path, indexed=spec.stdio == "pipe")
        tail = Tail(self._reader, self._backend, Redactor(spec.secrets))
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
            elif batch.is_all:
                return moved

    async def _record(self, tail: Tail, parts: list[Part]) -> None:
        try:
            answer = await self._control.record(self._request(parts))
        except OffsetMismatch:
            await self._catch_up(tail)
            return
        tail.recorded = answer.offsets
        self._steering.recorded(answer.offsets)

    async def _catch_up(self, tail: Tail) -> None:
        """Go on from what the server has."""
        answer = await self._control.record(self._request([]))
        tail.reset(answer.offsets, answer.states)

    async def _finish(self, outcome: Outcome) -> None:
        """Record how the attempt ended; a late one was ended by the server."""
        if not self._late:
            await self._control.record(self._request([], outcome))
            log.info("run ended", run=self.assignment.run_id, status=outcome.status, reason=outcome.reason)

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

    async def _wait(self, timeout_s: float | None) -> None:
        """Until something changed, or for `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            pass
        self._changed.clear()

    def _watch(self, directory: RunDirectory) -> None:
        if self._watched is not directory:
            self._unwatch()
            self._watched = directory
            self._host.inotify.watch(directory.path, self._changed.set)

    def _watch_shim(self, directory: RunDirectory) -> None:
        """Learn of the shim's end from the kernel."""
        if self._shim_fd >= 0:
            return
        descriptor = directory.open_shim()
        if descriptor is None:
            self._changed.set()
            return
        self._shim_fd = descriptor
        asyncio.get_running_loop().add_reader(descriptor, self._shim_ended)

    def _shim_ended(self) -> None:
        self._forget_shim()
        self._changed.set()

    def _forget_shim(self) -> None:
        if self._shim_fd >= 0:
            asyncio.get_running_loop().remove_reader(self._shim_fd)
            os.close(self._shim_fd)
            self._shim_fd = -1

    def _unwatch(self) -> None:
        self._forget_shim()
        if self._watched is not None:
            self._host.inotify.forget(self._watched.path)
            self._watched = None


def _offsets(sizes: Sizes) -> Offsets:
    return Offsets(out=sizes.out, err=sizes.err, journal=sizes.journal)
