"""Live events to 500 readers, against frames encoded once and written to 500 raw sockets with the same flush.

Batches of events are sent with two under way at most; what counts is how soon every reader has every event.
"""

import asyncio
import resource
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import replace

import uvloop

from bench import limits
from bench.limits import Limit
from bench.plan import Plan
from bench.report import Row, compare
from bench.servers import EVENT, Server, serving
from bench.wire import answer_size, request

READERS = 500
BATCH = 400
_TAIL = 400
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

    async def join(self, port: int, message: bytes) -> None:
        """Connect them all and wait until each got the answer's head."""
        loop = asyncio.get_running_loop()
        for _ in range(READERS):
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


async def fan_out(port: int, hello: bytes, batch: bytes, is_http: bool, first: int, batches: int) -> float:
    """Deliveries a second; `first` is the last event before the first of these."""
    crowd = Crowd()
    _, sender = await asyncio.get_running_loop().create_connection(lambda: Sender(is_http), "127.0.0.1", port)
    try:
        await crowd.join(port, hello)
        await sender.send(batch)
        await crowd.wait(first + BATCH)
        first += BATCH
        began = time.perf_counter()
        for number in range(batches):
            await sender.send(batch)
            await crowd.wait(first + BATCH * number)
        await crowd.wait(first + BATCH * batches)
        return BATCH * batches * READERS / (time.perf_counter() - began)
    finally:
        crowd.leave()
        sender.transport.close()


def measure(plan: Plan) -> list[Row]:
    """The row; its note says the CPU time of a delivery."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    batches = plan.pick(8, 20)
    lines = b"\n".join([EVENT] * BATCH)
    cpu: dict[str, list[float]] = {"ours": [], "limit": []}
    with ExitStack() as stack:
        server = stack.enter_context(serving(plan.place("stream")))

        def run(use: Callable[[], Awaitable[float]], side: Server | Limit, name: str) -> float:
            used = side.cpu()
            rate = uvloop.run(use())  # type: ignore[arg-type]
            cpu[name].append((side.cpu() - used) * 1e6 / (BATCH * (batches + 1) * READERS))
            return rate

        def ours() -> float:
            (stream,) = server.external_runs(1)
            last = server.get(f"/v1/runs/{stream}")["last_seq"]
            hello = request("GET", f"/v1/runs/{stream}/stream?after={last}", server.token)
            batch = request("POST", f"/v1/runs/{stream}/events", server.token, lines, "application/x-ndjson")
            return run(lambda: fan_out(server.port, hello, batch, True, last, batches), server, "ours")

        def theirs() -> float:
            with limits.running("ring") as limit:
                hello = b"GET / HTTP/1.1\r\n\r\n"
                # The same line that the product's frame carries, which has more in it than what was sent.
                view = server.caller.call("GET", "/v1/runs/1/events?limit=1").removeprefix(b'{"items":[')
                line = view.rpartition(b"],")[0].replace(b"run.created", b"task.progress")
                line = line.replace(b'"payload":', b'"payload":' + EVENT.partition(b'"payload":')[2][:-1] + b',"p":')
                batch = b"\n".join([line] * BATCH) + b"\n.\n"
                return run(lambda: fan_out(limit.port, hello, batch, False, 0, batches), limit, "limit")

        row = Row(name=f"stream, {READERS} readers", unit="deliveries/s", must=0.6, wish=0.8)
        row = compare(row, ours, theirs, plan.rounds, plan.tell)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    middle = {name: sorted(times)[len(times) // 2] for name, times in cpu.items()}
    note = f"CPU us a delivery: {middle['ours']:.2f} against {middle['limit']:.2f}"
    return [replace(row, note=note, more={"cpu_us": middle})]
