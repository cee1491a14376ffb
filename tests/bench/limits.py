"""The limits as processes of their own: the least that could do the same on the same libraries.

`python limits.py ingest|list DATABASE` is a raw ASGI application on uvicorn (uvloop, httptools), and
`python limits.py ring ""` raw sockets. Each prints its port and ends with its standard input.
"""

import asyncio
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import msgspec
import uvicorn
import uvloop

from agentrunner.store.base import Tx
from agentrunner.store.sqlite import SqliteDatabase
from bench.servers import cpu_seconds

App = Callable[[Any, Any, Any], Awaitable[None]]
INSERT = """INSERT INTO events (run_id, seq, attempt, ts, type, level, payload, late, producer, client_seq)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
ADVANCE = "UPDATE runs SET last_seq = last_seq + ? WHERE id = ? RETURNING last_seq"
FLUSH_S = 0.05
PAGE = "SELECT r.*, p.name FROM runs r JOIN projects p ON p.id = r.project_id ORDER BY r.id DESC LIMIT 51"


class Reported(msgspec.Struct):
    """An event as it comes."""

    type: str
    payload: msgspec.Raw


async def _store(tx: Tx, run_id: int, event: Reported, now: int) -> int:
    row = await tx.one(ADVANCE, 1, run_id)
    assert row is not None
    await tx.run(INSERT, run_id, row[0], 1, now, event.type, "info", bytes(event.payload).decode(), 0, None, None)
    return int(row[0])


def ingest(database: SqliteDatabase) -> App:
    """One event per POST, stored with the product's own writer: the same commit, the same tables and indices."""
    decoder = msgspec.json.Decoder(Reported)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        run_id = int(scope["path"][9:-7])
        event = decoder.decode((await receive())["body"])
        last = await database.write(_store, run_id, event, time.time_ns() // 1_000_000)
        await _answer(send, 201, b'{"accepted":1,"duplicates":0,"last_seq":%d}' % last)

    return app


def page(path: str, body: bytes) -> App:
    """The query of a list, every row fetched, answered with the bytes that the product gives."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert len(connection.execute(PAGE).fetchall()) == 51
        await _answer(send, 200, body)

    return app


async def _answer(send: Any, status: int, body: bytes) -> None:
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


class Ring:
    """Frames encoded once and written to every reader, gathered for `FLUSH_S` behind each flush."""

    def __init__(self) -> None:
        self._readers: set[asyncio.Transport] = set()
        self._waiting: list[bytes] = []
        self._seq = 0
        self._timer: asyncio.TimerHandle | None = None

    def take(self, lines: bytes) -> None:
        """Events, a line each."""
        for line in lines.split(b"\n"):
            if line:
                self._seq += 1
                self._waiting.append(b"id: %d\nevent: task.progress\ndata: %b\n\n" % (self._seq, line))
        if self._timer is None:
            self._flush()

    def _flush(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        data = b"".join(self._waiting)
        self._waiting.clear()
        for reader in self._readers:
            reader.write(data)
        self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self._flush)

    def protocol(self) -> asyncio.Protocol:
        """A connection: one that begins with GET reads; any other sends lines, a line `.` behind each batch."""
        return _RingClient(self, self._readers)


class _RingClient(asyncio.Protocol):
    def __init__(self, ring: Ring, readers: set[asyncio.Transport]) -> None:
        self._ring = ring
        self._readers = readers
        self._data = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._readers.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._data.startswith(b"GET "):
            self._readers.add(self._transport)
            self._transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
            self._data = b"-"
        elif self._data.endswith(b"\n.\n"):
            self._ring.take(self._data[:-2])
            self._data = b""


async def _serve(kind: str, argument: str, page_bytes: bytes) -> None:
    loop = asyncio.get_running_loop()
    sock = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(sock.getsockname()[1], flush=True)
    over = loop.run_in_executor(None, sys.stdin.read)
    if kind == "ring":
        server = await loop.create_server(Ring().protocol, sock=sock)
        await over
        server.close()
        return
    database = SqliteDatabase(Path(argument))
    if kind == "ingest":
        await database.start()
    config = uvicorn.Config(
        ingest(database) if kind == "ingest" else page(argument, page_bytes),
        interface="asgi3",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
    )
    served = uvicorn.Server(config)
    served.config.load()
    served.lifespan = config.lifespan_class(config)
    task = asyncio.ensure_future(served.serve(sockets=[sock]))
    await over
    served.should_exit = True
    await task
    await database.stop()


class Limit:
    """A running limit."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.port = int(process.stdout.readline())
        self.pid = process.pid

    def cpu(self) -> float:
        """CPU seconds that it has used."""
        return cpu_seconds(self.pid)


@contextmanager
def running(kind: str, argument: str = "") -> Iterator[Limit]:
    """A limit as a process; it is gone behind the block."""
    command = [sys.executable, str(Path(__file__).resolve()), kind, argument]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Limit(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


if __name__ == "__main__":
    answered = Path(sys.argv[2] + ".page")
    uvloop.run(_serve(sys.argv[1], sys.argv[2], answered.read_bytes() if answered.exists() else b""))
