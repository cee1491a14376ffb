"""The conformance suite: what `store/base.py` promises, for every driver."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from agentrunner.domain.errors import InvalidTransition, QueryTimeout, Unavailable
from agentrunner.store.base import Database, Tx
from store.given import count, endless, keys, migrations, outcomes, put, put_and_raise, put_and_swallow
from waiting import eventually

PROGRAM = Path(__file__).parent / "programs" / "acknowledge.py"
BROKEN_CONSTRAINT = (sqlite3.IntegrityError, asyncpg.IntegrityConstraintViolationError)
READ_ONLY = (sqlite3.OperationalError, asyncpg.ReadOnlySQLTransactionError)

Open = Callable[..., Database]


async def test_a_write_is_kept_and_answers(database: Database) -> None:
    """What the function answers comes back, and the next read sees the change."""
    assert await database.write(put, "a") == "a"
    assert await database.read(keys) == ["a"]
    assert await database.search(keys) == ["a"]


async def test_keyword_arguments_reach_the_function(database: Database) -> None:
    """`write`, `read` and `search` pass on what they are given."""

    async def echo(tx: Tx, *args: int, **kwargs: int) -> Any:
        return args, kwargs

    for call in (database.write, database.read, database.search):
        assert await call(echo, 1, b=2) == ((1,), {"b": 2})


@pytest.mark.parametrize("error", [InvalidTransition("no"), KeyError("no"), ValueError("no")])
async def test_an_exception_undoes_everything(database: Database, error: Exception) -> None:
    """The caller gets the exception itself, and nothing of the change is left."""
    with pytest.raises(type(error)) as caught:
        await database.write(put_and_raise, "a", error)
    assert caught.value is error
    assert await database.read(keys) == []


async def test_changes_that_share_a_commit_do_not_share_a_fate(database: Database) -> None:
    """Every second of 200 fails, the first among them; exactly the others are kept, and each gets its own answer."""
    changes: list[Any] = [
        partial(put, key=f"{n:03}") if n % 2 else partial(put_and_raise, key=f"{n:03}", error=KeyError(n))
        for n in range(200)
    ]
    answers = await outcomes(database, changes)
    assert [a if isinstance(a, str) else a.args[0] for a in answers] == [f"{n:03}" if n % 2 else n for n in range(200)]
    assert await database.read(keys) == [f"{n:03}" for n in range(1, 200, 2)]


async def test_a_broken_constraint_touches_nobody_else(database: Database) -> None:
    """The driver's own error for the one, and the others are kept."""
    answers = await outcomes(database, [partial(put, key=key) for key in ("a", "b", "b", "c")])
    assert [type(answer) is str for answer in answers].count(True) == 3
    assert [isinstance(answer, BROKEN_CONSTRAINT) for answer in answers].count(True) == 1
    assert await database.read(keys) == ["a", "b", "c"]


async def test_a_swallowed_error_is_no_success(database: Database) -> None:
    """A function that catches a statement's error gets it again, and nothing is kept."""
    heard: list[str] = []
    database.listen(heard.append)
    answers = await outcomes(
        database, [partial(put, key="a"), partial(put_and_swallow, key="b"), partial(put, key="c")]
    )
    assert answers[0] == "a"
    assert isinstance(answers[1], BROKEN_CONSTRAINT)
    assert answers[2] == "c"
    assert await database.read(keys) == ["a", "c"]
    await _mark(database, heard)
    assert "never" not in heard


async def test_nothing_works_behind_a_failed_statement(database: Database) -> None:
    """Not even a statement that could work alone: it would not belong to the transaction any more."""
    seen: list[Exception] = []

    async def go_on(tx: Tx) -> None:
        for sql in ("SELECT no_such_column FROM meta", "INSERT INTO meta (key, value) VALUES ('x', 'x')"):
            try:
                await tx.run(sql)
            except Exception as error:
                seen.append(error)

    with pytest.raises((sqlite3.OperationalError, asyncpg.UndefinedColumnError)) as caught:
        await database.write(go_on)
    assert seen == [caught.value, caught.value]
    assert await database.read(keys) == []


