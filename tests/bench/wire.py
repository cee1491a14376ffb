"""HTTP/1.1 as little as a load needs: requests as bytes, answers counted. Checked: status and whole bodies."""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import uvloop

_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_IDLE_S = 5.0


def request(method: str, path: str, token: str, body: bytes = b"", kind: str = "application/json") -> bytes:
    """A request, ready to be sent."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"authorization: Bearer {token}"]
    if method == "POST":
        lines += [f"content-type: {kind}", f"content-length: {len(body)}"]
    return "\r\n".join(lines).encode() + _END + body


def answer_size(data: bytes | bytearray) -> int:
    """How long the answer at the start of `data` is with its body; 0 while its head is not whole."""
    end = data.find(_END)
    if end < 0:
        return 0
    start = data.find(_LENGTH, 0, end)
    assert start >= 0, bytes(data[:end])
    stop = data.find(b"\r", start)
    return end + len(_END) + int(data[start + len(_LENGTH) : stop])


@dataclass(slots=True)
class Load:
    """What came of a load: answers, seconds, and how long each took."""

    count: int = 0
    seconds: float = 0.0
    times: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.count / self.seconds


class _Client(asyncio.Protocol):
    """One connection that sends its request again as soon as it is answered, until the time is over."""

    def __init__(self, load: Load, message: bytes, expected: bytes, until: Callable[[], float]) -> None:
        self._load = load
        self._message = message
        self._expected = b"HTTP/1.1 " + expected
        self._until = until
        self._data = b""
        self._sent = 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._message)

    def data_received(self, data: bytes) -> None:
        self._data += data
        size = answer_size(self._data)
        if not size or len(self._data) < size:
            return
        if not self._data.startswith(self._expected) or len(self._data) > size:
            self._fail(AssertionError(f"answered {self._data[:400]!r}"))
            return
        self._data = b""
        now = time.perf_counter()
        self._load.count += 1
        self._load.times.append(now - self._sent)
        if now < self._until():
            self.send()
        elif not self.ended.done():
            self.ended.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionResetError("the server closed the connection"))

    def _fail(self, error: Exception) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)

    def close(self) -> None:
        self._transport.abort()


async def _run(port: int, messages: Sequence[bytes], expected: bytes, seconds: float) -> Load:
    load = Load()
    deadline = 0.0
    loop = asyncio.get_running_loop()
    clients: list[_Client] = []
    for message in messages:
        _, client = await loop.create_connection(
            lambda message=message: _Client(load, message, expected, lambda: deadline),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
        clients.append(client)
    began = time.perf_counter()
    deadline = began + seconds
    for client in clients:
        client.send()
    async with asyncio.timeout(seconds + 30):
        await asyncio.gather(*(client.ended for client in clients))
    load.seconds = time.perf_counter() - began
    for client in clients:
        client.close()
    return load


def drive(port: int, messages: Sequence[bytes], expected: bytes, seconds: float) -> Load:
    """Send each message over a connection of its own, again and again, for some seconds."""
    return uvloop.run(_run(port, messages, expected, seconds))


class Caller:
    """One connection for one request after the other, without anything between the caller and the socket.

    A server closes connections that say nothing: one that was idle is opened anew before it is used.
    """

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._token = token
        self._socket: socket.socket | None = None
        self._used = 0.0

    def call(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> bytes:
        """The body of the answer; anything but a 2xx raises."""
        connection = self._connection()
        connection.sendall(request(method, path, self._token, body, kind))
        data = bytearray()
        while not (size := answer_size(data)) or len(data) < size:
            part = connection.recv(1 << 20)
            assert part, "the server closed the connection"
            data += part
        assert data.startswith(b"HTTP/1.1 2"), bytes(data[:1000])
        return bytes(data[data.find(_END) + len(_END) :])

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()

    def _connection(self) -> socket.socket:
        now = time.monotonic()
        if self._socket is None or now - self._used > _IDLE_S:
            self.close()
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=30)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._used = now
        return self._socket
