"""What raw sockets may send: bounds on size and time, and always a problem document."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from agentrunner.api.server import Bounds, Server
from agentrunner.domain.token import Scope
from agentrunner.engine.services import Services


class Wire:
    """A connection that sends exactly what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        """Send bytes; a server that has closed does not hinder."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except ConnectionError:
            pass

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next response."""
        async with asyncio.timeout(10):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(head[0].split()[1]), headers, body

    async def problem(self, status: int) -> dict[str, Any]:
        """The problem document of the next response."""
        found, headers, body = await self.answer()
        assert (found, headers["content-type"]) == (status, "application/problem+json"), body
        document: dict[str, Any] = json.loads(body)
        assert document["status"] == status
        assert headers["x-request-id"] == document["request_id"]
        return document

    async def closed(self) -> bool:
        """True once the server has closed."""
        try:
            async with asyncio.timeout(10):
                await self.reader.read()
        except ConnectionError:
            pass
        return True


@pytest.fixture
async def connect(server: Server) -> AsyncIterator[Callable[[], Any]]:
    """Opens connections over TCP."""
    opened: list[Wire] = []

    async def open_one() -> Wire:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", server.port))
        opened.append(wire)
        return wire

    yield open_one
    for wire in opened:
        wire.writer.transport.abort()


@pytest.fixture
async def head(token: Any) -> Callable[..., bytes]:
    """The head of an admin's POST of events."""
    text = await token(Scope.ADMIN)

    def make(*lines: str, path: str = "/v1/runs/1/events", method: str = "POST") -> bytes:
        first = [f"{method} {path} HTTP/1.1", "host: localhost", f"authorization: Bearer {text}"]
        return ("\r\n".join([*first, *lines]) + "\r\n\r\n").encode("latin-1")

    return make


