"""SQLite behind the contract of `base`: one writer thread, group commit, WAL, durable before it answers."""

import asyncio
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast

from agentrunner.domain.errors import ConfigurationError, QueryTimeout, Unavailable
from agentrunner.store import migrate
from agentrunner.store.base import Dialect, Function, P, Row

T = TypeVar("T")
DIALECT = Dialect(name="sqlite", lock_row="", claim_lock=None)
_GROUP = 1000
_GROUP_S = 0.005
_SEARCH_S = 5.0


class SqliteTx:
    """One transaction on one connection; nothing in it suspends."""

    dialect = DIALECT

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.topics: dict[str, None] = {}

    async def one(self, sql: str, *args: Any) -> Row | None:
        """The first row, or None."""
        cursor = self._connection.execute(sql, args)
        row = cursor.fetchone()
        cursor.close()
        return cast(Row | None, row)

    async def all(self, sql: str, *args: Any) -> Sequence[Row]:
        """Every row."""
        return cast(Sequence[Row], self._connection.execute(sql, args).fetchall())

    async def run(self, sql: str, *args: Any) -> int:
        """Execute; answers how many rows were changed."""
        return self._connection.execute(sql, args).rowcount

    async def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute once per row of arguments."""
        self._connection.executemany(sql, rows)

    def after_commit(self, topic: str) -> None:
        """Wake the listeners of `topic` once this is committed."""
        self.topics[topic] = None


class _Waiter:
    __slots__ = ("error", "future", "result", "start", "topics")

    def __init__(self, start: Callable[[SqliteTx], Coroutine[Any, Any, Any]], future: asyncio.Future[Any]) -> None:
        self.start = start
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None
        self.topics: dict[str, None] = {}


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run an engine function to its end at once. Raises RuntimeError where it suspends."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return cast(T, stop.value)
    coroutine.close()
    raise RuntimeError("an engine function awaited something other than its transaction")


class SqliteDatabase:
    """A database in one file. `durability`: full, or normal (a power cut may lose the last commits)."""

    def __init__(self, path: Path, durability: str = "full") -> None:
        self._path = path
        self._synchronous = {"full": "FULL", "normal": "NORMAL"}[durability]
        self._queue: queue.SimpleQueue[_Waiter | None] = queue.SimpleQueue()
        self._listeners: list[Callable[[str], None]] = []
        self._thread: threading.Thread | None = None
        self._reader: sqlite3.Connection | None = None
        self._searches: ThreadPoolExecutor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Open and migrate. Raises ConfigurationError."""
        if self._thread is not None:
            return
        self._loop = asyncio.get_running_loop()
        connection = await asyncio.to_thread(self._open_writer)
        self._reader = self._open(read_only=True)
        self._searches = ThreadPoolExecutor(2, thread_name_prefix="search")
        self._thread = threading.Thread(target=self._write_loop, args=(connection,), name="writer", daemon=True)
        self._thread.start()

    def _open_writer(self) -> sqlite3.Connection:
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = self._open(read_only=False)
            migrate.sqlite(connection)
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(f"{self._path} cannot be opened: {error}.") from error
        return connection

    def _open(self, read_only: bool) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, cached_statements=512, timeout=5.0
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        return connection

    async def stop(self) -> None:
        """Finish what was accepted, then close."""
        if self._thread is None:
            return
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._thread = None
        if self._searches is not None:
            self._searches.shutdown()
        if self._reader is not None:
            self._reader.close()

    async def write(self, function: Function[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` in a transaction and return once it is durable."""
        if self._thread is None or self._loop is None:
            raise Unavailable("The database is closed.")
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Waiter(lambda tx: cast(Any, function(tx, *args, **kwargs)), future))
        return await future

    async def read(self, function: Function[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` on one snapshot, on the loop."""
        if self._reader is None:
            raise Unavailable("The database is closed.")
        return _read(self._reader, lambda tx: cast(Any, function(tx, *args, **kwargs)))

    async def search(self, function: Function[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` off the loop with a time limit."""
        if self._searches is None:
            raise Unavailable("The database is closed.")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._searches, self._search, lambda tx: cast(Any, function(tx, *args, **kwargs))
        )

    def _search(self, start: Callable[[SqliteTx], Coroutine[Any, Any, T]]) -> T:
        connection = self._open(read_only=True)
        deadline = time.monotonic() + _SEARCH_S
        connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
        try:
            return _read(connection, start)
        except sqlite3.OperationalError as error:
            if "interrupted" in str(error):
                raise QueryTimeout from error
            raise
        finally:
            connection.close()

    def listen(self, callback: Callable[[str], None]) -> None:
        """Call `callback(topic)` on the loop for each committed topic."""
        self._listeners.append(callback)

    def _write_loop(self, connection: sqlite3.Connection) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                break
            group, closing = self._collect(first)
            self._commit(connection, group)
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._resolve, group)
            if closing:
                break
        connection.close()

    def _collect(self, first: _Waiter) -> tuple[list[_Waiter], bool]:
        group = [first]
        deadline = time.monotonic() + _GROUP_S
        while len(group) < _GROUP and time.monotonic() < deadline:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                return group, True
            group.append(item)
        return group, False

    def _commit(self, connection: sqlite3.Connection, group: list[_Waiter]) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            for waiter in group:
                self._execute(connection, waiter)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            failure = Unavailable(f"The database cannot be written: {error}.")
            for waiter in group:
                waiter.error, waiter.topics = failure, {}
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _execute(self, connection: sqlite3.Connection, waiter: _Waiter) -> None:
        tx = SqliteTx(connection)
        connection.execute("SAVEPOINT s")
        try:
            waiter.result = drive(waiter.start(tx))
            connection.execute("RELEASE s")
            waiter.topics = tx.topics
        except Exception as error:
            waiter.error = error
            if not connection.in_transaction:
                raise sqlite3.OperationalError(str(error)) from error
            connection.execute("ROLLBACK TO s")
            connection.execute("RELEASE s")

    def _resolve(self, group: list[_Waiter]) -> None:
        for waiter in group:
            if not waiter.future.done():
                if waiter.error is not None:
                    waiter.future.set_exception(waiter.error)
                else:
                    waiter.future.set_result(waiter.result)
        for topic in {topic: None for waiter in group for topic in waiter.topics}:
            for listener in self._listeners:
                listener(topic)


def _read(connection: sqlite3.Connection, start: Callable[[SqliteTx], Coroutine[Any, Any, T]]) -> T:
    connection.execute("BEGIN")
    try:
        return drive(start(SqliteTx(connection)))
    finally:
        connection.execute("ROLLBACK")
