"""The real application over a real SQLite file: in process for most tests, on real sockets for the others."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentrunner.agents.command import CommandBackend
from agentrunner.agents.demo import DemoBackend
from agentrunner.agents.registry import load as load_backends
from agentrunner.api.server import Application, Server, build
from agentrunner.config import Settings, load
from agentrunner.domain.token import Scope
from agentrunner.engine import projects, tokens
from agentrunner.engine.services import Services
from agentrunner.engine.wakeups import Wakeups
from agentrunner.engine.workers import INSTANCE
from agentrunner.store import meta
from agentrunner.store.secrets import SecretFiles
from agentrunner.store.sqlite import SqliteDatabase
from api.serving import QUICK, Clock


@pytest.fixture
def overrides() -> dict[str, Any]:
    """Settings that differ from the defaults; tests parametrize it."""
    return {}


@pytest.fixture
def settings(tmp_path: Path, overrides: dict[str, Any]) -> Settings:
    """The settings of the server under test."""
    return load({}, {"data_dir": str(tmp_path), **overrides})


@pytest.fixture
def clock() -> Clock:
    """The server's clock."""
    return Clock()


@pytest.fixture
async def services(settings: Settings, clock: Clock) -> AsyncIterator[Services]:
    """Services over a new database."""
    numbers = itertools.count(1)
    services = Services(
        db=SqliteDatabase(settings.data_path / "agentrunner.db", durability="normal"),
        settings=settings,
        backends=load_backends([CommandBackend(), DemoBackend()]),
        secrets=SecretFiles(settings.data_path / "secrets"),
        wakeups=Wakeups(),
        clock=clock,
        new_uid=lambda: f"uid{next(numbers)}",
    )
    await services.db.start()
    services.db.listen(services.wakeups.publish)
    await services.db.write(meta.put_once, INSTANCE, "instance-of-the-test")
    await services.db.write(projects.ensure_default, clock())
    try:
        yield services
    finally:
        await services.db.stop()


@pytest.fixture
async def application(services: Services) -> AsyncIterator[Application]:
    """The application in process."""
    app = build(services, bounds=QUICK)
    try:
        yield app
    finally:
        app.stop()


@pytest.fixture
async def token(services: Services) -> Callable[[Scope], Awaitable[str]]:
    """Makes tokens."""

    async def make(scope: Scope) -> str:
        return (await tokens.create(services, scope.value, scope))[1]

    return make


@pytest.fixture
async def client(
    application: Application, token: Callable[[Scope], Awaitable[str]]
) -> AsyncIterator[httpx.AsyncClient]:
    """A client in process with an admin's token, as over TCP."""
    headers = {"authorization": f"Bearer {await token(Scope.ADMIN)}"}
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as found:
        yield found


@pytest.fixture
async def worker(
    application: Application, token: Callable[[Scope], Awaitable[str]]
) -> AsyncIterator[httpx.AsyncClient]:
    """A client in process with a worker's token, as over the Unix socket."""
    headers = {"authorization": f"Bearer {await token(Scope.WORKER)}"}
    transport = httpx.ASGITransport(application.on_socket)
    async with httpx.AsyncClient(transport=transport, base_url="http://agentrunner", headers=headers) as found:
        yield found


@pytest.fixture
async def server(services: Services, settings: Settings) -> AsyncIterator[Server]:
    """A real server on loopback and on a Unix socket."""
    found = Server(
        services, host="127.0.0.1", port=0, socket_path=settings.data_path / "agentrunner.sock", bounds=QUICK
    )
    await found.start()
    try:
        yield found
    finally:
        await found.stop()
