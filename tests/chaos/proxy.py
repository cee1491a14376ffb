"""A proxy between a worker and the server that loses connections in the middle of an exchange.

It understands just enough HTTP/1.1 to know where a request and its reply begin and end (Content-Length only).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self


@dataclass(frozen=True, slots=True)
class Cut:
    """Lose the connection behind `after` bytes of the request or of the reply; the other side has not seen the rest.

    A cut request that is complete (`after` at least its size) has reached the server, and nothing of its reply arrives.
    """

    side: Literal["request", "reply"]
    after: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request that came through: the call's name, the sizes of head and all of its reply, whether it was cut."""

    call: str
    request_bytes: int
    reply_head_bytes: int
    reply_bytes: int
    cut: Cut | None = None


Choose = Callable[[str], Cut | None]


@dataclass(slots=True)
class Proxy:
    """Listens on a Unix socket (`listen`), or on a free TCP port of 127.0.0.1; `choose` is asked for each exchange."""

    server: Path
    choose: Choose
    listen: Path | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    port: int = 0
    _listener: asyncio.Server | None = None
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        if self.listen is not None:
            self._listener = await asyncio.start_unix_server(self._accept, self.listen)
        else:
            self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
            self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._listener is not None
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._listener.wait_closed()

    @property
    def cuts(self) -> int:
        """How many connections were lost on purpose."""
        return sum(exchange.cut is not None for exchange in self.exchanges)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            self._tasks.discard(task)
            await _lose(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(self.server)
        try:
            while await self._exchange(reader, writer, (up_reader, up_writer)):
                pass
        finally:
            await _lose(up_writer)

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> bool:
        """One request and its reply; False where the connection was lost."""
        head, body = await _message(reader)
        request = head + body
        call = head.split(b" ", 2)[1].decode().rpartition("/")[2]
        cut = self.choose(call)
        if cut is not None and cut.side == "request" and cut.after < len(request):
            await _pass(server[1], request[: cut.after])
            self.exchanges.append(Exchange(call, len(request), 0, 0, cut))
            return False
        await _pass(server[1], request)
        head, body = await _message(server[0])
        reply = head + body
        if cut is not None:
            await _pass(writer, reply[: cut.after] if cut.side == "reply" else b"")
        else:
            await _pass(writer, reply)
        self.exchanges.append(Exchange(call, len(request), len(head), len(reply), cut))
        return cut is None


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
        assert not line.startswith(b"transfer-encoding:"), "the worker protocol gives lengths"
    return head, await reader.readexactly(length)


async def _pass(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def _lose(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except (OSError, asyncio.CancelledError):
        return
