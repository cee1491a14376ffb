"""Clients that go before they were answered, on real sockets: nothing goes on for them, no fault is logged."""

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import structlog

from agentrunner.api.server import Server
from agentrunner.app.logs import configure
from agentrunner.config import Settings
from agentrunner.domain.token import Scope
from waiting import eventually

Token = Callable[[Scope], Awaitable[str]]


@pytest.fixture
def log(settings: Settings) -> Iterator[io.StringIO]:
    """What the server logs."""
    stream = io.StringIO()
    configure(settings, "server", stream)
    yield stream
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


async def open_socket(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the server's Unix socket."""
    return await asyncio.open_unix_connection(str(path))


async def test_a_stream_with_a_request_behind_it_ends_with_its_client(server: Server, token: Token) -> None:
    """The request that was parsed last is not the one that has to be told."""
    assert server.socket_path is not None
    figures = server.app.context.figures
    request = f"host: x\r\nauthorization: Bearer {await token(Scope.ADMIN)}\r\n\r\n"
    reader, writer = await open_socket(server.socket_path)
    writer.write(f"GET /v1/stream HTTP/1.1\r\n{request}GET /health HTTP/1.1\r\n{request}".encode())
    assert await reader.readuntil(b"retry: 1000\n\n")

    async def open_streams(count: int) -> bool:
        return figures.registry.get_sample_value("agentrunner_stream_subscribers") == count

    await eventually(lambda: open_streams(1))
    writer.close()
    await writer.wait_closed()
    await eventually(lambda: open_streams(0))


async def test_who_goes_before_the_answer_is_no_fault(server: Server, token: Token, log: io.StringIO) -> None:
    """Half-closed or closed behind the request, on raw routes and the framework's: work is done, no error is logged."""
    assert server.socket_path is not None
    held = await token(Scope.ADMIN)
    body = b'{"backend":"external","goal":"x"}'
    head = f"host: x\r\nauthorization: Bearer {held}\r\ncontent-type: application/json\r\n"
    create = f"POST /v1/runs HTTP/1.1\r\n{head}content-length: {len(body)}\r\n\r\n".encode() + body
    show = f"GET /v1/runs HTTP/1.1\r\n{head}\r\n".encode()
    for request in (create, show) * 10:
        reader, writer = await open_socket(server.socket_path)
        writer.write(request)
        writer.write_eof()
        async with asyncio.timeout(10):
            await reader.read()
        writer.close()
    assert log.getvalue() == ""


@pytest.mark.parametrize("host", ["", "host: [\r\n", "host: \xff\r\n", "host: a\r\nhost: b\r\n"])
async def test_the_unix_socket_takes_any_host(server: Server, token: Token, host: str) -> None:
    """None, a broken one, two: the framework, which would name the address in a refusal, is given a good one."""
    assert server.socket_path is not None
    reader, writer = await open_socket(server.socket_path)
    text = f"POST /v1/projects HTTP/1.1\r\n{host}authorization: Bearer {await token(Scope.ADMIN)}\r\n\r\n"
    writer.write(text.encode("latin-1"))
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith(b"HTTP/1.1 422 ")
    writer.close()
