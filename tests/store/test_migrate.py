"""Migrations: one text for both dialects, each all or none, never backwards."""

import asyncio
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from agentrunner.domain.errors import ConfigurationError
from agentrunner.store import migrate
from agentrunner.store.base import Database, Tx
from agentrunner.store.postgres import PostgresDatabase
from agentrunner.store.sqlite import SqliteDatabase
from store.given import migrations
from waiting import eventually

PROGRAMS = Path(__file__).parent / "programs"
FIRST = "CREATE TABLE a (id {{serial}}, n {{int}} NOT NULL, x {{real}}) {{strict}};\n"
SECOND = """
-- A comment; with a semicolon;
CREATE TABLE b (
    id {{serial}},
    a_id {{int}} NOT NULL REFERENCES a (id) -- who
) {{strict}};

INSERT INTO a (n) VALUES (1);
"""

Open = Callable[..., Database]


async def versions(tx: Tx) -> list[int]:
    """The migrations that were applied."""
    return [row[0] for row in await tx.all("SELECT version FROM schema_versions ORDER BY version")]


async def count(tx: Tx) -> int:
    """The rows that the second migration makes."""
    row = await tx.one("SELECT count(*) FROM a")
    assert row is not None
    return int(row[0])


async def open_and_look(database: Database) -> tuple[list[int], int]:
    """What is there once the database has started."""
    await database.start()
    try:
        return await database.read(versions), await database.read(count)
    finally:
        await database.stop()


async def test_each_is_applied_once_in_order(open_database: Open, tmp_path: Path) -> None:
    """A new one is applied to a present database, and a second start changes nothing."""
    directory = migrations(tmp_path / "m", FIRST)
    assert await open_and_look(open_database(migrations=directory)) == ([1], 0)
    migrations(directory, FIRST, SECOND)
    for _ in range(2):
        assert await open_and_look(open_database(migrations=directory)) == ([1, 2], 1)


async def test_one_that_fails_never_happened(open_database: Open, tmp_path: Path) -> None:
    """Neither its first statements nor its version, and the repaired one is applied."""
    broken = SECOND + "INSERT INTO no_such_table (n) VALUES (1);\n"
    directory = migrations(tmp_path / "m", FIRST, broken)
    with pytest.raises(ConfigurationError, match="no_such_table"):
        await open_database(migrations=directory).start()
    migrations(directory, FIRST, SECOND)
    assert await open_and_look(open_database(migrations=directory)) == ([1, 2], 1)


async def test_a_newer_database_is_refused(open_database: Open, tmp_path: Path) -> None:
    """With what to do about it, and without touching it."""
    both = migrations(tmp_path / "m", FIRST, SECOND)
    await open_and_look(open_database(migrations=both))
    with pytest.raises(ConfigurationError, match=r"schema 2, this Agent Runner knows 1.*Upgrade Agent Runner"):
        await open_database(migrations=migrations(tmp_path / "old", FIRST)).start()
    assert await open_and_look(open_database(migrations=both)) == ([1, 2], 1)


async def test_killed_between_two_statements_on_sqlite(sqlite_path: Path, tmp_path: Path) -> None:
    """kill -9 in the middle of the second migration: only the first is there, and the next start goes on."""
    directory = migrations(tmp_path / "m", FIRST, SECOND)
    command = [sys.executable, PROGRAMS / "migrate_until.py", sqlite_path, directory, "INSERT INTO a (n)"]
    killed = await asyncio.to_thread(subprocess.run, command, timeout=30, check=False)
    assert killed.returncode == -signal.SIGKILL
    connection = sqlite3.connect(sqlite_path)
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {"schema_versions", "a"}
    connection.close()
    assert await open_and_look(SqliteDatabase(sqlite_path, migrations=directory)) == ([1, 2], 1)


@pytest.mark.postgres
async def test_killed_between_two_statements_on_postgres(postgres_url: str, tmp_path: Path) -> None:
    """The same, where the server has to notice that the client is gone."""
    slow = SECOND + "SELECT pg_sleep(30);\n"
    directory = migrations(tmp_path / "m", FIRST, slow)
    code = (
        "import asyncio, sys, pathlib\n"
        "from agentrunner.store.postgres import PostgresDatabase\n"
        "asyncio.run(PostgresDatabase(sys.argv[1], migrations=pathlib.Path(sys.argv[2])).start())"
    )
    looking = await asyncpg.connect(postgres_url)

    async def sleeping() -> int | None:
        sql = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
        return await looking.fetchval(sql)

    process = await asyncio.to_thread(subprocess.Popen, [sys.executable, "-c", code, postgres_url, directory])
    try:
        server_process = await eventually(sleeping)
    finally:
        process.kill()
        process.wait(timeout=10)
    # The server reads from a dead client only when the statement is over; who restarts it would wait for just that.
    await looking.execute("SELECT pg_cancel_backend($1)", server_process)
    await looking.close()
    migrations(directory, FIRST, SECOND)
    assert await open_and_look(PostgresDatabase(postgres_url, migrations=directory)) == ([1, 2], 1)


