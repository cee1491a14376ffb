"""A child's side of `up`."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from agentrunner.app.parent import until_told


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The pipe from a parent."""
    read, write = os.pipe()
    yield read, write
    os.close(read)


async def test_the_end_of_the_parent_is_told(pipe: tuple[int, int]) -> None:
    """However it ended: the kernel closes its end of the pipe."""
    told = asyncio.ensure_future(until_told(pipe[0]))
    done, _ = await asyncio.wait({told}, timeout=0.05)
    assert not done
    os.close(pipe[1])
    assert await asyncio.wait_for(told, 5) == "the parent ended"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_is_told(number: signal.Signals) -> None:
    """Each of those by which a person or a system ends a process."""
    before = signal.getsignal(number)
    told = asyncio.ensure_future(until_told(None))
    await asyncio.wait({told}, timeout=0.01)
    os.kill(os.getpid(), number)
    assert await asyncio.wait_for(told, 5) == number.name
    asyncio.get_running_loop().remove_signal_handler(number)
    signal.signal(number, before)
