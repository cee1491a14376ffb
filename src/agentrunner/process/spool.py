"""Spools, read: raw output from an offset, in the order in which it came, framed into lines."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
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
"""Index entries held in memory, and read at once; more are read once these are used up."""


@dataclass(slots=True)
class _Extent:
    """Output of one stream that came within a moment, up to `end`; it begins where the stream's last one ended."""

    stream: Stream
    end: int
    ts: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of a stream from `start` on; `ts` in milliseconds is when they were spooled."""

    stream: Stream
    start: int
    data: bytes
    ts: int


class RawLine(msgspec.Struct, frozen=True, gc=False):
    """A line, or lines together, without the last newline; `offset` is where it starts.

    `cut` counts the bytes left out of a too long one.
    """

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
        self._pending: deque[_Extent] = deque()
        self._covered: dict[Stream, int] = dict.fromkeys(_NAMES, 0)
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
        return dict(self._covered)

    def file_sizes(self) -> dict[Stream, int]:
        """The sizes of the spool files."""
        return {name: _size(self._file(name)) for name in _NAMES}

    def _file(self, name: Stream) -> int:
        """A spool's descriptor; -1 until its first byte makes it."""
        if self._files[name] < 0 and not self._is_closed:
            self._files[name] = _open(self.directory / name)
        return self._files[name]

    def _read_idx(self) -> bool:
        """Read on in the index; False where there may be more of it than is held now."""
        if self._idx < 0 and not self._is_closed:
            self._idx = _open(self.directory / "idx")
            self._skip_hole()
        self._forget()
        count = 0
        while self._idx >= 0:
            if count >= _MOST_PENDING or len(self._pending) >= _MOST_PENDING:
                return False
            data = os.pread(self._idx, ENTRY.size * 4096, self._idx_read)
            whole = len(data) // ENTRY.size * ENTRY.size
            if not whole:
                break
            self._add(data[:whole])
            self._idx_read += whole
            count += whole // ENTRY.size
        return True

    def _add(self, entries: bytes) -> None:
        """Whole index entries, read from the file; neighbours of one moment are one extent."""
        pending, last = self._pending, self._pending[-1] if self._pending else None
        for number, end, ns in ENTRY.iter_unpack(entries):
            stream, ts = _NAMES[number], ns // 1_000_000
            if last is not None and last.stream == stream and ts - last.ts < _MOMENT_MS:
                last.end = end
            else:
                last = _Extent(stream, end, ts)
                pending.append(last)
            self._covered[stream] = end

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
        self._given = read
        found: list[Chunk] = []
        is_whole = False
        while not (found or is_whole):
            is_whole = not self._indexed or self._read_idx()
            pieces = [*self._pending, *(self._uncovered(bound) if is_whole else ())]
            found = list(self._chunks(pieces, read, bound, budget))
        self._given = {**read, **{chunk.stream: chunk.start + len(chunk.data) for chunk in found}}
        return found

    def _chunks(
        self, pieces: Iterable[_Extent], read: dict[Stream, int], bound: dict[Stream, int], budget: int
    ) -> Iterator[Chunk]:
        at = dict(read)
        for piece in pieces:
            start, end = at[piece.stream], min(piece.end, bound[piece.stream])
            if end <= start:
                continue
            if budget <= 0:
                return
            wanted = min(end - start, budget)
            data = os.pread(self._file(piece.stream), wanted, start) if self._file(piece.stream) >= 0 else b""
            if data:
                yield Chunk(piece.stream, start, data, piece.ts)
            if len(data) < wanted:
                return
            at[piece.stream] += len(data)
            budget -= len(data)

    def _rewind(self, read: dict[Stream, int]) -> None:
        """Where something is to be read again, its index entries are too."""
        if self._idx >= 0 and any(read[stream] < self._given[stream] for stream in _NAMES):
            self._pending.clear()
            self._covered = dict.fromkeys(_NAMES, 0)
            self._idx_read = 0
            self._skip_hole()

    def _uncovered(self, bound: dict[Stream, int]) -> list[_Extent]:
        """In file mode everything; in pipe mode what a killed shim had spooled and not indexed, out first."""
        now = time.time_ns() // 1_000_000
        return [_Extent(name, bound[name], now) for name in _NAMES]

    def _forget(self) -> None:
        """Drop what was given from the front; an extent behind one that is still to be read waits for it."""
        while self._pending and self._pending[0].end <= self._given[self._pending[0].stream]:
            self._pending.popleft()


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
    with `state`. With `together` neighbouring lines are given as one, newlines between them, as long as they and the
    newline behind are no more bytes than that.
    """

    def __init__(
        self, offset: int, state: Any, safe_cut: Callable[[bytes, int], int], together: int | None = None
    ) -> None:
        kept = _FramerState() if state is None else msgspec.convert(state, _FramerState)
        self.offset = offset
        self._skipped = kept.skipped
        self._safe_cut = safe_cut
        self._bounds = _each_line if together is None else partial(_many_lines, together=together)
        self._held: list[bytes] = []
        self._held_bytes = 0

    def state(self) -> Any:
        """What must be known to go on at `offset`; None between two lines."""
        return {"skipped": self._skipped} if self._skipped else None

    def feed(self, data: bytes) -> list[RawLine]:
        """The lines that end in `data`, and the beginning of one that is too long."""
        lines: list[RawLine] = []
        start = self._skip(data, lines) if self._skipped else 0
        end = data.rfind(b"\n", start) + 1
        if end:
            self._hold(data[start:end])
            self._give_all(self._release(), lines)
        self._hold(data[end or start :])
        if self._held_bytes >= MAX_LINE + LOOK_AHEAD:
            self._cut(self._release(), lines)
        return lines

    def _hold(self, data: bytes) -> None:
        """Keep pieces as they come: a long line that arrives in small ones is put together once."""
        if data:
            self._held.append(data)
            self._held_bytes += len(data)

    def _release(self) -> bytes:
        held = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        self._held, self._held_bytes = [], 0
        return held

    def _give_all(self, text: bytes, lines: list[RawLine]) -> None:
        """Whole lines, each with its end."""
        for start, end in self._bounds(text):
            self._give(text[start:end], lines)

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
        elif self._held:
            self._give(self._release(), lines)
            self.offset -= 1
        return lines


def _each_line(text: bytes) -> Iterator[tuple[int, int]]:
    start = 0
    while (end := text.find(b"\n", start)) >= 0:
        yield start, end
        start = end + 1


def _many_lines(text: bytes, together: int) -> Iterator[tuple[int, int]]:
    """As many as fit together each time; one that alone is too much by itself."""
    start = 0
    while start < len(text):
        end = text.rfind(b"\n", start, start + together)
        if end < 0:
            end = text.find(b"\n", start + together)
        yield start, end
        start = end + 1
