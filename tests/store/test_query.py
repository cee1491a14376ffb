"""The SQL of lists: no statement reads a whole table or sorts, whatever is asked for."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentrunner.domain.query import parse
from agentrunner.store import runs, search, search_page, stats
from agentrunner.store.base import Dialect, Row, Tx
from agentrunner.store.query import plan_of
from agentrunner.store.sqlite import SqliteDatabase
from agentrunner.store.sqlite_tx import SqliteTx

NOW = 1_763_690_400_000
TERMS = [
    "status:failed",
    "status:failed,stopped",
    "-status:completed",
    "agent:claude",
    "agent:claude,codex",
    "-agent:claude",
    "backend:command,external",
    "-backend:command",
    "project:web,default",
    "-project:web",
    "label:team",
    "label:team=web,team=api",
    "-label:team",
    "worker:w1,w2",
    "-worker:w1",
    "reason:oom_killed,signal",
    "-reason:signal",
    "id:1,2,3",
    "-id:1",
    "since:1h",
    "until:2020-01-01",
    "-since:1h",
    "cost:>1",
    "-cost:>1",
    "took:>10m",
    "-took:>10m",
    "phase:working,stalled",
    "-phase:working",
    "hold:operator,capacity",
    "-hold:operator",
    "is:active",
    "is:terminal,held",
    "is:unreachable",
    "-is:terminal",
    "word",
    '"two words"',
    "wor*",
    "-word",
]
FILTERS: list[dict[str, Any]] = [
    {},
    {"status": ["FAILED", "STOPPED"]},
    {"project": ["default", "web"], "backend": ["command"]},
    {"agent": ["claude"], "worker_id": ["w1", "w2"]},
    {"labels": [("team", "web"), ("size", "m")]},
]


class Noted:
    """A transaction that notes what it is asked."""

    def __init__(self, tx: SqliteTx) -> None:
        self._tx = tx
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    @property
    def dialect(self) -> Dialect:
        """The driver's SQL fragments."""
        return self._tx.dialect

    async def one(self, sql: str, *args: Any) -> Row | None:
        """The first row, or None."""
        self.asked.append((sql, args))
        return await self._tx.one(sql, *args)

    async def all(self, sql: str, *args: Any) -> Sequence[Row]:
        """Every row."""
        self.asked.append((sql, args))
        return await self._tx.all(sql, *args)


async def plans(path: Path, use: Any) -> list[str]:
    """What SQLite says of each statement that `use` makes: how it would be answered."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    try:
        noted = Noted(SqliteTx(connection))
        await use(noted)
        assert noted.asked
        return [
            f"{row['detail']} in {' '.join(sql.split())}"
            for sql, args in noted.asked
            for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", args)
        ]
    finally:
        connection.close()


def is_costly(step: str) -> bool:
    """Whether a step grows with the number of runs: it reads a whole table or index, or sorts what it found."""
    is_scan = step.startswith("SCAN ") and not step.startswith(("SCAN search VIRTUAL", "SCAN CONSTANT ROW"))
    newest_first = step.startswith("SCAN r in SELECT r.id, p.name") and "ORDER BY r.id DESC LIMIT" in step
    return (is_scan and not newest_first) or "TEMP B-TREE FOR ORDER BY" in step


async def fill(tx: Tx, count: int) -> None:
    """A project, and ended runs that cost something."""
    await tx.run("INSERT INTO projects (id, name, settings, created_at) VALUES (1, 'default', '{}', 0)")
    made = {"id": "n", "project_id": "1", "status": "'FAILED'", "ended_at": f"{NOW}", "started_at": "0"}
    made |= {"cost_usd": "9.0", "desired": "'run'", "on_lost": "'wait'", "agent": "'claude'", "worker_id": "'w1'"}
    made |= dict.fromkeys(("options", "limits", "retry", "usage", "labels", "metadata"), "'{}'")
    info = await tx.all("PRAGMA table_info(runs)")
    columns = [row["name"] for row in info]
    plain = {row["name"]: ("''" if row["type"] == "TEXT" else "0") if row["notnull"] else "NULL" for row in info}
    values = ", ".join((plain | made).values())
    await tx.run(
        f"""INSERT INTO runs ({", ".join(columns)}) WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL
            SELECT n + 1 FROM numbers WHERE n < ?) SELECT {values} FROM numbers""",
        count,
    )


@pytest.fixture(params=[1, search_page.FEW + 1])
async def path(request: pytest.FixtureRequest, sqlite_database: SqliteDatabase, sqlite_path: Path) -> Path:
    """A database with few runs, or with as many as make a span a condition."""
    await sqlite_database.write(fill, request.param)
    return sqlite_path


@pytest.mark.parametrize("limit", [50, 1001])
async def test_no_list_reads_everything(path: Path, limit: int) -> None:
    """Every term alone, every two together, and every filter, from the top and from a cursor."""
    asked: list[dict[str, Any]] = [*FILTERS, *({"query": parse(term)} for term in TERMS)]
    asked += [{"query": parse(f"{one} {TERMS[(n * 5 + 3) % len(TERMS)]}")} for n, one in enumerate(TERMS)]
    costly: dict[str, list[str]] = {}
    for filters in asked:
        for before in (None, 100):
            wanted = {**filters, "now": NOW}
            found = await plans(path, lambda tx, w=wanted, b=before: runs.page(tx, w, b, limit))
            if steps := [step for step in found if is_costly(step)]:
                costly[str(filters.get("query", filters))] = steps
    assert costly == {}


async def test_what_is_asked_all_the_time_reads_nothing_whole(path: Path) -> None:
    """The index's look for new text, the newest runs that are not indexed, a page of events, a run."""
    for use in (search.gather, search.oldest_missing, lambda tx: search.fresh(tx, []), lambda tx: runs.get(tx, 1)):
        assert [step for step in await plans(path, use) if is_costly(step) and "max(id)" not in step] == []


def test_what_one_look_answers() -> None:
    """It is asked on the loop; whatever may take longer has a thread."""
    quick = ["", "status:failed,stopped", "project:web", "is:terminal", "id:1,2"]
    slow = ["status:failed project:web", "word", "-agent:claude", "since:1h", "cost:>1", "worker:w1"]
    assert [plan_of({"query": parse(text), "now": NOW}).is_quick for text in quick] == [True] * len(quick)
    assert [plan_of({"query": parse(text), "now": NOW}).is_quick for text in slow] == [False] * len(slow)


async def test_counters_are_read_by_name(path: Path) -> None:
    """As many rows as counters, however many runs there are."""
    found = await plans(path, lambda tx: stats.read(tx, "status/"))
    assert all("runs" not in step for step in found)