def memory_kb() -> int:
    """Resident memory of this process, which is the server's too."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


@pytest.mark.parametrize("path", ["/v1/runs/1/events", "/v1/runs", "/v1/projects", "/v1/runs/1/pause", "/nowhere"])
async def test_a_large_announced_body_is_refused_unread(connect: Any, head: Any, path: str) -> None:
    """A body that says to be 100 MB is refused before a byte of it is read."""
    wire = await connect()
    await wire.send(head("content-length: 100000000", "content-type: application/json", path=path))
    assert "larger than" in (await wire.problem(413))["detail"]
    assert await wire.closed()


@pytest.mark.parametrize("path", ["/v1/runs/1/events", "/v1/projects"])
async def test_a_large_chunked_body_is_refused_early(connect: Any, head: Any, path: str) -> None:
    """100 MB in chunks are refused once the bound is passed, within a second, and never held in memory."""
    before, loop = memory_kb(), asyncio.get_running_loop()
    wire = await connect()
    await wire.send(head("transfer-encoding: chunked", "content-type: application/json", path=path))
    started = loop.time()
    refused = asyncio.create_task(wire.problem(413))
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    for _ in range(100):
        if refused.done() and wire.reader.at_eof():
            break
        await wire.send(chunk)
    assert (await refused)["code"] == "body_too_large"
    assert loop.time() - started < 5
    assert memory_kb() - before < 64 * 1024


async def test_a_slow_body_times_out(connect: Any, head: Any) -> None:
    """A body that does not arrive in time is 408, on raw and on framework routes."""
    for path in ("/v1/runs/1/events", "/v1/projects"):
        wire = await connect()
        await wire.send(head("content-length: 100", path=path) + b"{")
        assert "did not arrive" in (await wire.problem(408))["detail"]


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: local", b"GET / HTTP/1.1\r\na: b\r\n" * 1]
)
async def test_a_slow_head_is_closed(connect: Any, sent: bytes) -> None:
    """A connection that does not finish its head in time is closed."""
    wire = await connect()
    await wire.send(sent)
    assert await wire.closed()


async def test_a_slow_second_head_is_closed(connect: Any) -> None:
    """The time for a head counts for every request of a connection, byte by byte or not."""
    wire = await connect()
    await wire.send(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert (await wire.answer())[0] == 200
    await wire.send(b"GET /hea")
    assert await wire.closed()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\n" + b"x: y\r\n" * 5_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"a" * 20_000,
        b"GET /" + b"a" * 20_000,
    ],
    ids=["address", "header", "headers", "unfinished header", "unfinished address"],
)
async def test_a_large_head_is_refused(connect: Any, sent: bytes) -> None:
    """More than 16 KiB of request line and headers are refused, finished or not."""
    wire = await connect()
    await wire.send(sent)
    assert "larger than 16384 bytes" in (await wire.problem(431))["detail"]
    assert await wire.closed()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 50,
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"CONNECT localhost:80 HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ],
    ids=repr,
)
async def test_what_is_no_http(connect: Any, sent: bytes) -> None:
    """Bytes that are no request are answered with a problem document, never with a 500."""
    wire = await connect()
    await wire.send(sent)
    status, headers, body = await wire.answer()
    assert 400 <= status < 500, body
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(body)["detail"]


async def test_an_upgrade_is_answered_as_http(connect: Any) -> None:
    """There are no websockets; a request for one gets the ordinary answer."""
    wire = await connect()
    upgrade = b"connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\nsec-websocket-version: 13\r\n"
    await wire.send(b"GET /health HTTP/1.1\r\nhost: localhost\r\n" + upgrade + b"\r\n")
    assert (await wire.answer())[0] == 200


async def test_pipelined_requests_are_answered_in_order(connect: Any, head: Any) -> None:
    """Several requests in one write get their answers one after the other."""
    wire = await connect()
    await wire.send(head(path="/v1/runs", method="GET") + head(path="/nowhere", method="GET") * 2)
    assert [(await wire.answer())[0] for _ in range(3)] == [200, 404, 404]


async def test_a_client_that_goes_in_the_middle(connect: Any, head: Any) -> None:
    """A client that closes before its body is complete harms nobody."""
    wire = await connect()
    await wire.send(head("content-length: 100") + b'{"type":')
    wire.writer.transport.abort()
    other = await connect()
    await other.send(head(path="/v1/runs", method="GET"))
    assert (await other.answer())[0] == 200


async def test_expect_continue(connect: Any, head: Any) -> None:
    """A client that asks first is told to go on, or refused without having sent its body."""
    wire = await connect()
    await wire.send(head("content-length: 100000000", "expect: 100-continue"))
    assert (await wire.problem(413))["code"] == "body_too_large"
    wire = await connect()
    await wire.send(head("content-length: 13", "expect: 100-continue", path="/v1/projects"))
    assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await wire.send(b'{"name": "a"}')
    assert (await wire.answer())[0] == 201


async def test_an_idle_connection_is_closed(services: Services) -> None:
    """But not while requests come, and only a while behind the last answer."""
    server = Server(services, host="127.0.0.1", bounds=Bounds(idle_s=0.4))
    await server.start()
    wire = Wire(*await asyncio.open_connection("127.0.0.1", server.port))
    clock = asyncio.get_running_loop().time
    end, answers = clock() + 1.0, 0
    while clock() < end:
        await wire.send(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert (await wire.answer())[0] == 200
        answers += 1
    last = clock()
    assert await wire.closed()
    assert answers > 3
    assert clock() - last > 0.3
    wire.writer.transport.abort()
    await server.stop()


async def test_an_answer_is_one_write(connect: Any, head: Any) -> None:
    """Head and body arrive together, for whoever reads a socket once."""
    wire = await connect()
    for _ in range(20):
        await wire.send(head("content-length: 2", "content-type: application/json") + b"{}")
        data = await wire.reader.read(1 << 16)
        assert data.startswith(b"HTTP/1.1 4")
        assert data.endswith(b"}")


async def test_the_first_of_a_header_that_comes_twice_counts(connect: Any, head: Any) -> None:
    """Except Host, of which two are refused."""
    wire = await connect()
    await wire.send(head("content-type: text/plain", "content-type: application/json", "content-length: 2") + b"{}")
    await wire.problem(415)
    wire = await connect()
    await wire.send(head("host: localhost", "content-length: 2") + b"{}")
    await wire.problem(421)
