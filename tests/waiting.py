"""Waiting on conditions with a deadline, for tests that watch real processes."""

import asyncio
import select
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], timeout: float = 10.0, every: float = 0.005) -> T:
    """Return the first truthy value of `condition`, asked every `every` seconds, or fail after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{getattr(condition, '__name__', condition)} not true within {timeout} s"
        select.select([], [], [], every)
    return value


async def eventually(condition: Callable[[], Awaitable[T]], timeout: float = 10.0, every: float = 0.01) -> T:
    """The same for an awaitable condition."""
    async with asyncio.timeout(timeout):
        while not (value := await condition()):
            await _pause(every)
        return value


async def _pause(seconds: float) -> None:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(seconds, lambda: future.done() or future.set_result(None))
    await future
