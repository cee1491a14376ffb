"""An agent's output on its way into the spools, and the cap on the disk that it uses. Stand-alone.

Two modes: `pipe`, where the shim moves bytes by splice(2) and notes order and times in `idx`, and `file`, where the
agent writes into the spools by itself and the shim looks how much. A spool of a pipe is made with its first byte.

Where the disk refuses, recorded bytes are given back first. What then cannot be kept of a pipe is read all the same, so
that the agent goes on, and counted; a line that was begun is ended there by a newline of ours, so that no line shows
what was never one. In file mode the agent meets the refusal by itself.
"""

from __future__ import annotations

import fcntl
import os
import select
import time

from agentrunner.process import kernel
from agentrunner.process.facts import Journal
from agentrunner.process.index import Index
from agentrunner.process.pressure import Pressure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STREAMS = ("out", "err")
LEAST_CAP = 4 << 20
"""Of a smaller cap this much is used: an unfinished line of a MiB on each stream cannot be recorded, so not punched."""
LEAST_FILE_CAP = 2 * LEAST_CAP
"""In file mode, where half of the cap is for what is written between two looks."""
_MERGE_S, _LONGEST_MERGE_S = 1.0, 64.0
_PIPE_BYTES = 256 * 1024
_FLOW_S = 0.001
"""Output that comes again this soon flows; a line by itself is moved at once."""
_GATHER_S = 0.0004
"""What a fast writer (500 MB/s) needs to fill most of the pipe."""
_CHUNK = _MIB = 1 << 20
_COPY = 64 * 1024
_PAGE = 4096
_BLOCK = 512
_ROUNDING = 4 * _PAGE
"""The last page of each file is in use to its end."""
_CHECK_S, _LONGEST_CHECK_S, _SHORTEST_CHECK_S = 0.25, 5.0, 0.001
_FASTEST = 2 << 30
"""Bytes a second that no agent exceeds: in file mode the next look comes before the room can be full."""


