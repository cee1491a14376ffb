"""One agent's life as its run directory tells it: from the start gate to the exit record.

The files are the truth; inotify and the shim's pidfd only say when to look. Nobody holds a lock: who waits for the end
keeps nobody from signalling, killing or asking.
"""

import asyncio
import os
import signal as signals
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agentrunner.local_runner.errors import CommunicationError, ExecutionError, SpawnFailed, Timeout
from agentrunner.local_runner.output import Pulse, Subscription
from agentrunner.process import procfs
from agentrunner.process.adopt import ExitRecord, RunDirectory, Settled, State
from agentrunner.process.journal import read_facts
from agentrunner.process.output import LEAST_CAP
from agentrunner.process.spool import Stream
from agentrunner.worker.hints import Hints
from agentrunner.worker.shim import Shim

EPOCH = 1
"""The runner's lock on its directory makes it the only one who commands: epochs have nothing to order."""
_TELL_EVERY = 8
"""The shim hears of what may be given up each time that it has grown by this part of the cap."""
_POLL_S = 0.05
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.001, 0.05
_START_S, _KILL_S = 15.0, 15.0
_PROMPT_S = 1.5
"""A shim that is to kill has so long to say that it will; then it is killed itself."""
_STREAMS: tuple[Stream, Stream] = ("out", "err")


