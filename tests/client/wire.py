"""A real HTTP server on a Unix socket that speaks `contract` and misbehaves when told.

It drops answers, cuts streams in the middle of a frame, dies as `kill -9` makes it (the socket file stays), comes back.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from client.contract import TERMINAL, Contract

PHRASES = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content"}


class Server:
    """Serves a contract from a thread of its own until closed."""

    def __init__(self, contract: Contract, path: Path) -> None:
        self.contract = contract
        self.path = path
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="contract")
        self._thread.start()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def start(self) -> None:
        """Listen."""
        self._do(self._start())

    async def _start(self) -> None:
        self.contract.changed = asyncio.Event()
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, str(self.path))

    def die(self) -> None:
        """Cut every connection and listen no more; the socket file stays."""
        self._do(self._die())

    async def _die(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._tasks):
            task.cancel()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def close(self) -> None:
        """End for good."""
        self.die()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def tell(self, change: Callable[[], Any]) -> None:
        """Change the contract's state as a request would: between two others."""

        async def work() -> None:
            change()

        self._do(work())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._writers.add(writer)
        self._tasks.add(task)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        address = urlsplit(target)
        self.contract.requests.append((method, target))
        reply = self.contract.replies.pop(0) if self.contract.replies else ()
        if reply is None:
            return False
        if not reply:
            if address.path.endswith("/stream") and headers.get("authorization") == f"Bearer {self.contract.token}":
                return await self._stream(int(address.path.split("/")[-2]), headers, writer)
            reply = self.contract.answer(method, address.path, parse_qs(address.query), headers, body)
        if self.contract.drop_answers > 0:
            self.contract.drop_answers -= 1
            return False
        await self._send(writer, *reply)
        return True

    async def _send(self, writer: asyncio.StreamWriter, status: int, value: Any) -> None:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        kind = "application/problem+json" if status >= 400 else "application/json"
        head = f"HTTP/1.1 {status} {PHRASES.get(status, 'X')}\r\ncontent-type: {kind}\r\n"
        writer.write(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)
        await writer.drain()

    async def _stream(self, run_id: int, headers: dict[str, str], writer: asyncio.StreamWriter) -> bool:
        contract, after = self.contract, int(headers.get("last-event-id", "0"))
        left = contract.cut_after.pop(0) if contract.cut_after else None
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\nretry: 1000\n\n")
        assert contract.changed is not None
        while True:
            contract.changed.clear()
            frames = b"".join(map(frame, contract.events[run_id][after:]))
            after = len(contract.events[run_id])
            is_over = contract.runs[run_id]["status"] in TERMINAL.values()
            if is_over:
                frames += b"event: end\ndata: " + json.dumps(contract.runs[run_id]).encode() + b"\n\n"
            if left is not None and len(frames) >= left:
                writer.write(frames[:left])
                await writer.drain()
                return False
            writer.write(frames)
            await writer.drain()
            left = None if left is None else left - len(frames)
            if is_over:
                writer.write_eof()
                return False
            await contract.changed.wait()


def frame(event: dict[str, Any]) -> bytes:
    """One event as it is streamed."""
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (event["seq"], event["type"].encode(), json.dumps(event).encode())


@contextmanager
def serving(contract: Contract, data_dir: Path) -> Iterator[Server]:
    """The server on the Unix socket of a data directory, with its token there; gone afterwards."""
    (data_dir / "token").write_text(contract.token + "\n")
    server = Server(contract, data_dir / "agentrunner.sock")
    server.start()
    try:
        yield server
    finally:
        server.close()
