"""Live events to 500 readers, against frames encoded once and written to 500 raw sockets with the same flush.

Batches of events are sent, two under way at most, until every reader has every event. On two cores the readers cannot
keep up with either side, so what is compared is deliveries a CPU second of the server; what the same batches cost it
without a reader is taken off on both sides. The wall clock's figures are printed beside.
"""

import asyncio
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

import uvloop

from bench import limits
from bench.limits import Limit
from bench.plan import Plan
from bench.report import Row, compare, paired
from bench.servers import EVENT, Server, serving
from bench.wire import answer_size, request

READERS = 500
BATCH = 400
_TAIL = 1024
_WITHIN_S = 60.0


class Reader(asyncio.BufferedProtocol):
    """Takes everything into one buffer that all readers share, and remembers the newest id and how much it got."""

    buffer = bytearray(1 << 18)

    def __init__(self, arrived: Callable[[], None]) -> None:
        self._arrived = arrived
        self._tail = b""
        self.last = 0
        self.size = 0
        self.lost: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, count: int) -> None:
        self.size += count
        tail = bytes(self.buffer[max(0, count - _TAIL) : count])
        self._tail = (self._tail + tail)[-_TAIL:]
        end = self._tail.rfind(b"\nevent: ")
        start = self._tail.rfind(b"id: ", 0, end)
        if 0 <= start < end and (number := self._tail[start + 4 : end]).isdigit():
            self.last = int(number)
            self._arrived()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = exc or ConnectionResetError("the server closed the stream")


class Sender(asyncio.Protocol):
    """Sends batches one after the other; over HTTP the answer is waited for."""

    def __init__(self, is_http: bool) -> None:
        self._is_http = is_http
        self._data = b""
        self._answered: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        if (size := answer_size(self._data)) and len(self._data) >= size and self._answered is not None:
            assert self._data.startswith(b"HTTP/1.1 201"), self._data[:300]
            self._data = b""
            self._answered.set_result(None)

    async def send(self, message: bytes) -> None:
        self._answered = asyncio.get_running_loop().create_future()
        self.transport.write(message)
        if self._is_http:
            async with asyncio.timeout(_WITHIN_S):
                await self._answered


class Crowd:
    """The readers of one stream; `last` is what the slowest has."""

    def __init__(self) -> None:
        self.readers: list[Reader] = []
        self._changed = asyncio.Event()

    async def join(self, port: int, message: bytes, count: int) -> None:
        """Connect them all and wait until each got the answer's head."""
        loop = asyncio.get_running_loop()
        for _ in range(count):
            transport, reader = await loop.create_connection(lambda: Reader(self._changed.set), "127.0.0.1", port)
            transport.write(message)
            self.readers.append(reader)
        async with asyncio.timeout(_WITHIN_S):
            while not all(reader.size for reader in self.readers):
                await _turn(0.005)

    async def wait(self, seq: int) -> None:
        """Until every reader has this event."""
        behind = self.readers
        async with asyncio.timeout(_WITHIN_S):
            while behind := [reader for reader in behind if reader.last < seq]:
                for reader in behind:
                    if reader.lost is not None:
                        raise reader.lost
                self._changed.clear()
                await self._changed.wait()

    def leave(self) -> None:
        """Disconnect."""
        for reader in self.readers:
            reader.transport.abort()  # type: ignore[attr-defined]


async def _turn(seconds: float) -> None:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(seconds, future.set_result, None)
    await future


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the row: its process, what a reader sends first, a batch as it is sent, the last event before."""

    process: Server | Limit
    hello: bytes
    batch: bytes
    is_http: bool
    first: int


async def fan_out(side: Side, readers: int, batches: int) -> tuple[float, float]:
    """Wall and CPU seconds of the batches; without readers only of taking them."""
    crowd = Crowd()
    port = side.process.port
    _, sender = await asyncio.get_running_loop().create_connection(lambda: Sender(side.is_http), "127.0.0.1", port)
    try:
        await crowd.join(port, side.hello, readers)
        await sender.send(side.batch)
        first = side.first + BATCH
        await crowd.wait(first)
        began, used = time.perf_counter(), side.process.cpu()
        for number in range(batches):
            await sender.send(side.batch)
            await crowd.wait(first + BATCH * number)
        await crowd.wait(first + BATCH * batches)
        return time.perf_counter() - began, side.process.cpu() - used
    finally:
        crowd.leave()
        sender.transport.close()


def ours(server: Server) -> Side:
    """A fresh run of the product."""
    (run,) = server.external_runs(1)
    first = server.get(f"/v1/runs/{run}")["last_seq"]
    hello = request("GET", f"/v1/runs/{run}/stream?after={first}", server.token)
    lines = b"\n".join([EVENT] * BATCH)
    batch = request("POST", f"/v1/runs/{run}/events", server.token, lines, "application/x-ndjson")
    return Side(server, hello, batch, True, first)


def sample(server: Server) -> bytes:
    """What a frame of the product carries, which is more than what was sent."""
    (run,) = server.external_runs(1)
    server.caller.call("POST", f"/v1/runs/{run}/events", EVENT)
    page = server.caller.call("GET", f"/v1/runs/{run}/events?after=1")
    return page.removeprefix(b'{"items":[').rpartition(b"],")[0]


def limit(line: bytes, process: Limit) -> Side:
    """A fresh ring."""
    return Side(process, b"GET / HTTP/1.1\r\n\r\n", b"\n".join([line] * BATCH) + b"\n.\n", False, 0)


def measure(plan: Plan) -> list[Row]:
    """The row, and beside it the wall clock's."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    batches = plan.pick(4, 20)
    deliveries = BATCH * batches * READERS
    ours_cpu: list[float] = []
    limits_cpu: list[float] = []

    def both(side: Callable[[], Side]) -> tuple[float, float]:
        wall, used = uvloop.run(fan_out(side(), READERS, batches))
        _, alone = uvloop.run(fan_out(side(), 0, batches))
        return deliveries / wall, deliveries / max(used - alone, 1e-3)

    with serving(plan.place("stream")) as server:
        line = sample(server)

        def mine() -> float:
            wall, per_cpu = both(lambda: ours(server))
            ours_cpu.append(per_cpu)
            return wall

        def theirs() -> float:
            with limits.running("ring") as first, limits.running("ring") as second:
                processes = iter((first, second))
                wall, per_cpu = both(lambda: limit(line, next(processes)))
            limits_cpu.append(per_cpu)
            return wall

        wall = Row(name="stream, wall clock", unit="/s", note="bound by the readers on few cores")
        wall = compare(wall, mine, theirs, plan.rounds, plan.tell)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    row = Row(name=f"stream, {READERS} readers", unit="/CPU-s", must=0.6, wish=0.8, note="deliveries")
    return [paired(row, list(zip(ours_cpu, limits_cpu, strict=True))), wall]
