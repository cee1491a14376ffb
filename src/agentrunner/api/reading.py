"""Reads large bodies in threads, a few at a time: what they need in memory is bounded, and nobody waits for one."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from agentrunner.domain.errors import Unavailable

T = TypeVar("T")

LARGE = 128 * 1024
"""A smaller body is read at once."""
_MOST_READING, _MOST_WAITING = 2, 16


class Readers:
    """One per server process."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(_MOST_READING)
        self._waiting = 0

    async def read(self, reader: Callable[[bytes], T], content: bytes, size: int) -> T:
        """What `reader` makes of a body of about `size` bytes. Raises Unavailable where too many wait."""
        if size < LARGE:
            return reader(content)
        if self._waiting >= _MOST_WAITING:
            raise Unavailable("Too many large batches are being read; send this one again shortly.")
        self._waiting += 1
        try:
            async with self._slots:
                return await asyncio.to_thread(reader, content)
        finally:
            self._waiting -= 1
