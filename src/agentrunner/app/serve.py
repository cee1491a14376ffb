"""The server process: the database, the HTTP surfaces, and what time demands."""

import gc
import os
from pathlib import Path

import uvloop

from agentrunner.api.server import Server
from agentrunner.app.address import SOCKET_NAME, forget_address, write_address
from agentrunner.app.logs import catch_all, configure
from agentrunner.app.open_files import allow_many
from agentrunner.app.parent import inherited_fd, until_told_or_failed
from agentrunner.app.wiring import open_services
from agentrunner.config import Settings
from agentrunner.domain.errors import ConfigurationError
from agentrunner.process import holder

SUCCEED_S = 5.0
_COLLECT_EVERY = 10_000
"""Objects made and not freed by reference count since the last look for cycles."""


def serve(settings: Settings, tcp: bool = True) -> None:
    """Serve until told to end, or until the parent does; with `tcp` false on the Unix socket only.

    An old server that still holds the data directory is given 5 s, then killed by its proven start time.
    """
    configure(settings, "server")
    catch_all()
    allow_many()
    lock = hold(settings.data_path)
    try:
        uvloop.run(_serve(settings, tcp))
    finally:
        os.close(lock)


def hold(data_dir: Path) -> int:
    """The lock of a data directory. Raises ConfigurationError where it cannot be had."""
    try:
        return holder.take(data_dir / "server.lock", SUCCEED_S)
    except holder.Held as error:
        raise ConfigurationError(f"Another server uses {data_dir} and could not be ended; end it first.") from error


def _spare_collector() -> None:
    """Leave what is there for good out of the garbage collector, and let it run where there is something to find.

    Its rounds over the loaded framework and for a few hundred objects of requests took a sixth of the loop's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY, 10, 10)


async def _serve(settings: Settings, tcp: bool) -> None:
    parent_fd = inherited_fd()
    async with open_services(settings) as services:
        server = Server(
            services,
            host=settings.host if tcp else None,
            port=settings.port,
            socket_path=settings.data_path / SOCKET_NAME,
        )
        await server.start()
        _spare_collector()
        if tcp:
            write_address(settings.data_path, settings.host, server.port)
        try:
            await until_told_or_failed(parent_fd, server.wait_failed())
        finally:
            forget_address(settings.data_path)
            await server.stop()
