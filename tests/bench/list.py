"""The newest 50 of a million runs, against the query and a raw ASGI handler that answers the same bytes."""

import asyncio
import sqlite3
import statistics
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from agentrunner.domain.run import NewRun
from agentrunner.store.sqlite import SqliteDatabase
from bench import limits
from bench.limits import Limit
from bench.plan import Plan
from bench.report import Row, compare
from bench.servers import Server, serving
from bench.wire import drive, request

CLIENTS = 8
FEW = 1000
_PATH = "/v1/runs?limit=50"


def fill(database: Path, count: int) -> None:
    """Copies of the newest run until there are `count`, with statuses and times of their own, every index kept.

    Without syncs, and with the indices made behind the rows: what is measured is reading.
    """
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -262144")
    columns = [row[1] for row in connection.execute("PRAGMA table_info(runs)")]
    made = {
        "id": "n",
        "external_id": "NULL",
        "title": "'run ' || n",
        "status": "CASE n % 10 WHEN 0 THEN 'FAILED' WHEN 1 THEN 'STOPPED' ELSE 'COMPLETED' END",
        "agent": "'agent-' || (n % 20)",
        "created_at": "r.created_at + n",
    }
    chosen = ", ".join(made.get(name, f"r.{name}") for name in columns)
    sql = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'runs' AND sql IS NOT NULL"
    indices = connection.execute(sql).fetchall()
    (first,) = connection.execute("SELECT max(id) FROM runs").fetchone()
    connection.execute("BEGIN")
    for name, _ in indices:
        connection.execute(f"DROP INDEX {name}")
    connection.execute(
        f"""INSERT INTO runs ({", ".join(columns)})
            WITH RECURSIVE numbers (n) AS (SELECT ? + 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
            SELECT {chosen} FROM numbers, runs r WHERE r.id = ?""",
        (first, count, first),
    )
    for _, statement in indices:
        connection.execute(statement)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _filled(place: Path, count: int) -> None:
    """A data directory whose database has `count` runs, the first of them made by the product itself."""
    with serving(place) as server:
        fields = NewRun(backend="external", goal="look into " + "x" * 150, labels={"team": "bench", "size": "m"})
        server.post("/v1/runs", fields)
    fill(place / "agentrunner.db", count)


def _p50_ms(server: Server, count: int) -> float:
    times = []
    for _ in range(count):
        before = time.perf_counter()
        server.caller.call("GET", _PATH)
        times.append(time.perf_counter() - before)
    return statistics.median(times) * 1000


def measure(plan: Plan) -> list[Row]:
    """The row, and how long one request takes with few runs and with many."""
    many = plan.pick(100_000, 1_000_000)
    place, small = plan.place("list"), plan.place("list-few")
    began = time.perf_counter()
    _filled(place, many)
    _filled(small, FEW)
    plan.tell(f"list: {many:,} runs filled in in {time.perf_counter() - began:.1f} s")
    seconds = 0.4 if plan.is_quick else 2.0
    with ExitStack() as stack:
        server = stack.enter_context(serving(place))
        few = stack.enter_context(serving(small))
        (place / "agentrunner.db.page").write_bytes(server.caller.call("GET", _PATH))
        limit = stack.enter_context(limits.running("list", str(place / "agentrunner.db")))
        messages = [request("GET", _PATH, server.token)] * CLIENTS

        def rate(side: Server | Limit) -> float:
            return drive(side.port, messages, b"200", seconds).rate

        for side in (server, limit):
            drive(side.port, messages, b"200", 0.3)
        name = f"list 50 of {many:,}"
        row = Row(name=name, unit="GET/s", must=0.5, wish=0.7, note=f"{CLIENTS} clients")
        row = compare(row, lambda: rate(server), lambda: rate(limit), plan.rounds, plan.tell)
        p50 = Row(name=f"list, {many:,} to {FEW:,} runs", unit="ms p50", note="one client")
        p50 = compare(p50, lambda: _p50_ms(server, 100), lambda: _p50_ms(few, 100), plan.rounds, plan.tell)
        asyncio.run(_check(place / "agentrunner.db", many))
    return [row, replace(p50, lower_is_better=True)]


async def _check(path: Path, count: int) -> None:
    """The product's own driver finds the schema as it left it."""
    database = SqliteDatabase(path)
    await database.start()
    await database.stop()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM runs").fetchone() == (count,)
    connection.close()