class Spool:
    """One stream. `size` is what was ever written, `punched` how much of its beginning was given back."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.file = -1
        self.pipe = -1
        self.size = 0
        self.blocks = 0
        self.recorded = 0
        self.punched = 0
        self.dropped = 0
        self.dropped_noted = 0
        self.note_after = 0.0
        self.merge_s = _MERGE_S
        self.why = ""
        self.is_cut = False
        """What came last was dropped."""


class Output:
    """Both streams of one agent. `is_over` once more was written than the run may write in all."""

    def __init__(self, directory: int, epoll: select.epoll, spec: dict[str, Any]) -> None:
        self._directory = directory
        self._epoll = epoll
        self.in_files = spec["stdio"] == "file"
        least = LEAST_FILE_CAP if self.in_files else LEAST_CAP
        self._cap: int = max(spec["spool_cap_bytes"], least) - _ROUNDING
        self._allowed: int | None = spec.get("output_bytes")
        self.spools = {name: Spool(name) for name in STREAMS}
        self.is_over = False
        self.is_held = False
        self._index = Index(directory)
        self._moved_at = 0.0
        self._check_s = _SHORTEST_CHECK_S
        self._check_at = 0.0
        self.journal = Journal(directory, self.sizes)
        self.pressure = Pressure(self.journal, ("frozen", "thawed") if self.in_files else ("held", "flowing"))

    def open_ends(self) -> list[int]:
        """What the agent gets as 1 and 2, for the caller to close. Raises OSError."""
        return [self._open_end(spool) for spool in self.spools.values()]

    def _open_end(self, spool: Spool) -> int:
        if self.in_files:
            self._open_file(spool)
            return os.open(spool.name, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, dir_fd=self._directory)
        spool.pipe, write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(spool.pipe, False)
        try:
            fcntl.fcntl(spool.pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        except OSError:
            pass  # the user's share of pipe pages is used up: a smaller pipe is only slower
        self._epoll.register(spool.pipe, select.EPOLLIN)
        return write

    def _open_file(self, spool: Spool) -> int:
        if spool.file < 0:
            spool.file = os.open(spool.name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=self._directory)
        return spool.file

    def sizes(self) -> dict[str, int]:
        """Bytes spooled of each stream, now."""
        if self.in_files:
            for spool in self.spools.values():
                if spool.file >= 0:
                    found = os.fstat(spool.file)
                    spool.size, spool.blocks = found.st_size, found.st_blocks
        return {name: spool.size for name, spool in self.spools.items()}

    def dropped(self) -> int:
        """Bytes that could not be kept."""
        return sum(spool.dropped for spool in self.spools.values())

    def spent(self) -> dict[str, object]:
        """What the run may write in all, and what it has written, in MiB."""
        used = sum(self.sizes().values()) + self.dropped()
        return {"value": (self._allowed or 0) / _MIB, "used": round(used / _MIB, 3)}

    def is_open(self) -> bool:
        """True while somebody may still write into a pipe."""
        return any(spool.pipe >= 0 for spool in self.spools.values())

    def handle(self, descriptor: int) -> int | None:
        """Move what is ready; answers how much, None where the descriptor is no pipe of an agent."""
        for spool in self.spools.values():
            if spool.pipe == descriptor:
                self._gather()
                return self._move(spool)
        return None

    def _gather(self) -> None:
        """Let a writer in full flow fill its pipe: moved a few lines at a time, they cost more than writing them."""
        if time.monotonic() - self._moved_at < _FLOW_S:
            time.sleep(_GATHER_S)
        self._moved_at = time.monotonic()

    def _move(self, spool: Spool) -> int:
        room = self._room()
        if room > 0:
            return self._splice(spool, room)
        self._hold()
        return 0

    def empty(self) -> None:
        """Move all that the pipes hold, as far as there is room."""
        for spool in self.spools.values():
            while spool.pipe >= 0 and not self.is_held and self._move(spool):
                pass

    def drain(self, most_s: float) -> None:
        """Move all that the pipes hold, room or not, once nobody writes any more."""
        until = time.monotonic() + most_s
        for spool in self.spools.values():
            while spool.pipe >= 0 and time.monotonic() < until and self._splice(spool, _CHUNK):
                pass
        self.catch_up()

    def _splice(self, spool: Spool, most: int) -> int:
        """Move up to `most` bytes; answers how many left the pipe, kept or dropped."""
        if self._allowed is not None:
            most = min(most, self._allowed - sum(self.sizes().values()))
            if most <= 0:
                return self._drop(spool, "output_mb")
        if spool.is_cut:
            return self._copy(spool, most)
        try:
            file = self._open_file(spool)
            count = os.splice(spool.pipe, file, min(most, _CHUNK), offset_dst=spool.size, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            return 0
        except OSError:
            return self._copy(spool, most)
        if count:
            self._grow(spool, count)
        else:
            self._close_pipe(spool)
        return count

    def _copy(self, spool: Spool, most: int) -> int:
        """Where splice is refused, by the file system or by a full disk: keep what can be kept, drop the rest."""
        try:
            data = os.read(spool.pipe, min(most, _COPY))
        except BlockingIOError:
            return 0
        if not data:
            self._close_pipe(spool)
            return 0
        kept = self._keep_behind_gap(spool, data) if spool.is_cut else self._keep(spool, data)
        if kept < len(data):
            self._count_dropped(spool, len(data) - kept)
        return len(data)

    def _keep_behind_gap(self, spool: Spool, data: bytes) -> int:
        """Behind what was dropped a new line begins."""
        if not self._end_line(spool):
            return 0
        at = self.sizes()
        kept = self._keep(spool, data)
        if kept:
            spool.is_cut = False
            self._say_dropped(spool, at)
        return kept

    def _keep(self, spool: Spool, data: bytes) -> int:
        """Write what the disk takes, once more where recorded bytes could be given back; answers how much it took."""
        kept = 0
        while kept < len(data):
            try:
                count = os.pwrite(self._open_file(spool), data[kept:], spool.size)
            except OSError as error:
                if self.give_back():
                    continue
                spool.why = error.strerror or str(error)
                break
            kept += count
            self._grow(spool, count)
        return kept

    def _end_line(self, spool: Spool) -> bool:
        """End a line that was begun; False where there is no room even for that."""
        try:
            is_within = spool.size > 0 and os.pread(self._open_file(spool), 1, spool.size - 1) != b"\n"
        except OSError:
            return False
        return not is_within or self._keep(spool, b"\n") > 0

    def _drop(self, spool: Spool, why: str) -> int:
        """Take from the pipe and keep nothing, so that the agent goes on and can end."""
        try:
            count = len(os.read(spool.pipe, _COPY))
        except BlockingIOError:
            return 0
        if count:
            self.is_over = True
            spool.why = why
            self._count_dropped(spool, count)
        else:
            self._close_pipe(spool)
        return count

    def _count_dropped(self, spool: Spool, count: int) -> None:
        """Said at the first byte, each time that it has doubled, and at the end: the journal's room is for the end."""
        spool.dropped += count
        spool.is_cut = True
        if spool.dropped >= 2 * spool.dropped_noted and not self.journal.is_behind:
            self._note_dropped(spool, self.sizes())

    def _say_dropped(self, spool: Spool, at: dict[str, int]) -> None:
        """A gap is over: say it, together with others where there are many, and not while a fact waits for room."""
        now = time.monotonic()
        if spool.dropped > spool.dropped_noted and now >= spool.note_after and not self.journal.is_behind:
            spool.note_after = now + spool.merge_s
            spool.merge_s = min(2 * spool.merge_s, _LONGEST_MERGE_S)
            self._note_dropped(spool, at)

    def _note_dropped(self, spool: Spool, at: dict[str, int]) -> None:
        count = spool.dropped - spool.dropped_noted
        spool.dropped_noted = spool.dropped
        self.journal.note("output_dropped", at=at, stream=spool.name, bytes=count, total=spool.dropped, why=spool.why)

    def _grow(self, spool: Spool, count: int) -> None:
        spool.size += count
        self._index.add(STREAMS.index(spool.name), spool.size)

    def catch_up(self) -> None:
        """Write what a full disk has kept from being written, as far as there is room now."""
        if self.journal.is_behind or self._index.is_behind:
            self.give_back()
        self.journal.flush()
        self._index.flush()
        for spool in self.spools.values():
            if not spool.is_cut:
                self._say_dropped(spool, self.sizes())

    @property
    def is_behind(self) -> bool:
        """True while something waits for a disk that is full, or a gap that is over is still to be said."""
        unsaid = any(spool.dropped > spool.dropped_noted and not spool.is_cut for spool in self.spools.values())
        return unsaid or self.journal.is_behind or self._index.is_behind

    def finish(self) -> dict[str, int]:
        """Say what is not said yet and answer the final sizes; nobody writes any more."""
        for spool in self.spools.values():
            self._close_pipe(spool)
            if spool.dropped > spool.dropped_noted:
                self._note_dropped(spool, self.sizes())
        self.pressure.end()
        self.pressure.say(at_once=True)
        return self.sizes()

    def _close_pipe(self, spool: Spool) -> None:
        if spool.pipe < 0:
            return
        if not self.is_held:
            self._epoll.unregister(spool.pipe)
        os.close(spool.pipe)
        spool.pipe = -1

    def _used(self) -> int:
        if self.in_files:
            return sum(spool.blocks * _BLOCK for spool in self.spools.values())
        return sum(spool.size - spool.punched for spool in self.spools.values()) + self._index.used()

    def _room(self) -> int:
        """Bytes that may still be spooled; recorded ones are punched out when it gets tight."""
        room = self._cap - self._used()
        if room >= self._cap // 2:
            return room
        self.give_back()
        return self._cap - self._used()

    def give_back(self) -> bool:
        """Punch out what is recorded; False where there was nothing."""
        before = self._used()
        for spool in self.spools.values():
            end = min(spool.recorded, spool.size) // _PAGE * _PAGE
            if end > spool.punched and kernel.punch(spool.file, spool.punched, end - spool.punched):
                spool.punched = end
        self._index.punch({number: self.spools[name].recorded for number, name in enumerate(STREAMS)})
        self.sizes()
        return self._used() < before

    def _hold(self) -> None:
        """Stop reading. Not registered at all: a pipe whose writer is gone would be reported for ever."""
        if self.is_held:
            return
        for spool in self.spools.values():
            if spool.pipe >= 0:
                self._epoll.unregister(spool.pipe)
        self.is_held = True
        self.pressure.begin()

    def note_recorded(self, sizes: dict[str, int]) -> None:
        """So much of each stream is stored elsewhere; a held pipe flows again where that makes room."""
        for name, spool in self.spools.items():
            spool.recorded = max(spool.recorded, sizes[name])
        if not self.is_held or self._room() <= 0:
            return
        self.is_held = False
        for spool in self.spools.values():
            if spool.pipe >= 0:
                self._epoll.register(spool.pipe, select.EPOLLIN)
        self.pressure.end()

    def has_room(self) -> bool:
        """In file mode: whether the agent may go on. Half of the cap is for what it writes between two looks."""
        self.sizes()
        return self._room() >= self._cap // 2

    def check_left(self) -> float | None:
        """In file mode: seconds until `check` is due."""
        return max(0.0, self._check_at - time.monotonic()) if self.in_files else None

    def check(self) -> bool:
        """In file mode: look how much there is; True where it has grown. The next look is timed by the room left."""
        before = sum(spool.size for spool in self.spools.values())
        total = sum(self.sizes().values())
        grown = total > before
        if self._allowed is not None and total > self._allowed:
            self.is_over = True
        if grown:
            until_full = (self._cap - self._used()) / _FASTEST
            self._check_s = min(_CHECK_S, max(_SHORTEST_CHECK_S, until_full / 2))
        elif self._check_s >= _CHECK_S and kernel.notify_once(self._directory):
            # What was written before the kernel began to watch is not told: looked at once more.
            self._check_s = _LONGEST_CHECK_S if sum(self.sizes().values()) == total else _SHORTEST_CHECK_S
        else:
            self._check_s = min(self._check_s * 2, _LONGEST_CHECK_S)
        self._check_at = time.monotonic() + self._check_s
        return grown

    def check_now(self) -> None:
        """In file mode: somebody has written, or may have."""
        self._check_s = _SHORTEST_CHECK_S
        self._check_at = 0.0
