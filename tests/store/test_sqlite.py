"""What only SQLite has: the writer thread and its groups, and a file that may be anything."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agentrunner.domain.errors import ConfigurationError, Unavailable
from agentrunner.store.base import Tx
from agentrunner.store.sqlite import SqliteDatabase
from store.given import count, keys, migrations, outcomes, put, put_and_raise

PROGRAM = Path(__file__).parent / "programs" / "full_disk.py"
MIB = 1024 * 1024


@types.coroutine
def suspend() -> Generator[None, None, None]:
    """What every real wait comes down to."""
    yield


async def put_and_suspend(tx: Tx, key: str) -> None:
    """Store a row, then wait for something that is no transaction."""
    await put(tx, key)
    await suspend()


async def test_a_function_that_suspends_is_refused(sqlite_database: SqliteDatabase) -> None:
    """A clear RuntimeError naming it, and its change is undone, alone and between others."""
    with pytest.raises(RuntimeError, match="put_and_suspend awaited something other than its transaction"):
        await sqlite_database.write(put_and_suspend, "alone")
    changes: list[Any] = [partial(put, key="a"), partial(put_and_suspend, key="b"), partial(put, key="c")]
    answers = await outcomes(sqlite_database, changes)
    assert answers[::2] == ["a", "c"]
    assert isinstance(answers[1], RuntimeError)
    for call in (sqlite_database.read, sqlite_database.search):
        with pytest.raises(RuntimeError, match="awaited"):
            await call(suspend_only)
    assert await sqlite_database.read(keys) == ["a", "c"]


async def suspend_only(tx: Tx) -> None:
    """Wait for nothing."""
    await suspend()


async def test_a_function_that_refuses_to_end_is_refused(sqlite_database: SqliteDatabase) -> None:
    """Even one that goes on when it is closed."""

    async def stubborn(tx: Tx) -> None:
        await put(tx, "a")
        try:
            await suspend()
        finally:
            await suspend()

    with pytest.raises(RuntimeError, match="awaited something"):
        await sqlite_database.write(stubborn)
    assert await sqlite_database.read(count) == 0


async def test_a_function_cannot_end_its_transaction(sqlite_database: SqliteDatabase) -> None:
    """COMMIT is the driver's word; who says it is told, and the writer goes on."""

    async def impatient(tx: Tx) -> None:
        await tx.run("COMMIT")

    with pytest.raises(RuntimeError, match="ended its own transaction"):
        await sqlite_database.write(impatient)
    assert await sqlite_database.write(put, "a") == "a"


class Gate:
    """Holds the writer thread inside a change, so that what follows is one group."""

    def __init__(self) -> None:
        self.is_inside = threading.Event()
        self.may_go = threading.Event()

    async def hold(self, tx: Tx, key: str) -> str:
        """Store a row and wait for the test."""
        await put(tx, key, topic=f"topic/{key}")
        self.is_inside.set()
        assert self.may_go.wait(10)
        return key


async def commits_of(database: SqliteDatabase, *changes: Callable[[Tx], Any]) -> list[Any]:
    """The outcomes of changes that came while the writer was busy, and so shared one commit."""
    gate = Gate()
    held = asyncio.create_task(database.write(gate.hold, "held"))
    assert await asyncio.to_thread(gate.is_inside.wait, 10)
    waiting = asyncio.gather(*map(database.write, changes), return_exceptions=True)
    await database.read(count)
    turn = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(turn.set_result, None)
    await turn
    gate.may_go.set()
    answers = await waiting
    return [(await asyncio.gather(held, return_exceptions=True))[0], *answers]


async def test_waiting_changes_share_a_commit(sqlite_database: SqliteDatabase) -> None:
    """What came meanwhile is committed together: a commit that fails takes all of it, each with its own error."""
    heard: list[str] = []
    sqlite_database.listen(heard.append)

    async def orphan(tx: Tx) -> None:
        await tx.run("PRAGMA defer_foreign_keys = ON")
        await tx.run("INSERT INTO labels (name, value, run_id) VALUES ('a', 'b', 99)")

    answers = await commits_of(sqlite_database, partial(put, key="a", topic="t"), orphan, partial(put, key="b"))
    assert [type(answer) for answer in answers] == [Unavailable] * 4
    assert len({id(answer) for answer in answers}) == 4
    assert all("FOREIGN KEY" in str(answer) for answer in answers)
    assert await sqlite_database.read(count) == 0
    assert heard == []
    assert await commits_of(sqlite_database, partial(put, key="a", topic="t")) == ["held", "a"]
    assert heard == ["topic/held", "t"]


