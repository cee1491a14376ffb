"""Writes rows with many writers at once and prints the number of each one when it is acknowledged, until killed."""

import asyncio
import itertools
import sys
from pathlib import Path

from agentrunner.store import meta
from agentrunner.store.base import Database
from agentrunner.store.postgres import PostgresDatabase
from agentrunner.store.sqlite import SqliteDatabase


async def main(target: str) -> None:
    """Write to a path or a URL."""
    is_url = target.startswith("postgresql:")
    database: Database = PostgresDatabase(target) if is_url else SqliteDatabase(Path(target))
    await database.start()
    numbers = itertools.count()

    async def write() -> None:
        for number in numbers:
            await database.write(meta.put_once, f"row/{number}", "x" * 500)
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()

    await asyncio.gather(*(write() for _ in range(32)))


asyncio.run(main(sys.argv[1]))
