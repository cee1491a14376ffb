"""Writes until no file of this process may grow any more, then on with room again; prints what it was told."""

import asyncio
import resource
import signal
import sys
from pathlib import Path

from agentrunner.domain.errors import Unavailable
from agentrunner.store import meta
from agentrunner.store.sqlite import SqliteDatabase

MIB = 1024 * 1024


async def main(path: str) -> None:
    """Three lines: how many were kept before the first error, that error, and whether it works again."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    database = SqliteDatabase(Path(path))
    await database.start()
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, resource.RLIM_INFINITY))
    kept = 0
    try:
        for kept in range(1000):
            await database.write(meta.put_once, f"row/{kept}", "x" * 10_000)
    except Unavailable as error:
        print(kept)
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(await database.write(meta.put_once, "again", "works"))
    await database.stop()


asyncio.run(main(sys.argv[1]))
