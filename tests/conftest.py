"""What all tests share: databases of both drivers, and the proof that no process is left at the end."""

import os
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

import postgresql
from agentrunner.store.base import Database
from agentrunner.store.postgres import PostgresDatabase
from agentrunner.store.sqlite import SqliteDatabase
from waiting import until

MARK = "AGENTRUNNER_TEST_SESSION"
"""A variable that processes inherit from the tests, however far they went away from them."""


@pytest.fixture(scope="session", autouse=True)
def no_process_left() -> Iterator[None]:
    """Fail the session where a process that a test has started outlives the tests by more than a moment."""
    mark = os.environ[MARK] = uuid.uuid4().hex
    # Whoever was started in the background ignores it, and so would every program that a test ends by Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    try:
        until(lambda: not left_over(mark), timeout=5.0, every=0.05)
    except AssertionError:
        pytest.fail("processes that tests have left: " + "; ".join(left_over(mark)))


def left_over(mark: str) -> list[str]:
    """The living children of this process, and whoever carries its mark: `pid command`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                state, parent = (entry / "stat").read_text().rpartition(") ")[2].split()[:2]
                is_marked = f"{MARK}={mark}".encode() in (entry / "environ").read_bytes().split(b"\0")
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:  # ended meanwhile, or another user's
                continue
            if state not in "ZX" and (is_marked or int(parent) == os.getpid()):
                found.append(f"{entry.name} {command.strip()}")
    return found


@pytest.fixture(scope="session")
def postgres_server(no_process_left: None) -> Iterator[str]:
    """The URL of a PostgreSQL server: AGENTRUNNER_DATABASE_URL's, else one that runs for this session."""
    with postgresql.server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database of this test's own."""
    with postgresql.fresh_database(postgres_server) as url:
        yield url


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    """Where this test's SQLite database is, or will be."""
    return tmp_path / "test.db"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def open_database(request: pytest.FixtureRequest) -> Callable[..., Database]:
    """For both drivers: makes a Database that is not started, each time on the same data."""
    if request.param == "sqlite":
        path = request.getfixturevalue("sqlite_path")
        return lambda **options: SqliteDatabase(path, **options)
    url = request.getfixturevalue("postgres_url")
    return lambda **options: PostgresDatabase(url, **options)


@pytest.fixture
async def database(open_database: Callable[..., Database]) -> AsyncIterator[Database]:
    """A started database with the package's schema, once for each driver."""
    database = open_database()
    await database.start()
    yield database
    await database.stop()


@pytest.fixture
async def sqlite_database(sqlite_path: Path) -> AsyncIterator[SqliteDatabase]:
    """A started SQLite database with the package's schema."""
    database = SqliteDatabase(sqlite_path)
    await database.start()
    yield database
    await database.stop()
