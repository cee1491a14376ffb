"""What only PostgreSQL has: a server that may go away, several processes at once, and another way to mark arguments."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.domain.errors import ConfigurationError, InvalidField, Unavailable
from agentrunner.store.base import Tx
from agentrunner.store.postgres import PostgresDatabase
from agentrunner.store.postgres_tx import numbered
from store.given import count, keys, put
from waiting import eventually

PIECES = st.one_of(
    st.just("?"),
    st.sampled_from(["SELECT", " ", ", ", "(", ")", "=", "n", "1", "$1", "::text[]", "/", "-", "*", "\n"]),
    st.text("ab?'", max_size=6).map(lambda text: "'" + text.replace("'", "''") + "'"),
    st.text('ab?"', max_size=6).map(lambda text: '"' + text.replace('"', '""') + '"'),
    st.text("ab?'\"", max_size=6).map(lambda text: f"--{text}\n"),
    st.text("ab?'\"-\n", max_size=6).map(lambda text: f"/*{text}*/"),
    st.text("ab?'\"-\n", max_size=6).map(lambda text: f"$tag${text}$tag$"),
    st.text("ab?'\"-\n", max_size=6).map(lambda text: f"$${text}$$"),
)


@given(st.lists(PIECES, max_size=20))
def test_arguments_are_numbered_and_nothing_else_changes(pieces: list[str]) -> None:
    """The n-th `?` becomes `$n`; strings, names and comments stay, whatever is in them."""
    # A blank between the pieces, for two strings side by side would be one, and two dashes a comment.
    numbers = iter(range(1, len(pieces) + 1))
    expected = [f"${next(numbers)}" if piece == "?" else piece for piece in pieces]
    assert numbered(" ".join(pieces)) == " ".join(expected)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("INSERT INTO a VALUES (?, ?, '?')", "INSERT INTO a VALUES ($1, $2, '?')"),
        ("SELECT ?::text LIKE ? ESCAPE '\\'", "SELECT $1::text LIKE $2 ESCAPE '\\'"),
        ("SELECT 'it''s ?', ?", "SELECT 'it''s ?', $1"),
        ("SELECT 'unfinished ?", "SELECT 'unfinished $1"),
    ],
)
def test_numbering_by_example(sql: str, expected: str) -> None:
    """What the statements of the store look like."""
    assert numbered(sql) == expected


@pytest.fixture
async def two(postgres_url: str) -> AsyncIterator[tuple[PostgresDatabase, PostgresDatabase]]:
    """Two processes' view of one database, in one process."""
    both = (PostgresDatabase(postgres_url), PostgresDatabase(postgres_url))
    for database in both:
        await database.start()
    yield both
    for database in both:
        await database.stop()


@pytest.mark.postgres
async def test_topics_reach_other_processes(two: tuple[PostgresDatabase, PostgresDatabase]) -> None:
    """What one commits wakes the listeners of both, and what the other undid wakes nobody."""
    heard: tuple[list[str], list[str]] = ([], [])
    for database, topics in zip(two, heard, strict=True):
        database.listen(topics.append)

    async def never(tx: Tx) -> None:
        tx.after_commit("never")
        raise KeyError

    async def are_there() -> bool:
        return all("b" in topics for topics in heard)

    with pytest.raises(KeyError):
        await two[1].write(never)
    await two[0].write(put, "a", topic="it's a \\ ?")
    await two[1].write(put, "b", topic="b")
    await eventually(are_there)
    assert heard == (["it's a \\ ?", "b"], ["it's a \\ ?", "b"])


@pytest.mark.postgres
async def test_a_read_is_one_snapshot(two: tuple[PostgresDatabase, PostgresDatabase]) -> None:
    """What others commit meanwhile is not in it."""

    async def look_twice(tx: Tx) -> tuple[int, int]:
        before = await count(tx)
        await two[1].write(put, f"{before}")
        return before, await count(tx)

    assert await two[0].read(look_twice) == (0, 0)
    assert await two[0].search(look_twice) == (1, 1)
    assert await two[0].read(count) == 2


@pytest.mark.postgres
async def test_those_who_wait_for_each_other_are_both_served(two: tuple[PostgresDatabase, PostgresDatabase]) -> None:
    """The server undoes one of two in a deadlock; that one is done again and its caller never knows."""
    runs = 0
    is_met = asyncio.Barrier(2)

    async def begin(tx: Tx) -> None:
        await tx.many("INSERT INTO counts (name, n) VALUES (?, 0)", [("a",), ("b",)])

    async def lock_both(tx: Tx, *names: str) -> None:
        nonlocal runs
        runs += 1
        is_first_try = runs <= 2
        for name in names:
            await tx.run("UPDATE counts SET n = n + 1 WHERE name = ?", name)
            if is_first_try and name == names[0]:
                await is_met.wait()

    async def result(tx: Tx) -> list[int]:
        return [row[0] for row in await tx.all("SELECT n FROM counts ORDER BY name")]

    await two[0].write(begin)
    async with asyncio.timeout(20):
        await asyncio.gather(two[0].write(lock_both, "a", "b"), two[1].write(lock_both, "b", "a"))
    assert runs == 3
    assert await two[0].read(result) == [2, 2]


