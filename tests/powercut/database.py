"""The engine's SQL on a disk whose power may go: a `Database` over apsw, committing in groups as the writer does."""

import contextlib
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import apsw

from agentrunner.store.sqlite_tx import DIALECT, drive
from powercut.disk import Disk, DiskVFS

NAME = "power.db"
_CHECKPOINT_PAGES = 30
"""Far below SQLite's 1,000, so that power is cut in checkpoints too."""


class Row:
    """A row by name and by position."""

    def __init__(self, names: Sequence[str], values: Sequence[Any]) -> None:
        self._names, self._values = names, values

    def __getitem__(self, key: str | int) -> Any:
        return self._values[key if isinstance(key, int) else self._names.index(key)]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def keys(self) -> Sequence[str]:
        """The column names."""
        return self._names


class ApswTx:
    """A transaction, as `agentrunner.store.base.Tx` says."""

    dialect = DIALECT

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.topics: set[str] = set()

    async def one(self, sql: str, *args: Any) -> Any:
        """The first row."""
        return next(iter(self._connection.execute(sql, args).fetchall()), None)

    async def all(self, sql: str, *args: Any) -> Any:
        """Every row."""
        return self._connection.execute(sql, args).fetchall()

    async def run(self, sql: str, *args: Any) -> int:
        """Execute."""
        self._connection.execute(sql, args).fetchall()
        return self._connection.changes()

    async def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute once per row."""
        for _ in self._connection.executemany(sql, rows):
            pass

    async def insert(self, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
        """Store rows in order."""
        marks = ", ".join("?" * (columns.count(",") + 1))
        await self.many(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)

    def after_commit(self, topic: str) -> None:
        """Note what was changed."""
        self.topics.add(topic)


@dataclass
class _Change:
    function: Callable[..., Awaitable[Any]]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any = None
    error: Exception | None = None


@types.coroutine
def _committed(change: _Change) -> Generator[_Change, None, Any]:
    """Wait until the group of a change is committed."""
    yield change
    if change.error is not None:
        raise change.error
    return change.result


@dataclass
class ApswDatabase:
    """A `Database`; whatever calls `write` is run by `together`. `acknowledge` is told the topics of each commit."""

    disk: Disk
    synchronous: str
    acknowledge: Callable[[set[str]], None] = field(default=lambda _: None)

    def __post_init__(self) -> None:
        name = f"power-{id(self)}"
        self._vfs = DiskVFS(name, self.disk)
        self.connection = apsw.Connection(NAME, vfs=name)
        self.connection.row_trace = _row
        # Alone with its file, SQLite keeps the log's index in memory and needs no shared memory of the disk.
        for pragma in (
            "locking_mode = EXCLUSIVE",
            "journal_mode = WAL",
            f"synchronous = {self.synchronous}",
            f"wal_autocheckpoint = {_CHECKPOINT_PAGES}",
            "foreign_keys = ON",
        ):
            self.connection.execute(f"PRAGMA {pragma}").fetchall()

    def close(self) -> None:
        """Let go; what it would still write goes nowhere once the power is cut."""
        self.disk.cut()
        with contextlib.suppress(Exception):
            self.connection.close()
        self._vfs.unregister()

    def listen(self, callback: Callable[[str], None]) -> None:
        """Nobody is woken."""

    async def start(self) -> None:
        """It is open."""

    async def stop(self) -> None:
        """It is closed by `close`."""

    async def write(self, function: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        """In the group that is made next."""
        return await _committed(_Change(function, args, kwargs))

    async def read(self, function: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        """At once."""
        return drive(function(ApswTx(self.connection), *args, **kwargs))

    search = read

    def together(self, *calls: Coroutine[Any, Any, Any]) -> list[Any]:
        """Run use cases at once; those that write at the same time share a commit. Their results, in order."""
        results: list[Any] = [None] * len(calls)
        waiting: dict[int, _Change] = {}
        ready = list(range(len(calls)))
        while ready:
            for index in ready:
                try:
                    waiting[index] = calls[index].send(None)
                except StopIteration as stop:
                    results[index] = stop.value
            ready = sorted(waiting)
            if waiting:
                self._commit(list(waiting.values()))
            waiting = {}
        return results

    def _commit(self, group: Sequence[_Change]) -> None:
        """The statements of `agentrunner.store.sqlite_writer`, in its order."""
        topics: set[str] = set()
        self.connection.execute("BEGIN IMMEDIATE")
        for number, change in enumerate(group):
            if number:
                self.connection.execute("SAVEPOINT change")
            tx = ApswTx(self.connection)
            change.result = drive(change.function(tx, *change.args, **change.kwargs))
            topics |= tx.topics
            if number:
                self.connection.execute("RELEASE change")
        self.connection.execute("COMMIT")
        self.acknowledge(topics)


def _row(cursor: apsw.Cursor, values: Sequence[Any]) -> Row:
    return Row([column[0] for column in cursor.get_description()], values)
