"""The server as a whole: two sockets, start and stop, and what time demands."""

import asyncio
import os
import socket
import stat
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentrunner.api.server import Server, bind_unix
from agentrunner.config import Settings
from agentrunner.domain.errors import ConfigurationError
from agentrunner.domain.token import Scope
from agentrunner.engine.services import Services
from api.serving import COMMAND, QUICK, WORKER, Clock, claim, problem, register
from waiting import eventually


async def get(uds: Path | None, base: str, path: str, **options: Any) -> httpx.Response:
    """Ask over a Unix socket or TCP."""
    transport = httpx.AsyncHTTPTransport(uds=None if uds is None else str(uds))
    async with httpx.AsyncClient(transport=transport, base_url=base) as client:
        return await client.get(path, **options)


async def test_two_sockets_at_once(server: Server) -> None:
    """TCP and the Unix socket serve the same application; only over TCP the name has to be right."""
    assert (await get(None, f"http://127.0.0.1:{server.port}", "/health")).status_code == 200
    assert (await get(server.socket_path, "http://anything", "/health")).status_code == 200
    wrong = await get(None, f"http://127.0.0.1:{server.port}", "/health", headers={"host": "evil.test"})
    problem(wrong, 421, "wrong_host")


async def test_the_socket_is_the_owners(server: Server) -> None:
    """The Unix socket has mode 0600 and is gone with the server."""
    assert server.socket_path is not None
    mode = server.socket_path.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    await server.stop()
    assert not server.socket_path.exists()


async def test_a_socket_path_longer_than_an_address(services: Services, tmp_path: Path) -> None:
    """A data directory may lie deeper than the 107 bytes of a socket's address."""
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    server = Server(services, socket_path=deep / "agentrunner.sock", bounds=QUICK)
    await server.start()
    descriptor = os.open(deep, os.O_PATH)
    try:
        assert server.port == 0
        short = Path(f"/proc/self/fd/{descriptor}/agentrunner.sock")
        assert (await get(short, "http://x", "/health")).status_code == 200
    finally:
        os.close(descriptor)
        await server.stop()


async def test_a_socket_that_a_killed_server_left(services: Services, tmp_path: Path) -> None:
    """A left-over socket is replaced; a file in the way is not."""
    path = tmp_path / "left.sock"
    bind_unix(path).close()
    assert path.exists()
    server = Server(services, socket_path=path, bounds=QUICK)
    await server.start()
    assert (await get(path, "http://x", "/health")).status_code == 200
    await server.stop()
    path.write_text("precious")
    with pytest.raises(ConfigurationError, match="in the way"):
        await Server(services, socket_path=path, bounds=QUICK).start()
    assert path.read_text() == "precious"


async def test_a_port_that_is_taken(services: Services) -> None:
    """A taken port is a configuration error with advice, and nothing stays open."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = Server(services, host="127.0.0.1", port=taken.getsockname()[1], bounds=QUICK)
        with pytest.raises(ConfigurationError, match="--port"):
            await server.start()
        await server.stop()


async def test_stop_without_start_and_twice(services: Services, settings: Settings) -> None:
    """Stopping what never started, or has stopped, is harmless; a stopped server refuses connections."""
    await Server(services, host="127.0.0.1", bounds=QUICK).stop()
    server = Server(services, host="127.0.0.1", port=0, bounds=QUICK)
    await server.start()
    base = f"http://127.0.0.1:{server.port}"
    await server.stop()
    await server.stop()
    with pytest.raises(httpx.ConnectError):
        await get(None, base, "/health")


@pytest.mark.parametrize("overrides", [{"insecure_no_auth": True}])
async def test_insecure_no_auth_is_for_loopback(services: Services) -> None:
    """A server without authentication does not listen to a network."""
    for host in ("0.0.0.0", "192.0.2.1", "::"):
        with pytest.raises(ConfigurationError, match="loopback"):
            await Server(services, host=host, bounds=QUICK).start()


async def test_a_request_may_finish_while_the_server_stops(server: Server, token: Any) -> None:
    """Stopping waits for a request whose body is still coming, within its bound, and then ends it."""
    headers = {"authorization": f"Bearer {await token(Scope.ADMIN)}"}
    release = asyncio.Event()

    async def body() -> Any:
        yield b'{"name":'
        await release.wait()
        yield b'"late"}'

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", headers=headers) as client:
        posting = asyncio.create_task(client.post("/v1/projects", content=body()))
        state = server._listeners[0]._state

        async def reached() -> bool:
            return bool(state.tasks)

        await eventually(reached)
        stopping = asyncio.create_task(server.stop())
        await eventually(lambda: _is_set(server.app.context.stopping))
        release.set()
        assert (await posting).status_code == 201
        async with asyncio.timeout(3):
            await stopping


async def _is_set(event: asyncio.Event) -> bool:
    return event.is_set()


async def test_stop_is_bounded(server: Server, token: Any) -> None:
    """A client that never finishes does not keep the server."""
    text = await token(Scope.ADMIN)
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"POST /v1/projects HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {text}\r\n".encode())
    writer.write(b"content-length: 10\r\n\r\n{")
    state = server._listeners[0]._state

    async def reached() -> bool:
        return bool(state.tasks)

    await eventually(reached)
    async with asyncio.timeout(QUICK.stop_s + 2):
        await server.stop()
    writer.transport.abort()


async def test_time_is_acted_on(server: Server, client: httpx.AsyncClient, worker: Any, clock: Clock) -> None:
    """The server's own tick notices a worker that is silent for a lease."""
    await client.post("/v1/runs", json=COMMAND)
    await register(worker)
    await claim(worker)
    clock.forward_ms += 16_000

    async def unreachable() -> bool:
        run = (await client.get("/v1/runs/1")).json()
        return bool(run["phase"] == "unreachable")

    await eventually(unreachable)
    assert (await client.get("/v1/workers")).json()["items"][0]["online"] is False
    assert WORKER["name"] == "one"


async def test_periodic_work_that_fails_ends_nothing(server: Server, services: Services, client: Any) -> None:
    """While the database is away the server goes on answering, and says that it is not ready."""
    await services.db.stop()
    problem(await client.get("/ready"), 503, "unavailable")
    failed = asyncio.create_task(server.wait_failed())
    done, _ = await asyncio.wait({failed}, timeout=QUICK.tick_s * 5)
    assert not done
    assert (await get(None, f"http://127.0.0.1:{server.port}", "/health")).status_code == 200
    failed.cancel()
    await asyncio.wait({failed})
