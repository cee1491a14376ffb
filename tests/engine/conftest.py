"""A world per test; after each test the whole database is checked for what must always be true."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

import postgresql
from agentrunner.store.base import Database
from agentrunner.store.postgres import PostgresDatabase
from agentrunner.store.sqlite import SqliteDatabase
from engine import truth
from engine.world import TABLES, Clock, World, begin, open_services, settings_of


@pytest.fixture(scope="session")
def engine_url(postgres_server: str) -> Iterator[str]:
    """One PostgreSQL database for all tests of the engine: emptying it is quicker than making it."""
    with postgresql.fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> str | None:
    """Where PostgreSQL is; None for SQLite, which needs none."""
    return request.getfixturevalue("engine_url") if request.param == "postgres" else None


@pytest.fixture
async def database(url: str | None, tmp_path: Path) -> AsyncIterator[Database]:
    """A started, empty database, once for each driver."""
    made: Database = PostgresDatabase(url) if url else SqliteDatabase(tmp_path / "test.db")
    await made.start()
    if url:
        connection = await asyncpg.connect(url)
        await connection.execute(f"TRUNCATE {', '.join(TABLES)} RESTART IDENTITY CASCADE")
        await connection.close()
    yield made
    await made.stop()


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[World]:
    """Services over either database, with a clock that the test moves."""
    clock = Clock()
    services = open_services(database, settings_of(tmp_path), clock)
    await database.write(begin, clock())
    yield World(services, clock)
    await truth.check(database)