async def _mark(database: Database, heard: list[str]) -> None:
    """Wait until a topic that is committed now is heard: whatever was committed before is then heard too."""

    async def is_heard() -> bool:
        return "mark" in heard

    async def announce(tx: Tx) -> None:
        tx.after_commit("mark")

    await database.write(announce)
    await eventually(is_heard)


async def test_topics_of_what_is_committed_and_no_others(database: Database) -> None:
    """A listener hears each topic of a kept change, once however often it was given, and none of an undone one."""
    heard: list[str] = []
    database.listen(heard.append)

    async def twice(tx: Tx) -> None:
        await put(tx, "twice", topic="twice")
        tx.after_commit("twice")
        tx.after_commit("it's")

    await outcomes(database, [twice, partial(put_and_raise, key="undone", error=KeyError())])
    with pytest.raises(KeyError):
        await database.write(put_and_raise, "alone", KeyError())
    await _mark(database, heard)
    assert sorted(heard) == ["it's", "mark", "twice"]


async def test_a_topic_comes_after_the_commit(database: Database) -> None:
    """Whoever reads when it is woken sees what it was woken for."""
    woken = asyncio.get_running_loop().create_future()
    database.listen(lambda topic: woken.done() or woken.set_result(topic))
    write = asyncio.create_task(database.write(put, "a", topic="t"))
    async with asyncio.timeout(10):
        assert await woken == "t"
    assert await database.read(keys) == ["a"]
    await write


async def test_every_listener_hears(database: Database) -> None:
    """Listeners are independent; one may be added at any time."""
    first: list[str] = []
    second: list[str] = []
    database.listen(first.append)
    await _mark(database, first)
    database.listen(second.append)
    await database.write(put, "a", topic="t")
    await _mark(database, second)
    assert "t" in first
    assert "t" in second


async def test_reads_refuse_changes(database: Database) -> None:
    """`read` and `search` are for reading."""
    for call in (database.read, database.search):
        with pytest.raises(READ_ONLY):
            await call(put, "a")
    assert await database.read(keys) == []


async def test_concurrent_increments_add_up(database: Database) -> None:
    """Read, lock, change: whoever locks the row sees the last one's change."""

    async def increment(tx: Tx) -> None:
        row = await tx.one(f"SELECT n FROM counts WHERE name = ? {tx.dialect.lock_row}", "c")
        assert row is not None
        await tx.run("UPDATE counts SET n = ? WHERE name = ?", row["n"] + 1, "c")

    async def begin(tx: Tx) -> None:
        await tx.run("INSERT INTO counts (name, n) VALUES (?, ?)", "c", 0)

    async def result(tx: Tx) -> Any:
        return await tx.one("SELECT n FROM counts WHERE name = ?", "c")

    await database.write(begin)
    assert await outcomes(database, [increment] * 300) == [None] * 300
    assert (await database.read(result))[0] == 300


async def test_the_claim_lock_lets_one_through(database: Database) -> None:
    """Between the claim lock and the end of the transaction nobody else is there."""
    inside = 0

    async def claim(tx: Tx) -> int:
        nonlocal inside
        if tx.dialect.claim_lock is not None:
            await tx.one(tx.dialect.claim_lock)
        inside += 1
        present = inside
        await tx.all("SELECT key FROM meta")
        inside -= 1
        return present

    assert await outcomes(database, [claim] * 50) == [1] * 50


async def test_values_and_rows(database: Database) -> None:
    """The types of the contract come back as they were; rows answer by name and by position; sums are numbers."""
    values = (2**63 - 1, -(2**63), 0.1, "ünï'code\"?", "", None)
    sql = """SELECT CAST(? AS BIGINT) AS big, CAST(? AS BIGINT) AS small, CAST(? AS DOUBLE PRECISION) AS float,
             CAST(? AS TEXT) AS text, CAST(? AS TEXT) AS empty, CAST(? AS TEXT) AS missing, '?' AS mark"""

    async def check(tx: Tx) -> None:
        row = await tx.one(sql, *values)
        assert row is not None
        assert tuple(row[n] for n in range(6)) == values
        assert [row[name] for name in row.keys()] == [*values, "?"]
        total = await tx.one("SELECT sum(n) AS total, avg(n) AS mean FROM (SELECT 1 AS n UNION ALL SELECT 2) AS t")
        assert total is not None
        assert (total["total"], total["mean"]) == (3, 1.5)
        assert type(total["total"]) is int
        assert await tx.one("SELECT key FROM meta") is None
        assert list(await tx.all("SELECT key FROM meta")) == []

    for call in (database.read, database.search, database.write):
        await call(check)