async def test_topics_of_a_group_are_delivered_once(sqlite_database: SqliteDatabase) -> None:
    """A hundred changes of the same run in one commit are one wake-up."""
    heard: list[str] = []
    sqlite_database.listen(heard.append)
    changes = [partial(put, key=f"{n}", topic="run/1") for n in range(100)]
    answers = await commits_of(sqlite_database, *changes, partial(put_and_raise, key="x", error=KeyError()))
    assert len(answers) == 102
    assert heard == ["topic/held", "run/1"]


async def test_a_caller_that_left_before_its_turn_changes_nothing(sqlite_database: SqliteDatabase) -> None:
    """Work for nobody is not done."""
    gate = Gate()
    held = asyncio.create_task(sqlite_database.write(gate.hold, "held"))
    assert await asyncio.to_thread(gate.is_inside.wait, 10)
    left = asyncio.create_task(sqlite_database.write(put, "left"))
    stays = asyncio.create_task(sqlite_database.write(put, "stays"))
    await asyncio.wait([asyncio.create_task(sqlite_database.read(count))])
    left.cancel()
    await asyncio.wait([left])
    gate.may_go.set()
    assert await asyncio.gather(held, stays) == ["held", "stays"]
    assert await sqlite_database.read(keys) == ["held", "stays"]


async def test_a_full_database_fails_only_what_is_not_kept(sqlite_database: SqliteDatabase) -> None:
    """SQLITE_FULL may undo a whole group: exactly those who were told so are in it, and room heals it."""

    async def limit(tx: Tx, pages: int) -> Any:
        return (await tx.all(f"PRAGMA max_page_count = {pages}"))[0][0]

    async def put_large(tx: Tx, key: str) -> str:
        await tx.run("INSERT INTO meta (key, value) VALUES (?, ?)", key, "x" * 50_000)
        return key

    await sqlite_database.write(limit, 200)
    answers = await outcomes(sqlite_database, [partial(put_large, key=f"{n:02}") for n in range(40)])
    kept = [answer for answer in answers if isinstance(answer, str)]
    failed = [answer for answer in answers if not isinstance(answer, str)]
    assert failed
    assert {type(answer) for answer in failed} == {Unavailable}
    assert all("full" in str(answer) for answer in failed)
    assert await sqlite_database.read(keys) == kept
    await sqlite_database.write(limit, 2**30)
    assert await sqlite_database.write(put_large, "again") == "again"


async def test_a_disk_without_room(tmp_path: Path) -> None:
    """Unavailable with advice, what was acknowledged is there, and with room the same process goes on."""
    path = tmp_path / "test.db"
    result = await asyncio.to_thread(
        subprocess.run, [sys.executable, PROGRAM, path], capture_output=True, text=True, timeout=30, check=True
    )
    kept, error, again = result.stdout.splitlines()
    assert "disk" in error
    assert again == "works"
    with sqlite3.connect(path) as connection:
        present = [row[0] for row in connection.execute("SELECT key FROM meta")]
    connection.close()
    assert {f"row/{n}" for n in range(int(kept))} | {"again"} <= set(present)
    assert int(kept) > 10


async def test_a_search_sees_one_snapshot(sqlite_database: SqliteDatabase) -> None:
    """What is committed while a search runs is not in it, and in the next one it is."""
    may_go = threading.Event()
    has_begun = threading.Event()

    async def count_twice(tx: Tx) -> tuple[int, int]:
        before = await count(tx)
        has_begun.set()
        assert may_go.wait(10)
        return before, await count(tx)

    search = asyncio.create_task(sqlite_database.search(count_twice))
    assert await asyncio.to_thread(has_begun.wait, 10)
    await sqlite_database.write(put, "a")
    may_go.set()
    assert await search == (0, 0)
    assert await sqlite_database.search(count) == 1


