"""One attempt, from its assignment to its recorded end.

Read `run` top-down: settle whether it was ever started, start it if not, follow its files until its end, record that.
Everything known is on disk or on the server, so an execution may begin anywhere, any number of times.
"""

import asyncio
import os
from collections.abc import Set

import msgspec
import structlog

from agentrunner.agents.base import Backend
from agentrunner.domain.control import Assignment, Offsets, Outcome, Part, RecordAnswer, RecordRequest, States
from agentrunner.domain.errors import BackendError, OffsetMismatch, StaleEpoch
from agentrunner.domain.event import EventType
from agentrunner.domain.state import Desired
from agentrunner.process import tree
from agentrunner.process.adopt import ExitRecord, RunDirectory, Settled, Sizes, State
from agentrunner.process.redaction import Redactor
from agentrunner.process.spool import SpoolReader
from agentrunner.worker import outcomes
from agentrunner.worker.control import Control
from agentrunner.worker.host import Host
from agentrunner.worker.launch import launch, reason_of
from agentrunner.worker.steering import Steering
from agentrunner.worker.tail import Batch, Tail

log = structlog.get_logger("agentrunner.worker")

_RECHECK_S = 1.0
"""After activity, look once more unasked: a hint may have been lost."""
_RECHECKS = 3
_POLL_S = 0.25
"""Where the kernel gives no hints at all; doubled up to the longest while nothing happens."""
_LONGEST_POLL_S = 2.0
_SETTLE_S = 0.02
_LONGEST_SETTLE_S = 1.0
_SPAWNED_WITHIN_S = 10.0
_LONGEST_PAUSE_S = 10.0
_KILL_S = 30.0
_SPOOLED = frozenset({b"out", b"err"})


