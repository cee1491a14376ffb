"""An agent's output, line by line, from its spool: as late and as often as wanted, in bounded memory."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from agentrunner.process.spool import Framer, RawLine, Stream

_CHUNK = 1 << 16


class Pulse:
    """Wakes whoever waits for the next change. Nothing that happens between a look and `wait` is missed, provided that
    there is no `await` between the two."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def beat(self) -> None:
        """Something has changed."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self) -> None:
        """Until the next beat."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)


class Source(Protocol):
    """The spools that lines are read from."""

    @property
    def path(self) -> Path:
        """The run directory."""
        ...

    @property
    def pulse(self) -> Pulse:
        """Beats when there may be more."""
        ...

    def end_of(self, stream: Stream) -> int | None:
        """The final size of a stream; None while it may grow."""
        ...

    def given_up(self, stream: Stream) -> int:
        """Output before this offset may be gone from the disk."""
        ...

    def note_read(self) -> None:
        """A subscriber has got further."""
        ...


class LineReader:
    """Lines of one stream, each with its newline, the last one perhaps without.

    A line over 1 MiB is cut there; `cut` counts the bytes left out. `missed` counts the bytes that had been given up
    for want of room before they were read; reading goes on with the first whole line behind them.
    """

    def __init__(self, source: Source, stream: Stream, offset: int = 0) -> None:
        self.stream: Stream = stream
        self.position = offset
        self.cut = 0
        self.missed = 0
        self._source = source
        self._file = -1
        self._framer = _framer(offset)
        self._lines: deque[bytes] = deque()
        self._skips = offset > 0
        self._is_finished = False

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the spool; nothing more can be read."""
        self._is_finished = True
        self._lines.clear()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    @property
    def is_over(self) -> bool:
        """True once everything was read that ever will be."""
        return self._is_finished and not self._lines

    def next(self) -> bytes | None:
        """The next line; None where there is none yet, or never will be."""
        while not self._lines:
            if self._is_finished:
                return None
            # Asked before reading: what is final then is all there when it is read.
            end = self._source.end_of(self.stream)
            if data := self._read():
                self._add(self._framer.feed(data), b"\n")
            elif end is not None:
                self._finish()
            else:
                return None
        return self._lines.popleft()

    def _finish(self) -> None:
        self._add(self._framer.finish(), b"")
        self._is_finished = True
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _add(self, lines: list[RawLine], ending: bytes) -> None:
        for line in lines:
            if line.cut:
                self.cut += line.cut
            elif self._skips:
                self._skips = False
                self.missed += len(line.data) + len(ending)
            else:
                self._lines.append(line.data + ending)

    def _read(self) -> bytes:
        """The next bytes. What was given up reads as zeros, so it is looked for behind the reading, not before."""
        while True:
            data = self._read_at(self.position)
            if not data or self.position >= self._source.given_up(self.stream):
                break
            start = _first_kept(self._file, self.position)
            if start <= self.position:
                break
            self.missed += start - self._framer.offset
            self._framer, self._skips = _framer(start), True
            self.position = start
        self.position += len(data)
        return data

    def _read_at(self, offset: int) -> bytes:
        if self._file < 0:
            try:
                self._file = os.open(self._source.path / self.stream, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:  # made with its first byte
                return b""
        return os.pread(self._file, _CHUNK, offset)


def _framer(offset: int) -> Framer:
    return Framer(offset, None, lambda _line, at: at)


def _first_kept(file: int, offset: int) -> int:
    try:
        return os.lseek(file, offset, os.SEEK_DATA)
    except OSError:  # nothing but a hole up to the end
        return os.fstat(file).st_size


class Subscription(AsyncIterator[bytes]):
    """Every line of one stream, from its first on: `async for line in subscription`. Ends with the agent.

    While it is open nothing is given up that it has not read: an agent that writes far ahead of it has to wait, as with
    a pipe. One that nobody refers to any more holds nothing.
    """

    def __init__(self, source: Source, stream: Stream) -> None:
        self._source = source
        self._reader = LineReader(source, stream)

    @property
    def stream(self) -> Stream:
        """Which one."""
        return self._reader.stream

    @property
    def position(self) -> int:
        """How many bytes of the stream were read."""
        return self._reader.position

    @property
    def missed(self) -> int:
        """Bytes that had been given up before this subscription began."""
        return self._reader.missed

    @property
    def cut(self) -> int:
        """Bytes left out of lines over 1 MiB."""
        return self._reader.cut

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> bytes:
        while (line := self._reader.next()) is None:
            self._source.note_read()
            if self._reader.is_over:
                raise StopAsyncIteration
            await self._source.pulse.wait()
        self._source.note_read()
        return line

    async def __aenter__(self) -> "Subscription":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it; whoever iterates gets no further line."""
        self._reader.close()
        self._source.note_read()
        self._source.pulse.beat()


def last_line(path: Path, most: int = _CHUNK) -> bytes:
    """The last whole line of a spool, where it is no longer than `most`; nothing where there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - most))
            tail = file.read(most)
    except FileNotFoundError:
        return b""
    whole = tail[: tail.rfind(b"\n") + 1]
    start = whole.rfind(b"\n", 0, -1) + 1
    return whole[start:-1] if start or size <= most else b""
