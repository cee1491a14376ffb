"""What the tests of the worker share."""

from collections.abc import AsyncIterator

import pytest

from worker.world import World, world


@pytest.fixture
async def here() -> AsyncIterator[World]:
    """A server in this process, no worker yet."""
    async with world() as made:
        yield made
