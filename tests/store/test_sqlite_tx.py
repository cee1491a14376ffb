"""Rows stored in the way that each driver is fastest at. (What else a transaction promises is in `test_base`.)"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentrunner.store.base import Database, Tx
from store.given import migrations

Open = Callable[..., Database]


async def test_insert_keeps_the_order_of_its_rows(open_database: Open, tmp_path: Path) -> None:
    """However many there are, all or none; a column may be NULL."""
    table = "CREATE TABLE t (id {{serial}}, a TEXT NOT NULL UNIQUE, b TEXT, n {{int}} NOT NULL) {{strict}};\n"
    database = open_database(migrations=migrations(tmp_path / "m", table))
    rows = [(f"a {n}", None if n % 3 else f"b {n}", n) for n in range(600)]

    async def change(tx: Tx, start: int, stop: int) -> None:
        await tx.insert("t", "a, b, n", rows[start:stop])

    async def read(tx: Tx) -> list[tuple[Any, ...]]:
        return [(row[0], row[1], row[2]) for row in await tx.all("SELECT a, b, n FROM t ORDER BY id")]

    await database.start()
    start = 0
    for more in (0, 1, 7, 8, 15, 16, 17, 63, 64, 65, 200):
        await database.write(change, start, start + more)
        start += more
    assert await database.read(read) == rows[:start]
    with pytest.raises(Exception, match=r"(?i)unique"):
        await database.write(change, start - 1, start + 100)
    assert await database.read(read) == rows[:start]
    await database.stop()
