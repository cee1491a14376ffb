"""Use cases of looking at the system itself: the room that is used and left, and what `doctor` finds of the server."""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from agentrunner.domain.check import Check
from agentrunner.engine.services import Services
from agentrunner.store import system

REMEMBER_S = 60.0
"""A look reads the database for up to two seconds."""


class Extents(NamedTuple):
    """The database and its disk, in bytes; `wal` is None where there is none, the disk's are those of the data
    directory.
    """

    driver: str
    schema: int
    size: int
    wal: int | None
    free: int
    whole: int


async def extents(s: Services) -> Extents:
    """How much room is used and left. Raises Unavailable."""
    found = await s.db.read(system.extent)
    wal = None if found.file is None else _size(Path(f"{found.file}-wal"))
    disk = os.statvfs(s.settings.data_path)
    return Extents(
        found.driver, found.schema, found.size, wal, disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


class Found(NamedTuple):
    """What was found, and when (milliseconds)."""

    checks: Sequence[Check]
    at: int


class Findings:
    """What `doctor` found lately: looked for in a thread, once for all who ask, and remembered for a minute."""

    def __init__(self) -> None:
        self._looking: asyncio.Task[Found] | None = None
        self._until = 0.0

    async def read(self, s: Services) -> Found:
        """What is found now, or was a moment ago."""
        if self._looking is None or (self._looking.done() and time.monotonic() > self._until):
            self._looking = asyncio.create_task(self._look(s))
        return await asyncio.shield(self._looking)

    async def _look(self, s: Services) -> Found:
        at = s.clock()
        try:
            checks = await asyncio.to_thread(s.checks)
        except OSError as error:
            advice = "`agentrunner doctor` on the server's host says more."
            checks = [Check(name="server", status="fail", detail=f"cannot be looked at: {error}", advice=advice)]
        self._until = time.monotonic() + REMEMBER_S
        return Found(checks, at)
