"""Small transactions that the tests of the store are made of."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from agentrunner.store.base import Database, Tx

ENDLESS = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT count(*) FROM n"


async def put(tx: Tx, key: str, topic: str | None = None) -> str:
    """Store a row; announce a topic."""
    await tx.run("INSERT INTO meta (key, value) VALUES (?, ?)", key, "value")
    if topic is not None:
        tx.after_commit(topic)
    return key


async def put_and_raise(tx: Tx, key: str, error: BaseException) -> None:
    """Store a row, then change one's mind."""
    await put(tx, key, topic=f"never/{key}")
    raise error


async def put_and_swallow(tx: Tx, key: str) -> str:
    """Store a row, store it again, and pretend that nothing happened."""
    await put(tx, key, topic="never")
    try:
        await put(tx, key)
    except Exception:
        return "fine"
    return "finer"


async def keys(tx: Tx) -> list[str]:
    """Every key, sorted."""
    return sorted(row["key"] for row in await tx.all("SELECT key FROM meta"))


async def count(tx: Tx) -> int:
    """How many keys there are."""
    row = await tx.one("SELECT count(*) FROM meta")
    assert row is not None
    return int(row[0])


async def endless(tx: Tx) -> Any:
    """A statement that does not end by itself."""
    return await tx.one(ENDLESS)


async def outcomes(database: Database, functions: Sequence[Callable[[Tx], Awaitable[Any]]]) -> list[Any]:
    """Write all at once; the results or exceptions in order."""
    return await asyncio.gather(*map(database.write, functions), return_exceptions=True)


def migrations(directory: Path, *texts: str) -> Path:
    """A directory with these migrations; a present one is replaced."""
    directory.mkdir(exist_ok=True)
    for number, text in enumerate(texts, start=1):
        (directory / f"{number:04}_test.sql").write_text(text)
    return directory