async def test_the_wal_stays_bounded_under_overlapping_readers(
    sqlite_database: SqliteDatabase, sqlite_path: Path
) -> None:
    """Somebody always reads, so SQLite's own checkpoints never start the WAL anew; 200 MiB go through all the same."""
    is_over = threading.Event()
    await sqlite_database.write(put, "row")

    def keep_reading(offset: float) -> None:
        connection = sqlite3.connect(sqlite_path, isolation_level=None)
        is_over.wait(offset)
        while not is_over.wait(0.001):
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM meta").fetchone()
            is_over.wait(0.03)
            connection.execute("COMMIT")
        connection.close()

    async def replace(tx: Tx, number: int) -> None:
        # Other text each time: SQLite does not write a page again that stays the same.
        await tx.run("UPDATE meta SET value = ? WHERE key = 'row'", f"{number:08}" * (MIB // 8))

    readers = [asyncio.create_task(asyncio.to_thread(keep_reading, offset)) for offset in (0.0, 0.01, 0.02)]
    largest = 0
    try:
        for number in range(200):
            await sqlite_database.write(replace, number)
            largest = max(largest, sqlite_path.with_name("test.db-wal").stat().st_size)
    finally:
        is_over.set()
        await asyncio.gather(*readers)
    assert largest < 128 * MIB


async def test_the_files_are_the_owners_alone(sqlite_database: SqliteDatabase, sqlite_path: Path) -> None:
    """0600 for the database, its WAL and its index, whatever the umask; nothing is left but the database at the end."""
    await sqlite_database.write(put, "a")
    files = sorted(sqlite_path.parent.glob("test.db*"))
    assert [file.name for file in files] == ["test.db", "test.db-shm", "test.db-wal"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    await sqlite_database.stop()
    assert list(sqlite_path.parent.glob("test.db*")) == [sqlite_path]


async def test_a_wide_open_file_is_closed(sqlite_path: Path) -> None:
    """A database that was copied with the wrong mode gets the right one."""
    os.close(os.open(sqlite_path, os.O_CREAT | os.O_WRONLY, 0o644))
    database = SqliteDatabase(sqlite_path)
    await database.start()
    assert stat.S_IMODE(os.stat(sqlite_path).st_mode) == 0o600
    await database.stop()


async def test_the_connections_are_as_promised(sqlite_path: Path) -> None:
    """WAL, the durability that was asked for, foreign keys enforced, STRICT tables."""

    async def pragmas(tx: Tx) -> list[Any]:
        rows = [await tx.one(f"PRAGMA {name}") for name in ("journal_mode", "synchronous", "foreign_keys")]
        return [row[0] for row in rows if row is not None]

    async def wrong_type(tx: Tx) -> None:
        await tx.run("INSERT INTO counts (name, n) VALUES ('a', 'no number')")

    for durability, level in (("full", 2), ("normal", 1)):
        database = SqliteDatabase(sqlite_path, durability)
        await database.start()
        assert await database.write(pragmas) == ["wal", level, 1]
        with pytest.raises(sqlite3.IntegrityError, match="TEXT"):
            await database.write(wrong_type)
        await database.stop()
    with pytest.raises(ConfigurationError, match="full or normal"):
        SqliteDatabase(sqlite_path, "fast")


async def refused(path: Path, words: str, **options: Any) -> None:
    """Starting fails with advice, a second time too, and leaves nothing open."""
    database = SqliteDatabase(path, **options)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=words):
            await database.start()
    await database.stop()
    assert "sqlite-writer" not in {thread.name for thread in threading.enumerate()}


async def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    """Any other file, a directory, a missing directory, a file where a directory should be."""
    text = tmp_path / "text"
    text.write_text("a letter to a friend, a little longer than a page of a database has in its header " * 10)
    await refused(text, "is not a database; move it away")
    assert text.read_text().startswith("a letter")
    await refused(tmp_path, "cannot be opened .* see that its directory exists")
    await refused(tmp_path / "missing" / "test.db", "cannot be opened .* see that its directory exists")
    await refused(text / "test.db", "cannot be opened .* see that its directory exists")


async def test_a_directory_that_takes_no_file_is_refused() -> None:
    """Not even root can create a file there."""
    await refused(Path("/proc/test.db"), "cannot be opened")


async def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    """Its tables are not ours to add to."""
    path = tmp_path / "history.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE visits (url TEXT)")
    connection.close()
    await refused(path, "another program")


async def test_a_newer_database_is_refused(sqlite_path: Path, tmp_path: Path) -> None:
    """An old program would break what it does not know."""
    two = migrations(tmp_path / "two", "CREATE TABLE a (id {{serial}});\n", "CREATE TABLE b (id {{serial}});\n")
    database = SqliteDatabase(sqlite_path, migrations=two)
    await database.start()
    await database.stop()
    one = migrations(tmp_path / "one", "CREATE TABLE a (id {{serial}});\n")
    await refused(sqlite_path, "has schema 2, this Agent Runner knows 1.*Upgrade", migrations=one)


async def test_a_locked_database_is_unavailable(sqlite_database: SqliteDatabase, sqlite_path: Path) -> None:
    """Another program that writes for longer than one waits: Unavailable, and afterwards all is well."""
    other = sqlite3.connect(sqlite_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="Another program holds the database"):
        await sqlite_database.write(put, "a")
    other.execute("ROLLBACK")
    other.close()
    assert await sqlite_database.write(put, "a") == "a"
