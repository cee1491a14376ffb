"""One transaction on SQLite: connections, the `Tx` that drives them without suspending, and what their errors mean."""

import contextlib
import math
import sqlite3
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

from agentrunner.domain.errors import QueryTimeout, Unavailable
from agentrunner.store.base import Dialect, Row

T = TypeVar("T")

DIALECT = Dialect(name="sqlite", lock_row="", claim_lock=None)
BUSY_S = 5.0
"""How long a statement waits for another process that holds the database's lock."""
_STATEMENTS = 512
_ROWS = (64, 8, 1)
"""How many rows a statement that stores rows may have: few sizes, so that all of them stay prepared."""
_CHECK_EVERY = 10_000
"""Steps of SQLite's machine between two looks at the clock: about a millisecond."""
_CANNOT_SERVE = {
    sqlite3.SQLITE_FULL: "The disk with the database is full; free some space there.",
    sqlite3.SQLITE_IOERR: "The disk with the database fails; look at the kernel's log.",
    sqlite3.SQLITE_BUSY: "Another program holds the database; end it, or wait until it is done.",
    sqlite3.SQLITE_LOCKED: "Another program holds the database; end it, or wait until it is done.",
    sqlite3.SQLITE_CANTOPEN: "The database's files cannot be opened; see that they exist and are this user's.",
    sqlite3.SQLITE_NOMEM: "There is no memory for the database; free some on this host.",
    sqlite3.SQLITE_CORRUPT: "The database is damaged; stop the server and restore a backup.",
    sqlite3.SQLITE_NOTADB: "The database is damaged; stop the server and restore a backup.",
}


def connect(path: Path, *, writable: bool) -> sqlite3.Connection:
    """Open an existing database. Transactions are begun by hand; threads may take turns with the connection."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={'rw' if writable else 'ro'}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENTS,
        timeout=BUSY_S,
    )
    connection.row_factory = sqlite3.Row
    return connection


def translated(error: BaseException) -> BaseException:
    """Unavailable or QueryTimeout where SQLite cannot serve; any other error is a bug of the SQL and stays itself."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return error
    primary = code & 0xFF  # the extended codes of one kind share their low byte
    if primary == sqlite3.SQLITE_INTERRUPT:
        return QueryTimeout()
    advice = _CANNOT_SERVE.get(primary)
    return error if advice is None else Unavailable(f"{advice} ({error})")


@cache
def _insertion(table: str, columns: str, rows: int) -> str:
    row = f"({', '.join('?' * (columns.count(',') + 1))})"
    return f"INSERT INTO {table} ({columns}) VALUES {', '.join([row] * rows)}"


class SqliteTx:
    """One transaction on one connection; nothing in it suspends.

    A statement that fails ends it, as on PostgreSQL: what follows raises the same error, and `check` does at the end.
    """

    dialect = DIALECT

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._opened = connection
        self._connection = connection
        self._failure: BaseException | None = None
        self.topics: dict[str, None] = {}

    async def one(self, sql: str, *args: Any) -> Row | None:
        """The first row, or None."""
        try:
            return cast(Row | None, self._connection.execute(sql, args).fetchone())
        except Exception as error:
            self._fail(error)

    async def all(self, sql: str, *args: Any) -> Sequence[Row]:
        """Every row."""
        try:
            return cast(Sequence[Row], self._connection.execute(sql, args).fetchall())
        except Exception as error:
            self._fail(error)

    async def run(self, sql: str, *args: Any) -> int:
        """Execute; answers how many rows were changed."""
        try:
            return max(0, self._connection.execute(sql, args).rowcount)
        except Exception as error:
            self._fail(error)

    async def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute once per row of arguments."""
        try:
            self._connection.executemany(sql, rows)
        except Exception as error:
            self._fail(error)

    async def insert(self, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
        """Store rows, as many as a statement takes at once.

        A step of a statement gives the interpreter's lock away and has to get it back; row by row, getting it back
        costs more than storing the row.
        """
        start = 0
        try:
            for size in _ROWS:
                while len(rows) - start >= size:
                    chunk = rows[start] if size == 1 else list(chain.from_iterable(rows[start : start + size]))
                    self._connection.execute(_insertion(table, columns, size), chunk)
                    start += size
        except Exception as error:
            self._fail(error)

    def after_commit(self, topic: str) -> None:
        """Wake the listeners of `topic` once this is committed."""
        self.topics[topic] = None

    def check(self) -> None:
        """Raise where a statement failed and the function went on all the same, or where it ended the transaction."""
        if self._failure is not None:
            raise self._failure
        if not self._opened.in_transaction:
            raise RuntimeError("an engine function ended its own transaction")

    def _fail(self, error: Exception) -> NoReturn:
        if self._failure is None:
            self._failure = translated(error)
            self._connection = cast(sqlite3.Connection, _Over(self._failure))
        if self._failure is error:
            raise error
        raise self._failure from error


class _Over:
    """Stands in for the connection once a statement failed.

    SQLite may have undone the whole transaction by itself by then, and would commit each further statement alone.
    """

    def __init__(self, failure: BaseException) -> None:
        self._failure = failure

    def execute(self, *_: Any) -> NoReturn:
        raise self._failure

    executemany = execute


class SqliteReader:
    """A read-only connection whose functions see one snapshot each and end at a deadline. One caller at a time."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, writable=False)
        self._connection.set_progress_handler(self._is_over, _CHECK_EVERY)
        self._deadline = 0.0

    def arm(self, limit_s: float) -> None:
        """Set how long the next `read` may take. Apart from it, so that an `interrupt` in between is not lost."""
        self._deadline = time.monotonic() + limit_s

    def read(self, function: Callable[..., Awaitable[T]], args: Sequence[Any], kwargs: Mapping[str, Any]) -> T:
        """Drive `function` on a snapshot. Raises QueryTimeout where a statement still runs at the deadline."""
        self._connection.execute("BEGIN")
        try:
            return drive(function(SqliteTx(self._connection), *args, **kwargs))
        finally:
            self._deadline = math.inf  # the ROLLBACK itself must not be interrupted
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def interrupt(self) -> None:
        """End what was armed at the next look at the clock."""
        self._deadline = 0.0

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _is_over(self) -> bool:
        return time.monotonic() > self._deadline


def drive(awaitable: Awaitable[T]) -> T:
    """Run an engine function to its end at once. Raises RuntimeError where it suspends."""
    coroutine = cast(Coroutine[Any, Any, T], awaitable)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return cast(T, stop.value)
    with contextlib.suppress(RuntimeError):  # one that refuses to be closed is refused all the same
        coroutine.close()
    name = getattr(coroutine, "__qualname__", "an engine function")
    raise RuntimeError(f"{name} awaited something other than its transaction")