@pytest.mark.postgres
async def test_a_conflict_without_end_is_unavailable(two: tuple[PostgresDatabase, PostgresDatabase]) -> None:
    """The repeats are bounded."""
    runs = 0

    async def conflict(tx: Tx) -> None:
        nonlocal runs
        runs += 1
        await tx.run("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$")

    with pytest.raises(Unavailable, match="Too many"):
        await two[0].write(conflict)
    assert runs == 8


@pytest.mark.postgres
async def test_a_lost_connection(postgres_url: str) -> None:
    """Unavailable for who was in the middle of it, `*` for the listeners, and then all is as before."""
    database = PostgresDatabase(postgres_url)
    heard: list[str] = []
    database.listen(heard.append)
    await database.start()
    await database.write(put, "a", topic="before")
    other = await asyncpg.connect(postgres_url)

    async def be_cut_off(tx: Tx) -> None:
        await put(tx, "lost", topic="lost")
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await put(tx, "lost too")

    async def is_heard(topic: str) -> bool:
        return topic in heard

    with pytest.raises(Unavailable, match="PostgreSQL cannot serve"):
        await database.write(be_cut_off)
    await eventually(lambda: is_heard("*"))
    assert await database.read(keys) == ["a"]
    await database.write(put, "b", topic="after")
    await eventually(lambda: is_heard("after"))
    assert "lost" not in heard
    await database.stop()
    assert await other.fetchval("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()") == 1
    await other.close()


@pytest.mark.postgres
async def test_a_cancelled_write_leaves_nothing(postgres_url: str) -> None:
    """Its transaction is undone at once, and its only connection serves the next."""
    database = PostgresDatabase(postgres_url, connections=1)
    await database.start()
    is_inside = asyncio.Event()

    async def sleeper(tx: Tx) -> None:
        await put(tx, "a")
        is_inside.set()
        await tx.one("SELECT pg_sleep(30)")

    task = asyncio.create_task(database.write(sleeper))
    await asyncio.wait_for(is_inside.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(10):
        assert await database.read(keys) == []
        await database.stop()


@pytest.mark.postgres
async def test_a_text_that_cannot_be_stored(two: tuple[PostgresDatabase, PostgresDatabase]) -> None:
    """The one character that PostgreSQL has no room for is the client's fault."""
    with pytest.raises(InvalidField, match=re.escape("U+0000")):
        await two[0].write(put, "a\0b")
    assert await two[0].read(count) == 0


@pytest.mark.postgres
async def test_commits_are_durable_unless_said_otherwise(postgres_url: str) -> None:
    """Even where the server's own setting is that they are not."""

    async def level(tx: Tx) -> str:
        row = await tx.one("SHOW synchronous_commit")
        assert row is not None
        return str(row[0])

    connection = await asyncpg.connect(postgres_url)
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    await connection.close()
    for durability, expected in (("full", "on"), ("normal", "off")):
        database = PostgresDatabase(postgres_url, durability)
        await database.start()
        assert await database.write(level) == expected
        await database.stop()
    with pytest.raises(ConfigurationError, match="full or normal"):
        PostgresDatabase(postgres_url, "fast")


@pytest.mark.postgres
async def test_a_server_that_cannot_be_used_is_refused(postgres_url: str) -> None:
    """With the reason, what to look at, and without the password; nothing stays open."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    missing = urlunsplit(urlsplit(postgres_url)._replace(path="/no_such_database"))
    for url, words in (
        (f"postgresql://me:hunter2@127.0.0.1:{port}/x", "No PostgreSQL server answers"),
        (missing, "is missing: .* create it first"),
        ("postgresql://me:hunter2@[::1/x", "cannot be used"),
        ("mysql://me:hunter2@127.0.0.1/x", "cannot be used"),
    ):
        database = PostgresDatabase(url)
        with pytest.raises(ConfigurationError, match=words) as caught:
            await database.start()
        assert "hunter2" not in str(caught.value)
        await database.stop()


@pytest.mark.postgres
async def test_another_programs_tables_are_refused(postgres_url: str) -> None:
    """They are not replaced, and nothing is added beside them."""
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("CREATE TABLE runs (mine TEXT)")
    with pytest.raises(ConfigurationError, match="another program's tables"):
        await PostgresDatabase(postgres_url).start()
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 2
    await connection.close()
