"""Which classes stand behind the contracts."""

import secrets as random_bits
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agentrunner.app.backends import backends
from agentrunner.app.db import NAME, refuse_emptied
from agentrunner.app.doctor import server_checks
from agentrunner.app.tokens import LOCAL_TOKENS, local_token
from agentrunner.config import Settings
from agentrunner.domain.token import Scope
from agentrunner.engine import projects, tokens
from agentrunner.engine.services import Services, steady_clock
from agentrunner.engine.wakeups import Wakeups
from agentrunner.engine.workers import INSTANCE
from agentrunner.store import meta, workers
from agentrunner.store.base import Database, Tx
from agentrunner.store.secrets import SecretFiles
from agentrunner.store.sqlite import SqliteDatabase


def database(settings: Settings) -> Database:
    """PostgreSQL where its URL is set, else SQLite in the data directory."""
    if settings.database_url:
        # Imported only where it is used: its driver would cost every other server a tenth of its start.
        from agentrunner.store.postgres import PostgresDatabase

        return PostgresDatabase(settings.database_url, settings.durability)
    return SqliteDatabase(settings.data_path / NAME, durability=settings.durability)


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """The services of a server process, with the database open, its instance named and the local tokens made."""
    settings.data_path.mkdir(mode=0o700, parents=True, exist_ok=True)
    refuse_emptied(settings)
    db = database(settings)
    services = Services(
        db=db,
        settings=settings,
        backends=backends(),
        secrets=SecretFiles(settings.data_path / "secrets"),
        wakeups=Wakeups(),
        clock=steady_clock(),
        new_uid=lambda: random_bits.token_hex(8),
        checks=lambda: list(server_checks(settings)),
    )
    await db.start()
    try:
        db.listen(services.wakeups.publish)
        await db.write(_begin, services.clock())
        for file, scope in LOCAL_TOKENS:
            await _ensure_token(services, settings.data_path / file, scope)
        yield services
    finally:
        await db.stop()


async def _ensure_token(services: Services, path: Path, scope: Scope) -> None:
    """The token of a file is known; one that was revoked is replaced, for this host's commands need one."""
    if not await tokens.ensure(services, path.name, scope, local_token(path)):
        await tokens.ensure(services, path.name, scope, local_token(path, anew=True))


async def _begin(tx: Tx, now: int) -> None:
    await meta.put_once(tx, INSTANCE, uuid.uuid4().hex)
    await projects.ensure_default(tx, now)
    await workers.hear_all(tx, now)
