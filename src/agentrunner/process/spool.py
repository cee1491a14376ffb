"""Spools, read: raw output from an offset, in the order in which it came, framed into lines."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from agentrunner.process.index import ENTRY

Stream = Literal["out", "err"]
MAX_LINE = 1 << 20
LOOK_AHEAD = 256 << 10
"""So much more of a too long line is seen before it is cut: a secret that begins before the cut is seen whole."""
_NAMES: tuple[Stream, Stream] = ("out", "err")
_MOMENT_MS = 20
_MOST_PENDING = 1 << 16
"""Index entries held in memory; more are read once these are used up."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of a stream from `start` on; `ts` in milliseconds is when they were spooled."""

    stream: Stream
    start: int
    data: bytes
    ts: int


class RawLine(msgspec.Struct, frozen=True, gc=False):
    """A line without its newline; `offset` is where it starts. `cut` counts the bytes left out of a too long one."""

    data: bytes
    offset: int
    cut: int = 0


class SpoolReader:
    """Reads one run directory. In pipe mode `idx` orders out against err and knows the times; else out goes first."""

    def __init__(self, directory: Path, indexed: bool) -> None:
        self.directory = directory
        self._indexed = indexed
        self._files: dict[Stream, int] = dict.fromkeys(_NAMES, -1)
        self._idx = -1
        self._idx_read = 0
        self._pending: list[tuple[Stream, int, int]] = []
        self._given: dict[Stream, int] = dict.fromkeys(_NAMES, 0)
        self._is_closed = False

    def close(self) -> None:
        """Close every file; nothing can be read any more."""
        self._is_closed = True
        for descriptor in (*self._files.values(), self._idx):
            if descriptor >= 0:
                os.close(descriptor)
        self._files, self._idx = dict.fromkeys(_NAMES, -1), -1

    def sizes(self) -> dict[Stream, int]:
        """How much of each stream can be read now: in pipe mode what `idx` covers."""
        if not self._indexed:
            return self.file_sizes()
        self._read_idx()
        sizes: dict[Stream, int] = {"out": 0, "err": 0}
        for stream, end, _ in self._pending:
            sizes[stream] = end
        return sizes

    def file_sizes(self) -> dict[Stream, int]:
        """The sizes of the spool files."""
        return {name: _size(self._file(name)) for name in _NAMES}

    def _file(self, name: Stream) -> int:
        """A spool's descriptor; -1 until its first byte makes it."""
        if self._files[name] < 0 and not self._is_closed:
            self._files[name] = _open(self.directory / name)
        return self._files[name]

    def _read_idx(self) -> None:
        if self._idx < 0 and not self._is_closed:
            self._idx = _open(self.directory / "idx")
            self._skip_hole()
        while self._idx >= 0 and len(self._pending) < _MOST_PENDING:
            data = os.pread(self._idx, ENTRY.size * 4096, self._idx_read)
            whole = len(data) // ENTRY.size * ENTRY.size
            if not whole:
                return
            for number, end, ns in ENTRY.iter_unpack(data[:whole]):
                self._pending.append((_NAMES[number], end, ns // 1_000_000))
            self._idx_read += whole

    def _skip_hole(self) -> None:
        """Entries of recorded output are punched out, whole ones only: a reader of what is left begins behind them."""
        try:
            data = os.lseek(self._idx, 0, os.SEEK_DATA) if self._idx >= 0 else 0
        except OSError:  # nothing but a hole, or nothing yet
            return
        self._idx_read = data // ENTRY.size * ENTRY.size

    def chunks(self, read: dict[Stream, int], bound: dict[Stream, int], budget: int) -> list[Chunk]:
        """What lies between `read` and `bound`, in order, `budget` bytes at most."""
        self._rewind(read)
        if self._indexed:
            self._read_idx()
        found: list[Chunk] = []
        at = dict(read)
        for stream, start, end, ts in self._extents(read, bound):
            if budget <= 0:
                break
            data = os.pread(self._file(stream), min(end - start, budget), start) if self._file(stream) >= 0 else b""
            if data:
                found.append(Chunk(stream, start, data, ts))
            at[stream] += len(data)
            budget -= len(data)
            if len(data) < end - start:
                break
        self._forget(at)
        self._given = at
        return found

    def _rewind(self, read: dict[Stream, int]) -> None:
        """Where something is to be read again, its index entries are too."""
        if self._idx >= 0 and any(read[stream] < self._given[stream] for stream in _NAMES):
            self._pending.clear()
            self._idx_read = 0
            self._skip_hole()

    def _extents(self, read: dict[Stream, int], bound: dict[Stream, int]) -> list[tuple[Stream, int, int, int]]:
        """Stream, start, end and time of each piece to be read; neighbours of one moment are one piece."""
        pieces: list[tuple[Stream, int, int, int]] = []
        at = dict(read)
        for stream, entry_end, ts in [*self._pending, *self._uncovered(bound)]:
            start, end = at[stream], min(entry_end, bound[stream])
            if end <= start:
                continue
            at[stream] = end
            if pieces and pieces[-1][0] == stream and ts - pieces[-1][3] < _MOMENT_MS:
                _, start, _, ts = pieces.pop()
            pieces.append((stream, start, end, ts))
        return pieces

    def _uncovered(self, bound: dict[Stream, int]) -> list[tuple[Stream, int, int]]:
        """In file mode everything; in pipe mode what a killed shim had spooled and not indexed, out first."""
        now = time.time_ns() // 1_000_000
        return [(name, bound[name], now) for name in _NAMES]

    def _forget(self, at: dict[Stream, int]) -> None:
        """Drop index entries that are read, but for the last of each stream, which says how much is covered."""
        last = {stream: index for index, (stream, _, _) in enumerate(self._pending)}
        self._pending = [
            entry for index, entry in enumerate(self._pending) if entry[1] > at[entry[0]] or last[entry[0]] == index
        ]


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return -1


def _size(descriptor: int) -> int:
    return os.fstat(descriptor).st_size if descriptor >= 0 else 0


class _FramerState(msgspec.Struct, frozen=True):
    skipped: int = 0


class Framer:
    """Bytes to lines, the same however they are cut into chunks. Holds a line of a MiB, a look ahead and a chunk.

    A longer line is given up to a MiB at once; the bytes behind that are skipped and counted, and at its end the count
    comes as an empty line with `cut`. `offset` is where what is not given yet begins: the stream can be taken up there
    with `state`.
    """

    def __init__(self, offset: int, state: Any, safe_cut: Callable[[bytes, int], int]) -> None:
        kept = _FramerState() if state is None else msgspec.convert(state, _FramerState)
        self.offset = offset
        self._skipped = kept.skipped
        self._safe_cut = safe_cut
        self._rest = b""

    def state(self) -> Any:
        """What must be known to go on at `offset`; None between two lines."""
        return {"skipped": self._skipped} if self._skipped else None

    def feed(self, data: bytes) -> list[RawLine]:
        """The lines that end in `data`, and the beginning of one that is too long."""
        lines: list[RawLine] = []
        start = self._skip(data, lines) if self._skipped else 0
        # What is held has no end of line in it, so only the new bytes are looked through.
        if self._rest and (end := data.find(b"\n", start)) >= 0:
            self._give(self._rest + data[start:end], lines)
            self._rest, start = b"", end + 1
        while (end := data.find(b"\n", start)) >= 0:
            self._give(data[start:end], lines)
            start = end + 1
        self._rest += data[start:]
        if len(self._rest) >= MAX_LINE + LOOK_AHEAD:
            self._cut(self._rest, lines)
            self._rest = b""
        return lines

    def _skip(self, data: bytes, lines: list[RawLine]) -> int:
        """Skip to the end of the line; answers where the next one begins in `data`."""
        end = data.find(b"\n")
        count = len(data) if end < 0 else end
        self._skipped += count
        self.offset += count
        if end < 0:
            return count
        self._end_skip(lines)
        self.offset += 1
        return end + 1

    def _end_skip(self, lines: list[RawLine]) -> None:
        lines.append(RawLine(b"", self.offset - self._skipped, cut=self._skipped))
        self._skipped = 0

    def _give(self, line: bytes, lines: list[RawLine]) -> None:
        """A whole line, behind which its end follows."""
        if len(line) > MAX_LINE:
            self._cut(line, lines)
            self._end_skip(lines)
        else:
            lines.append(RawLine(line, self.offset))
            self.offset += len(line)
        self.offset += 1

    def _cut(self, line: bytes, lines: list[RawLine]) -> None:
        at = self._safe_cut(line, MAX_LINE)
        lines.append(RawLine(line[:at], self.offset))
        self._skipped = len(line) - at
        self.offset += len(line)

    def finish(self) -> list[RawLine]:
        """The last line, where it has no newline."""
        lines: list[RawLine] = []
        if self._skipped:
            self._end_skip(lines)
        elif self._rest:
            self._give(self._rest, lines)
            self.offset -= 1
        self._rest = b""
        return lines
