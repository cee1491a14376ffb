"""A world per test; after each test the whole database is checked for what must always be true."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentrunner.store.base import Database
from engine import truth
from engine.world import Clock, World, begin, open_services, settings_of


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[World]:
    """Services over either database, with a clock that the test moves."""
    clock = Clock()
    services = open_services(database, settings_of(tmp_path), clock)
    await database.write(begin, clock())
    yield World(services, clock)
    await truth.check(database)