async def test_bytes(open_database: Open, tmp_path: Path) -> None:
    """Bytes too, in a column of the dialect's own type."""
    database = open_database(migrations=migrations(tmp_path / "m", "CREATE TABLE t (id {{serial}});\n"))

    async def roundtrip(tx: Tx) -> Any:
        kind = "BLOB" if tx.dialect.name == "sqlite" else "BYTEA"
        await tx.run(f"ALTER TABLE t ADD COLUMN b {kind}")
        return await tx.one("INSERT INTO t (b) VALUES (?) RETURNING b", bytes(range(256)))

    await database.start()
    assert (await database.write(roundtrip))[0] == bytes(range(256))
    await database.stop()


async def test_run_and_many(database: Database) -> None:
    """`run` counts what it changed, `many` keeps the order of its rows."""

    async def change(tx: Tx) -> list[int]:
        await tx.many("INSERT INTO counts (name, n) VALUES (?, ?)", [(f"{n}", n) for n in range(5)])
        await tx.many("INSERT INTO counts (name, n) VALUES (?, ?)", [])
        await tx.many("UPDATE counts SET n = ? WHERE name = '0'", [(7,), (8,)])
        return [
            await tx.run("UPDATE counts SET n = n + 1 WHERE n > ?", 1),
            await tx.run("DELETE FROM counts WHERE n > ?", 100),
            await tx.run("INSERT INTO counts (name, n) VALUES ('0', 0) ON CONFLICT (name) DO NOTHING"),
            await tx.run("INSERT INTO counts (name, n) VALUES ('9', 0) ON CONFLICT (name) DO NOTHING"),
        ]

    async def read(tx: Tx) -> list[tuple[str, int]]:
        return [(row[0], row[1]) for row in await tx.all("SELECT name, n FROM counts ORDER BY name")]

    assert await database.write(change) == [4, 0, 0, 1]
    assert await database.read(read) == [("0", 9), ("1", 1), ("2", 3), ("3", 4), ("4", 5), ("9", 0)]