class Execution:
    """Supervises one attempt. Wishes, inputs and deadlines may come at any time and reach the shim once it is there."""

    def __init__(self, control: Control, host: Host, assignment: Assignment, backend: Backend) -> None:
        self.assignment = assignment
        self._control = control
        self._host = host
        self._backend = backend
        self._stored: tuple[Offsets, States] | None = assignment.offsets, assignment.states
        self._late = False
        self._changed = asyncio.Event()
        self._steering = Steering(assignment, host.options.spool_cap_bytes)
        self._steering.move_deadline(host.lease.until)
        self._watched: RunDirectory | None = None
        self._is_hinted = True
        self._shim_fd = -1
        self._reader: SpoolReader | None = None
        self._writes_files = False

    @property
    def revision(self) -> int:
        """The newest wish that this execution knows."""
        return self._steering.revision

    @property
    def directory(self) -> RunDirectory | None:
        """Where it is executed, as far as that is known."""
        return self._watched

    @property
    def inputs(self) -> set[int]:
        """The inputs that this execution takes care of."""
        return self._steering.inputs

    def wish(self, desired: Desired, revision: int) -> None:
        """Somebody wishes something; the shim's journal will say when it is fact."""
        self._steering.wish(desired, revision)
        self._changed.set()

    def send(self, input_id: int, text: str) -> None:
        """Pass an input on as soon as the shim is there."""
        self._steering.send(input_id, text)

    def move_deadline(self, boottime: float) -> None:
        """The server answered: the run may live until then without another answer."""
        self._steering.move_deadline(boottime)

    async def run(self) -> None:
        """Supervise until the end is recorded; after a fault it may be called again.

        Raises StaleEpoch where another worker process owns the attempt.
        """
        try:
            if not self._late:
                await self._supervise()
        except StaleEpoch as error:
            if not error.extra.get("ended"):
                raise
            self._late = True
        if self._late:
            await self.deliver_late()

    async def deliver_late(self) -> None:
        """The attempt is over without us: end its tree, then hand in what the server has not got, flagged.

        The server is asked first, for only its word makes an attempt over. Raises StaleEpoch where it is not.
        """
        self._late = True
        self._stored = None
        await self._ask_stored()
        directory = RunDirectory.latest(self._host.runs, self.assignment.uid)
        if directory is None or not await self._is_started(directory, spawned=False):
            return
        if directory.state() is State.ALIVE:
            self._steering.end()
        await self._follow(directory)

    def close(self) -> None:
        """Stop watching; nothing is signalled."""
        self._unwatch()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    async def _supervise(self) -> None:
        await self._ask_stored()
        if self.assignment.boot_id != self._host.identity.boot_id:
            return await self._end_of_other_boot()
        directory = await self._started()
        if directory is not None:
            await self._follow(directory)

    async def _ask_stored(self) -> None:
        """After a fault, what the assignment said is old: go on from what the server has by now."""
        if self._stored is None:
            answer = await self._send([])
            self._stored = answer.offsets, answer.states

    @property
    def _offsets(self) -> Offsets:
        return Offsets() if self._stored is None else self._stored[0]

    async def _started(self) -> RunDirectory | None:
        """The directory in which the attempt was executed, starting it where it never was; None if it ended before."""
        directory = RunDirectory.latest(self._host.runs, self.assignment.uid)
        if directory is None and self._offsets != Offsets():
            await self._end_of_vanished()
            return None
        spawned, pause_s = False, _SETTLE_S
        while True:
            if directory is None:
                directory = await self._launch()
                if directory is None:
                    return None
                spawned = True
            self._watch(directory)
            if await self._is_started(directory, spawned):
                return directory
            if spawned:
                # Whatever keeps shims from coming to be, trying again at full speed would fill the disk.
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            directory, spawned = None, False

    async def _launch(self) -> RunDirectory | None:
        """Ask for the start; None where the attempt has ended before it could begin.

        Without room, inode or descriptor for it nothing was started: tried again until there is, or it is to stop.
        """
        pause_s = _SETTLE_S
        while self._steering.desired is not Desired.STOP:
            try:
                return await launch(self._host, self.assignment, self._backend)
            except BackendError as error:
                await self._finish(outcomes.refused(self._offsets, reason_of(error), error.detail))
                return None
            except OSError as error:
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
                log.warning("not started yet, trying again", run=self.assignment.run_id, why=str(error), in_s=pause_s)
            await self._wait(pause_s)
        await self._finish(outcomes.never_started(self._offsets))
        return None

    async def _is_started(self, directory: RunDirectory, spawned: bool) -> bool:
        """True once the attempt is proven to have been started there, False once it is proven that it never will be.

        Where this worker has just asked for the start it first waits for it; closing the gate is for the case that
        nobody may be coming any more.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + _SPAWNED_WITHIN_S
        while spawned and directory.proc() is None and clock() < deadline and self._should_come():
            await self._wait(_RECHECK_S if self._is_hinted else _SETTLE_S)
        pause_s = _SETTLE_S
        while (settled := directory.settle()) is Settled.UNDECIDED:
            await self._wait(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_SETTLE_S)
        return settled is Settled.STARTED

    def _should_come(self) -> bool:
        """False once the zygote is gone that was asked (while another execution speaks to it, it is not), and once
        the run is to stop: then whoever is first at the gate decides.
        """
        if self._steering.desired is Desired.STOP:
            return False
        return self._host.spawning.locked() or self._host.zygote.is_connected()

    async def _follow(self, directory: RunDirectory) -> None:
        """Record what the attempt writes until it has ended, then its end."""
        self._watch(directory)
        tail = self._tail(directory)
        self._changed.set()
        async with self._steering.following(directory.path):
            quiet = 0
            while (state := directory.state()) is State.ALIVE:
                is_watched = self._watch_shim(directory)
                await self._wait(self._patience(quiet, is_watched))
                # First what came, which somebody may be waiting for; then whether it was the last.
                quiet = 0 if await self._record_all(tail) else quiet + 1
        if state is State.SHIM_LOST:
            await asyncio.to_thread(directory.kill_leftovers)
        await self._conclude(directory, state, tail)

    def _patience(self, quiet: int, is_watched: bool) -> float | None:
        """How long to wait for a hint before looking unasked; None where hints suffice."""
        if not self._is_hinted:
            return float(min(_POLL_S * 2 ** min(quiet, 10), _LONGEST_POLL_S))
        return _RECHECK_S if quiet < _RECHECKS or not is_watched else None

    async def _conclude(self, directory: RunDirectory, state: State, tail: Tail) -> None:
        """Record the rest, and with the last of it the outcome."""
        if state is State.COPY:
            return await self._finish(outcomes.copied(tail.recorded, directory.path))
        record = directory.exit() if state is State.EXITED else None
        found = _offsets(directory.sizes() if record is None else record.sizes)
        while True:
            # A spool may have lost bytes that are stored (an agent truncated it, a power cut did): those stay stored.
            sizes = _at_least(found, tail.recorded)
            batch = tail.read(sizes)
            outcome = _outcome(state, record, tail, sizes) if batch.is_all else None
            if await self._record(tail, batch, outcome) and outcome is not None:
                break
        directory.mark_recorded()

    async def _end_of_other_boot(self) -> None:
        """An attempt of another boot: nothing of it can live, whatever its directory says."""
        directory = RunDirectory.latest(self._host.runs, self.assignment.uid)
        if directory is None:
            return await self._finish(outcomes.rebooted(self._offsets))
        try:
            tail = self._tail(directory)
        except (ValueError, TypeError, msgspec.MsgspecError) as error:
            # Without it nothing can be redacted, so nothing is delivered.
            log.warning("a power cut has left no usable spec", run=self.assignment.run_id, error=str(error))
            return await self._finish(outcomes.rebooted(self._offsets))
        await self._conclude(directory, State.OTHER_BOOT, tail)

    async def _end_of_vanished(self) -> None:
        """Executed, as the stored facts prove, and nothing is there any more: end what may be left of it."""
        probe = tree.probe(self._host.options.tree)
        left = tree.make(probe.name, probe.base, self._host.instance_id, self.assignment.uid)
        await asyncio.to_thread(left.kill, _KILL_S)
        await self._finish(outcomes.vanished(self._offsets))

    def _tail(self, directory: RunDirectory) -> Tail:
        spec = directory.spec()
        if self._reader is not None:
            self._reader.close()
        self._writes_files = spec.stdio == "file"
        self._reader = SpoolReader(directory.path, indexed=not self._writes_files)
        tail = Tail(self._reader, self._backend, Redactor(spec.secrets))
        if self._stored is not None:
            tail.reset(*self._stored)
        # From here on the server gets ahead of it.
        self._stored = None
        return tail

    async def _record_all(self, tail: Tail) -> bool:
        """Record until nothing more can be read now; answers whether there was anything."""
        moved = False
        while True:
            batch = tail.read()
            moved = moved or bool(batch.parts)
            await self._record(tail, batch)
            if batch.is_all:
                return moved

    async def _record(self, tail: Tail, batch: Batch, outcome: Outcome | None = None) -> bool:
        """Record a batch; False where the server has other offsets, from which is then gone on."""
        parts = [part for part in batch.parts if part.start < part.end] if self._late else batch.parts
        if not parts and (outcome is None or self._late):
            # Others have their turn also while a long line is gathered without anything to send.
            await asyncio.sleep(0)
            return True
        try:
            answer = await self._send(parts, outcome)
        except OffsetMismatch:
            await self._catch_up(tail)
            return False
        tail.recorded = answer.offsets
        if any(_says_dropped(part) for part in parts):
            self._steering.hurry()
        self._steering.recorded(answer.offsets)
        for number in batch.delivered:
            self._steering.delivered(number)
        if outcome is not None and not self._late:
            self._note_end(outcome)
        return True

    async def _catch_up(self, tail: Tail) -> None:
        """Go on from what the server has. Raises OffsetMismatch where that is where this worker was already."""
        before = tail.recorded
        answer = await self._send([])
        if answer.offsets == before:
            raise OffsetMismatch(f"The server refuses output that continues what it has: {before}.")
        tail.reset(answer.offsets, answer.states)

    async def _finish(self, outcome: Outcome) -> None:
        """Record how the attempt ended, with nothing left to record; a late one was ended by the server."""
        if not self._late:
            await self._send([], outcome)
            self._note_end(outcome)

    def _note_end(self, outcome: Outcome) -> None:
        log.info("attempt ended", run=self.assignment.run_id, status=outcome.status, reason=outcome.reason)

    async def _send(self, parts: list[Part], outcome: Outcome | None = None) -> RecordAnswer:
        answer = await self._control.record(self._request(parts, outcome))
        if answer.ended and outcome is None and not self._late:
            raise StaleEpoch(f"Run {self.assignment.run_id} was ended by the server.", ended=True)
        return answer

    def _request(self, parts: list[Part], outcome: Outcome | None = None) -> RecordRequest:
        return RecordRequest(
            worker_id=self._host.identity.worker_id,
            epoch=self.assignment.epoch,
            run_id=self.assignment.run_id,
            attempt=self.assignment.attempt,
            uid=self.assignment.uid,
            parts=parts,
            outcome=None if self._late else outcome,
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
            self._is_hinted = self._host.hints.watch(directory.path, self._note_change)

    def _note_change(self, names: Set[bytes]) -> None:
        if names and names <= _SPOOLED and not self._writes_files:
            # Of a pipe is read what the index covers, and that comes at once.
            return
        self._changed.set()
        if self._reader is not None and self._writes_files:
            # Here, not where it is read: a server that is slow to store keeps this execution waiting.
            self._steering.grown(sum(self._reader.file_sizes().values()))

    def _watch_shim(self, directory: RunDirectory) -> bool:
        """Learn of the shim's end from the kernel; False where that cannot be (gone, or no descriptor is free)."""
        if self._shim_fd < 0:
            descriptor = directory.open_shim()
            if descriptor is None:
                return False
            self._shim_fd = descriptor
            asyncio.get_running_loop().add_reader(descriptor, self._shim_ended)
        return True

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
            self._host.hints.forget(self._watched.path)
            self._watched = None


def _outcome(state: State, record: ExitRecord | None, tail: Tail, sizes: Offsets) -> Outcome:
    """How it ended, once everything is read."""
    if record is not None:
        return outcomes.exited(record, tail.verdict(outcomes.ending(record)), sizes)
    return outcomes.rebooted(sizes) if state is State.OTHER_BOOT else outcomes.lost(sizes)


def _says_dropped(part: Part) -> bool:
    return part.stream == "journal" and any(event.type == EventType.OUTPUT_DROPPED for event in part.events)


def _at_least(sizes: Offsets, stored: Offsets) -> Offsets:
    return Offsets(
        out=max(sizes.out, stored.out), err=max(sizes.err, stored.err), journal=max(sizes.journal, stored.journal)
    )


def _offsets(sizes: Sizes) -> Offsets:
    return Offsets(out=sizes.out, err=sizes.err, journal=sizes.journal)