class Life:
    """Follows one directory; `on_end` is called once, when nothing of the agent is left."""

    def __init__(self, directory: RunDirectory, hints: Hints, cap_bytes: int, on_end: Callable[[], None]) -> None:
        self.directory = directory
        self.pulse = Pulse()
        self.record: ExitRecord | None = None
        self.is_over = False
        self.is_lost = False
        self.removal: weakref.finalize[[Path], Life] | None = None
        self.subscriptions: weakref.WeakSet[Subscription] = weakref.WeakSet()
        self._hints = hints
        self._on_end = on_end
        self._step = max(1, max(cap_bytes, LEAST_CAP) // _TELL_EVERY)
        self._told: dict[Stream, int] = dict.fromkeys(_STREAMS, 0)
        self._ends: dict[Stream, int] | None = None
        self._revision = 0
        self._shim_fd = -1
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_burying = self._is_telling = False

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.directory.path

    def watch(self) -> None:
        """Look whenever something happens there; again and again where the kernel does not say when."""
        if not self._hints.watch(self.path, self._hinted):
            self._add(self._poll())

    def _hinted(self, *_: object) -> None:
        self.look()

    def take_over(self) -> int | None:
        """Follow what an earlier runner has started; answers since when it is paused by a wish, in milliseconds."""
        self.watch()
        self._watch_shim()
        paused, offset = None, 0
        while True:
            facts, end = read_facts(self.path, offset)
            for fact in facts:
                self._revision = max(self._revision, int(fact.fields.get("rev") or 0))
                paused = {"paused": fact.ts, "resumed": None}.get(fact.name, paused)
            if end == offset:
                break
            offset = end
        self.look(deeply=True)
        return paused

    async def begin(self) -> None:
        """Wait until the agent executes. Raises SpawnFailed, with nothing left, where it does not."""
        try:
            async with asyncio.timeout(_START_S):
                while not self.is_over and not self._has_started():
                    await self.pulse.wait()
        except TimeoutError:
            await self.destroy()
            raise SpawnFailed(f"The agent did not start within {_START_S:g} s.") from None
        if self.record is not None and self.record.spawn_error is not None:
            raise SpawnFailed(self.record.spawn_error)
        if self.is_over and self.record is None:
            raise SpawnFailed("The process that should own the agent was killed.")

    def _has_started(self) -> bool:
        if self.directory.proc() is None:
            return False
        self._watch_shim()
        facts, _ = read_facts(self.path, 0)
        return any(fact.name == "started" for fact in facts)

    def _watch_shim(self) -> None:
        """Learn of the shim's end from the kernel; where no descriptor is free, from looking."""
        if self._shim_fd >= 0 or self.is_over:
            return
        descriptor = self.directory.open_shim()
        if descriptor is None:
            self._add(self._poll())
            return
        self._shim_fd = descriptor
        asyncio.get_running_loop().add_reader(descriptor, self._shim_ended)

    def _shim_ended(self) -> None:
        self._forget_shim()
        self.look(deeply=True)

    def _forget_shim(self) -> None:
        if self._shim_fd >= 0:
            asyncio.get_running_loop().remove_reader(self._shim_fd)
            os.close(self._shim_fd)
            self._shim_fd = -1

    async def _poll(self) -> None:
        while not self.is_over:
            await asyncio.sleep(_POLL_S)
            self.look(deeply=True)

    def look(self, deeply: bool = False) -> None:
        """See whether it has ended; `deeply` also whether its shim is gone without a word."""
        if self.is_over:
            return
        if (record := self.directory.exit()) is not None:
            sizes = record.sizes
            self._end(record, {"out": sizes.out, "err": sizes.err})
        elif deeply and self.directory.proc() is not None and self.directory.state() is not State.ALIVE:
            self._bury()
        else:
            self.note_read()
            self.pulse.beat()

    def _bury(self) -> None:
        if not self._is_burying:
            self._is_burying = True
            self._add(self._kill_leftovers())

    async def _kill_leftovers(self) -> None:
        """A killed shim has left no record: end what it had, and take what is there for all."""
        await asyncio.to_thread(self.directory.kill_leftovers)
        record, sizes = self.directory.exit(), self.directory.sizes()
        self.is_lost = record is None
        self._end(record, {"out": sizes.out, "err": sizes.err})

    def _end(self, record: ExitRecord | None, ends: dict[Stream, int]) -> None:
        self.record, self._ends, self.is_over = record, ends, True
        self.release()
        self.pulse.beat()
        self._on_end()

    def release(self) -> None:
        """Let go of the kernel's watches; the agent goes on if it lives."""
        self._hints.forget(self.path)
        self._forget_shim()
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()

    def keep_files(self) -> None:
        """Leave the directory to whoever removes the runner's: somebody may still be at its gate."""
        if self.removal is not None:
            self.removal.detach()

    def end_of(self, stream: Stream) -> int | None:
        """The final size of a stream; None while it may grow."""
        return None if self._ends is None else self._ends[stream]

    def given_up(self, stream: Stream) -> int:
        """Output before this offset may be gone from the disk."""
        return self._told[stream]

    def note_read(self) -> None:
        """There is more, or a subscriber has got further: tell the shim what it may give up, where that is much."""
        if self.is_over or self._is_telling or self._may_give_up() is None:
            return
        self._is_telling = True
        self._add(self._tell())

    def _may_give_up(self) -> dict[Stream, int] | None:
        """What no subscriber has still to read, once that is a step more than was told; None before."""
        found = {stream: _size(self.path / stream) for stream in _STREAMS}
        if sum(found.values()) - sum(self._told.values()) < self._step:
            return None
        for subscription in self.subscriptions:
            found[subscription.stream] = min(found[subscription.stream], subscription.position)
        return found if sum(found.values()) - sum(self._told.values()) >= self._step else None

    async def _tell(self) -> None:
        try:
            while (found := self._may_give_up()) is not None:
                self._told = found
                await self.ask({"cmd": "recorded", "out": found["out"], "err": found["err"]})
        except CommunicationError:
            return  # it has ended, which its files say
        finally:
            self._is_telling = False

    def _add(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def ask(self, command: Mapping[str, Any], within_s: float = 5.0) -> dict[str, Any]:
        """Tell the shim something; its answer. Raises CommunicationError where it has ended or does not answer."""
        try:
            async with Shim(self.path, within_s) as shim:
                return await shim.ask({**command, "epoch": EPOCH})
        except OSError as error:
            raise CommunicationError(
                f"The agent's shim does not answer: {str(error) or type(error).__name__}"
            ) from error

    async def wait(self) -> None:
        """Until nothing of the agent is left."""
        while not self.is_over:
            await self.pulse.wait()

    def signal(self, number: int) -> None:
        """Signal the agent's own process, by proof that it is still that one. Raises ExecutionError."""
        proc = self.directory.proc()
        if self.is_over or proc is None:
            raise ExecutionError("The agent has ended.")
        try:
            descriptor = os.pidfd_open(proc.pid)
        except OSError as error:
            raise ExecutionError("The agent has ended.") from error
        try:
            if procfs.start_time(proc.pid) != proc.start_time:
                raise ExecutionError("The agent has ended.")
            signals.pidfd_send_signal(descriptor, number)
        except OSError as error:
            raise ExecutionError(f"The agent cannot be signalled: {error}") from error
        finally:
            os.close(descriptor)

    async def freeze(self, on: bool, timeout_s: float = 10.0) -> None:
        """Stop every process of the tree, or let them go on; returns when the kernel says so. Raises Timeout."""
        self._revision += 1
        await self.ask({"cmd": "pause" if on else "resume", "rev": self._revision})
        pause_s = _FIRST_PAUSE_S
        try:
            async with asyncio.timeout(timeout_s):
                while (await self.ask({"cmd": "status"}))["frozen"] is not on:
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        except TimeoutError:
            raise Timeout(f"The agent's processes do not stand still within {timeout_s:g} s.") from None

    async def stop(self, grace_s: float) -> None:
        """SIGTERM to the whole tree, then SIGKILL after `grace_s`; with 0 at once. Returns when nothing is left.

        The shim takes the steps, so they are taken whatever becomes of this program. One that does not answer is
        killed itself, and its agent with it.
        """
        if self.is_over:
            return
        try:
            # The shim counts what a frozen tree gets: two thirds of the grace.
            command = {"cmd": "stop", "rev": 0, "grace_s": grace_s * 1.5, "first": "terminate"}
            await self.ask(command, within_s=_PROMPT_S + grace_s)
            async with asyncio.timeout(grace_s + _KILL_S):
                await self.wait()
        except (CommunicationError, TimeoutError):
            self.look(deeply=True)
            if not self.is_over:
                await self._force()

    async def _force(self) -> None:
        if (descriptor := self.directory.open_shim()) is not None:
            try:
                signals.pidfd_send_signal(descriptor, signals.SIGKILL)
            except ProcessLookupError:
                pass
            finally:
                os.close(descriptor)
        try:
            async with asyncio.timeout(_KILL_S):
                while not self.is_over:
                    self.look(deeply=True)
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise Timeout("The agent's processes cannot be killed.") from None

    async def destroy(self) -> None:
        """Never let it start, or end it at once."""
        settled = self.directory.settle()
        while settled is Settled.UNDECIDED:
            await asyncio.sleep(_FIRST_PAUSE_S)
            settled = self.directory.settle()
        if settled is Settled.STARTED:
            await self.stop(0)
        else:
            self.release()
            self.is_over = True


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