async def test_a_long_search_ends(open_database: Open) -> None:
    """QueryTimeout at the limit, also for those who waited their turn, and the next search works."""
    database = open_database(search_s=0.3)
    await database.start()
    async with asyncio.timeout(10):
        answers = await asyncio.gather(*(database.search(endless) for _ in range(5)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [QueryTimeout] * 5
    assert await database.search(count) == 0
    assert await database.write(put, "a") == "a"
    await database.stop()


async def test_a_cancelled_search_makes_room(open_database: Open) -> None:
    """Somebody who goes away does not leave a statement running in everybody's way."""
    database = open_database(search_s=30.0)
    begun: list[int] = []

    async def search_for_ever(tx: Tx) -> None:
        begun.append(1)
        await endless(tx)

    async def are_under_way() -> bool:
        return len(begun) == 2

    await database.start()
    searches = [asyncio.create_task(database.search(search_for_ever)) for _ in range(2)]
    await eventually(are_under_way)
    for search in searches:
        search.cancel()
    await asyncio.gather(*searches, return_exceptions=True)
    async with asyncio.timeout(10):
        assert await database.search(count) == 0
    await database.stop()


async def test_a_search_does_not_hold_up_the_loop(open_database: Open) -> None:
    """Reads and writes go on while one runs."""
    database = open_database(search_s=1.0)
    await database.start()
    search = asyncio.create_task(database.search(endless))
    for n in range(20):
        await database.write(put, f"{n}")
    assert await database.read(count) == 20
    assert not search.done()
    with pytest.raises(QueryTimeout):
        await search
    await database.stop()


async def test_cancelled_callers_leave_the_others_alone(database: Database) -> None:
    """Every third of 99 callers goes away; the others' changes are all there and the database works."""
    tasks = [asyncio.create_task(database.write(put, f"{n:02}")) for n in range(99)]
    await asyncio.wait([asyncio.create_task(database.read(count))])
    for task in tasks[::3]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    kept = {f"{n:02}" for n in range(99) if n % 3}
    assert {answer for answer in answers if isinstance(answer, str)} >= kept
    assert kept <= set(await database.read(keys))
    assert await database.write(put, "later") == "later"


async def test_a_failed_commit_fails_its_callers(open_database: Open, tmp_path: Path) -> None:
    """A constraint that is checked at the commit: Unavailable, nothing kept, no topic, and the next write works."""
    text = """
        CREATE TABLE parents (id {{int}} NOT NULL PRIMARY KEY) {{strict}};
        CREATE TABLE children (
            parent_id {{int}} NOT NULL REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED
        ) {{strict}};
    """
    database = open_database(migrations=migrations(tmp_path / "m", text))
    heard: list[str] = []
    database.listen(heard.append)

    async def orphan(tx: Tx) -> None:
        await tx.run("INSERT INTO children (parent_id) VALUES (?)", 1)
        tx.after_commit("orphan")

    async def parent(tx: Tx, number: int) -> int:
        return await tx.run("INSERT INTO parents (id) VALUES (?)", number)

    async def children(tx: Tx) -> int:
        return len(await tx.all("SELECT parent_id FROM children"))

    await database.start()
    answers = await outcomes(database, [orphan, orphan])
    assert [type(answer) for answer in answers] == [Unavailable] * 2
    assert answers[0] is not answers[1]
    assert await database.read(children) == 0
    assert await database.write(parent, 1) == 1
    await database.write(orphan)
    assert await database.read(children) == 1
    await _mark(database, heard)
    assert heard == ["orphan", "mark"]
    await database.stop()


async def test_stop_finishes_what_was_accepted(open_database: Open) -> None:
    """A stop that comes behind 200 writes returns when they are there."""
    database = open_database()
    await database.start()
    *answers, _ = await asyncio.gather(*(database.write(put, f"{n:03}") for n in range(200)), database.stop())
    assert answers == [f"{n:03}" for n in range(200)]
    await database.start()
    assert await database.read(count) == 200
    await database.stop()


async def test_start_and_stop_in_any_order(open_database: Open) -> None:
    """Stop without start, twice, and at once; start twice, and again behind a stop: all harmless."""
    database = open_database()
    await database.stop()
    await database.start()
    await database.start()
    await database.write(put, "a")
    await asyncio.gather(database.stop(), database.stop())
    await database.stop()
    await database.start()
    assert await database.read(keys) == ["a"]
    await database.stop()


async def test_a_closed_database_says_so(open_database: Open) -> None:
    """Before the start and behind the stop every call is Unavailable."""
    database = open_database()
    for _ in range(2):
        for call in (database.write, database.read, database.search):
            with pytest.raises(Unavailable, match="closed"):
                await call(count)
        await database.start()
        await database.stop()


async def test_more_at_once_than_can_wait(database: Database) -> None:
    """Callers above the bound of the queue wait for room; every one is served."""

    async def nothing(tx: Tx) -> int:
        return 1

    number = 12_000 if await database.read(_dialect) == "sqlite" else 1_000
    answers = await asyncio.gather(*(database.write(nothing) for _ in range(number)))
    assert sum(answers) == number


async def _dialect(tx: Tx) -> str:
    return tx.dialect.name


def _acknowledged(target: str) -> list[int]:
    """The rows that a process was told are durable before it was killed in the middle of its work."""
    with subprocess.Popen([sys.executable, PROGRAM, target], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            numbers = [int(process.stdout.readline()) for _ in range(300)]
        finally:
            process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().splitlines(keepends=True)
    assert process.returncode == -signal.SIGKILL
    return numbers + [int(line) for line in rest if line.endswith("\n")]


async def test_what_was_acknowledged_survives_kill(open_database: Open, request: pytest.FixtureRequest) -> None:
    """kill -9 in the middle of 32 writers: every acknowledged row is there, none twice."""
    is_sqlite = request.node.callspec.params["open_database"] == "sqlite"
    target = str(request.getfixturevalue("sqlite_path")) if is_sqlite else request.getfixturevalue("postgres_url")
    acknowledged = await asyncio.to_thread(_acknowledged, target)
    database = open_database()
    await database.start()
    present = await database.read(keys)
    assert {f"row/{number}" for number in acknowledged} <= set(present)
    assert len(present) == len(set(present))
    await database.stop()
