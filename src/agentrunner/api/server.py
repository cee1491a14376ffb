"""The server: one application on TCP and on a Unix socket at once, and what time demands beside it."""

import asyncio
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
import uvicorn
from uvicorn.server import ServerState

from agentrunner.api.application import Application, build
from agentrunner.api.asgi import ASGIApp, Bounds
from agentrunner.api.connection import Connection, connection_type
from agentrunner.api.errors import trace
from agentrunner.api.hosts import WILDCARDS
from agentrunner.domain.errors import ConfigurationError
from agentrunner.engine import retention, schedule, search, telemetry
from agentrunner.engine.services import Services

__all__ = ["Application", "Bounds", "Server", "build"]

log = structlog.get_logger("agentrunner.api")

_FORGET_S = 3600.0
_BACKLOG = 2048
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Listener:
    """One socket that an application is served on."""

    def __init__(self, app: ASGIApp, sock: socket.socket, bounds: Bounds) -> None:
        self.sock = sock
        self._state = ServerState()
        self._server: asyncio.AbstractServer | None = None
        self._protocol = connection_type(bounds)
        self._config = uvicorn.Config(
            app,
            interface="asgi3",
            http=self._protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
        )

    async def start(self) -> None:
        """Accept connections."""
        self._config.load()
        loop = asyncio.get_running_loop()
        if self.sock.family == socket.AF_UNIX:
            self._server = await loop.create_unix_server(self._accept, sock=self.sock, backlog=_BACKLOG)
        else:
            self._server = await loop.create_server(self._accept, sock=self.sock, backlog=_BACKLOG)

    def _accept(self) -> Connection:
        return self._protocol(config=self._config, server_state=self._state, app_state={})

    async def stop(self, within_s: float) -> None:
        """Accept no more, let requests finish for a while, then cut what is left."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for connection in list(self._state.connections):
            connection.shutdown()
        if tasks := set(self._state.tasks):
            _, late = await asyncio.wait(tasks, timeout=within_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1.0)
        for connection in list(self._state.connections):
            connection.transport.abort()


class Server:
    """Serves between `start` and `stop`; `stop` without `start` and a second `stop` are harmless."""

    def __init__(
        self,
        services: Services,
        *,
        host: str | None = None,
        port: int = 0,
        socket_path: Path | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        """`host` None serves no TCP, `socket_path` None no Unix socket."""
        self._services = services
        self._host = host
        self._port = port
        self.socket_path = socket_path
        self._bounds = bounds or Bounds()
        self._listeners: list[Listener] = []
        self._beside: asyncio.Task[None] | None = None
        self.app = build(services, host=host, bounds=self._bounds)

    @property
    def port(self) -> int:
        """The TCP port; 0 where none is served."""
        for listener in self._listeners:
            if listener.sock.family != socket.AF_UNIX:
                return int(listener.sock.getsockname()[1])
        return 0

    async def start(self) -> None:
        """Bind and serve. Raises ConfigurationError with advice."""
        if self._services.settings.insecure_no_auth and self._host not in (None, *_LOOPBACK):
            raise ConfigurationError(f"`insecure_no_auth` is for loopback only, not for {self._host}; leave it away.")
        try:
            if self._host is not None:
                self._listeners.append(Listener(self.app, bind_tcp(self._host, self._port), self._bounds))
            if self.socket_path is not None:
                self._listeners.append(Listener(self.app.on_socket, bind_unix(self.socket_path), self._bounds))
            for listener in self._listeners:
                await listener.start()
        except BaseException:
            for listener in self._listeners:
                listener.sock.close()
            self._listeners = []
            raise
        self.app.context.console.address = _address(self._host, self.port)
        self._beside = asyncio.create_task(self._run_beside())

    async def _run_beside(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every(self._bounds.tick_s, schedule.tick))
            group.create_task(self._every(_FORGET_S, schedule.forget))
            group.create_task(self._every(_FORGET_S, retention.sweep))
            group.create_task(self._every(search.EVERY_S, search.index))
            group.create_task(self._every(telemetry.EVERY_S, telemetry.expire))

    async def _every(self, seconds: float, use: Callable[[Services], Awaitable[None]]) -> None:
        while True:
            try:
                await use(self._services)
            except Exception as error:
                log.error("periodic work failed", work=use.__name__, exception=trace(error))
            await asyncio.sleep(seconds)

    async def wait_failed(self) -> None:
        """Wait until the server ends by itself; raises what ended it."""
        if self._beside is not None:
            await asyncio.shield(self._beside)

    async def stop(self) -> None:
        """End streams and long polls at once, let other requests finish for `stop_s`, and return when all is closed."""
        self.app.stop()
        listeners, self._listeners = self._listeners, []
        await asyncio.gather(*(listener.stop(self._bounds.stop_s) for listener in listeners))
        if self._beside is not None:
            self._beside.cancel()
            await asyncio.wait({self._beside})
            self._beside = None
        if listeners and self.socket_path is not None:
            self.socket_path.unlink(missing_ok=True)


def _address(host: str | None, port: int) -> str | None:
    """Where a browser on this host reaches it; None without TCP."""
    if host is None:
        return None
    shown = "127.0.0.1" if host in WILDCARDS else f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


def bind_tcp(host: str, port: int) -> socket.socket:
    """A listening TCP socket. Raises ConfigurationError."""
    sock: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except OSError as error:
        if sock is not None:
            sock.close()
        raise ConfigurationError(
            f"Cannot listen on {host} port {port}: {error.strerror or error}. Choose another with `--host` or `--port`."
        ) from error
    sock.setblocking(False)
    return sock


def bind_unix(path: Path) -> socket.socket:
    """A listening Unix socket of mode 0600, replacing one that a killed server left. Raises ConfigurationError.

    The address is `/proc/self/fd/N/NAME`: an address has room for 107 bytes, a data directory's path may be longer.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _remove_socket(path)
            # Fixes the mode of the file that bind makes; nobody can connect in between.
            os.fchmod(sock.fileno(), 0o600)
            sock.bind(f"/proc/self/fd/{directory}/{path.name}")
        finally:
            os.close(directory)
        path.chmod(0o600)
    except OSError as error:
        sock.close()
        raise ConfigurationError(f"Cannot listen on {path}: {error.strerror or error}.") from error
    except BaseException:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def _remove_socket(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ConfigurationError(f"{path} is in the way and no socket; move it away.")
    path.unlink()