@pytest.mark.postgres
async def test_processes_that_start_together_take_turns(postgres_url: str, tmp_path: Path) -> None:
    """Eight at once: one migrates, nobody fails, and every migration is applied once."""
    directory = migrations(tmp_path / "m", FIRST, SECOND)
    databases = [PostgresDatabase(postgres_url, migrations=directory, connections=1) for _ in range(8)]
    assert await asyncio.gather(*map(open_and_look, databases)) == [([1, 2], 1)] * 8


def test_a_migration_that_breaks_references_is_refused(sqlite_path: Path, tmp_path: Path) -> None:
    """References are not enforced while tables are replaced, so they are checked at the end."""
    orphan = SECOND + "INSERT INTO b (a_id) VALUES (99);\n"
    connection = sqlite3.connect(sqlite_path, isolation_level=None)
    with pytest.raises(ConfigurationError, match="Migration 2 would break references"):
        migrate.sqlite(connection, migrations(tmp_path / "m", FIRST, orphan))
    assert connection.execute("SELECT max(version) FROM schema_versions").fetchone() == (1,)
    connection.close()


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("", []),
        ("-- nothing\n\n", []),
        ("SELECT 1;", ["SELECT 1;"]),
        ("SELECT 1;\nSELECT 2;\n", ["SELECT 1;", "SELECT 2;"]),
        ("SELECT 1; -- one\n-- two\nSELECT 2;\n", ["SELECT 1; -- one", "SELECT 2;"]),
        ("SELECT 'a;\nb';\n", ["SELECT 'a;\nb';"]),
        ("SELECT ';\n''';\n", ["SELECT ';\n''';"]),
        ('SELECT ";\n";\n', ['SELECT ";\n";']),
        ("/* one;\ntwo; */ SELECT 1;\n", ["/* one;\ntwo; */ SELECT 1;"]),
        (
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  DELETE FROM b;\n  DELETE FROM c;\nEND;\nSELECT 1;\n",
            ["CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  DELETE FROM b;\n  DELETE FROM c;\nEND;", "SELECT 1;"],
        ),
    ],
)
def test_statements_are_split_where_they_end(text: str, statements: list[str]) -> None:
    """A semicolon ends a statement at the end of a line, unless it is in a string, a comment or a trigger."""
    assert list(migrate.split(text)) == statements


@pytest.mark.parametrize("text", ["SELECT 1", "SELECT 1;\nSELECT 'a;\n", "CREATE TABLE a (\n"])
def test_a_statement_without_an_end_is_refused(text: str) -> None:
    """It would be left out silently."""
    with pytest.raises(ValueError, match="does not end"):
        list(migrate.split(text))


def test_files_that_cannot_be_right_are_refused(tmp_path: Path) -> None:
    """A gap in the numbers, a fragment that nobody knows; other files are none of its business."""
    directory = migrations(tmp_path / "m", FIRST)
    (directory / "README.md").write_text("not SQL")
    assert [migration.version for migration in migrate.load(migrate.SQLITE, directory)] == [1]
    (directory / "0003_later.sql").write_text(FIRST)
    with pytest.raises(ValueError, match=r"migration 0002 is missing before 0003_later\.sql"):
        migrate.load(migrate.SQLITE, directory)
    (directory / "0002_between.sql").write_text("CREATE TABLE c (id {{uuid}});")
    with pytest.raises(ValueError, match=r"0002_between\.sql: .*uuid"):
        migrate.load(migrate.SQLITE, directory)


def test_the_packages_migrations_are_complete() -> None:
    """They are found in the package, and the same tables and indices come out for both dialects."""
    sqlite, postgres = migrate.load(migrate.SQLITE), migrate.load(migrate.POSTGRES)
    assert [m.version for m in sqlite] == [m.version for m in postgres] != []
    made = re.compile(r"CREATE (?:UNIQUE |VIRTUAL )?(TABLE|INDEX) (\w+)")
    names = [
        {match.groups() for m in each for s in m.statements if (match := made.match(s))} for each in (sqlite, postgres)
    ]
    assert names[1] - names[0] == {("INDEX", "search_body")}, "full text is itself an index on SQLite"
    assert names[0] <= names[1]
    assert "{{" not in "".join(statement for m in (*sqlite, *postgres) for statement in m.statements)
    tables = [s for m in sqlite for s in m.statements if s.startswith("CREATE TABLE")]
    assert [table for table in tables if not table.endswith(") STRICT;")] == []


def test_sections_of_a_dialect(tmp_path: Path) -> None:
    """What one dialect alone has is left out of the other's; what comes first and what is for both is in each."""
    text = "CREATE TABLE a (x);\n-- [sqlite]\nCREATE TABLE s (x);\n-- [postgres]\nCREATE TABLE p (x);\n-- [both]\n"
    directory = migrations(tmp_path / "m", text + "CREATE TABLE b (x);\n")
    for fragments, own in ((migrate.SQLITE, "s"), (migrate.POSTGRES, "p")):
        [found] = migrate.load(fragments, directory)
        assert found.statements == [f"CREATE TABLE {name} (x);" for name in ("a", own, "b")]
