"""SQLite behind the contract of `base`: one writer thread, group commit, WAL, durable before it answers."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar, cast

import structlog

from agentrunner.domain.errors import ConfigurationError, QueryTimeout, Unavailable
from agentrunner.store import migrate, soundness, wal
from agentrunner.store.base import Function, P
from agentrunner.store.commits import Commits
from agentrunner.store.sqlite_tx import BUSY_S, SqliteReader, connect
from agentrunner.store.sqlite_writer import SqliteWriter

T = TypeVar("T")

log = structlog.get_logger("agentrunner.store")

SEARCH_S = 5.0
_SEARCHERS = 2
_READ_S = 2.0
_CACHE_KIB = 32 * 1024
_WAL_BYTES = 64 * 1024 * 1024
_TRUNCATION_MS = 250
_CHECKED_BYTES = 32 * 1024 * 1024
"""Up to this size every page is read at the start, in a tenth of a second; of a larger one `db check` does that."""
_SYNCHRONOUS = {"full": "FULL", "normal": "NORMAL"}


class SqliteDatabase:
    """A database in one file, 0600. `durability`: full, or normal (a power cut may lose the last commits).

    `migrations` is a directory of migrations instead of the package's. Whoever opens it sees to it that no other server
    does: the database does not lock itself against one.
    """

    def __init__(
        self, path: Path, durability: str = "full", *, search_s: float = SEARCH_S, migrations: Path | None = None
    ) -> None:
        if durability not in _SYNCHRONOUS:
            raise ConfigurationError(f"durability is {durability!r}; it can be {' or '.join(_SYNCHRONOUS)}.")
        self._path = path
        self._wal = path.with_name(path.name + "-wal")
        self._synchronous = _SYNCHRONOUS[durability]
        self._search_s = search_s
        self._migrations = migrations
        self._listeners: list[Callable[[str], None]] = []
        self._lifecycle = asyncio.Lock()
        self._writer: SqliteWriter | None = None
        self.commits = Commits()
        self._reader: SqliteReader | None = None
        self._searchers: list[SqliteReader] = []
        self._idle: asyncio.Queue[SqliteReader] = asyncio.Queue()
        self._threads: ThreadPoolExecutor
        self._next_truncation = _WAL_BYTES

    async def start(self) -> None:
        """Open and migrate. Raises ConfigurationError."""
        async with self._lifecycle:
            if self._writer is not None:
                return
            writer = SqliteWriter(self._prepare, self._tidy, self._publish, self.commits)
            await writer.start()
            try:
                self._open_readers()
            except sqlite3.Error as error:
                await writer.stop()
                raise ConfigurationError(f"The database {self._path} cannot be read: {error}.") from error
            self._writer = writer

    async def stop(self) -> None:
        """Finish what was accepted, end the searches, then close."""
        async with self._lifecycle:
            if self._writer is None:
                return
            if self._reader is not None:
                self._reader.close()
                self._reader = None
            for searcher in self._searchers:
                searcher.interrupt()
            while self._searchers:
                searcher = await self._idle.get()
                searcher.close()
                self._searchers.remove(searcher)
            self._threads.shutdown(wait=False)
            # The writer is the last to close, which is when SQLite empties the WAL into the database.
            await self._writer.stop()
            self._writer = None

    @property
    def waiting(self) -> int:
        """How many changes wait for the writer."""
        return 0 if self._writer is None else self._writer.waiting

    async def write(self, function: Function[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` in a transaction and return once it is durable."""
        if self._writer is None:
            raise _closed()
        return cast(T, await self._writer.write(function, args, kwargs))

    async def read(self, function: Function[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` on one snapshot, on the loop."""
        if self._reader is None:
            raise _closed()
        self._reader.arm(_READ_S)
        return self._reader.read(function, args, kwargs)

    async def search(self, function: Function[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` off the loop with a time limit, which holds for waiting for a thread too."""
        searcher = await self._idle_searcher()
        loop = asyncio.get_running_loop()
        searcher.arm(self._search_s)
        job: Future[T] = self._threads.submit(searcher.read, function, args, kwargs)
        job.add_done_callback(lambda _: loop.call_soon_threadsafe(self._idle.put_nowait, searcher))
        try:
            return await asyncio.wrap_future(job)
        except asyncio.CancelledError:
            searcher.interrupt()
            raise

    def listen(self, callback: Callable[[str], None]) -> None:
        """Call `callback(topic)` on the loop for each committed topic."""
        self._listeners.append(callback)

    async def _idle_searcher(self) -> SqliteReader:
        if self._reader is None:
            raise _closed()
        try:
            async with asyncio.timeout(self._search_s):
                searcher = await self._idle.get()
        except TimeoutError as error:
            raise QueryTimeout("Other searches take all the time there is; try again shortly.") from error
        if self._reader is None:
            self._idle.put_nowait(searcher)
            raise _closed()
        return searcher

    def _open_readers(self) -> None:
        readers = [SqliteReader(self._path) for _ in range(1 + _SEARCHERS)]
        self._reader, *self._searchers = readers
        self._threads = ThreadPoolExecutor(_SEARCHERS, thread_name_prefix="sqlite-search")
        self._idle = asyncio.Queue()
        for searcher in self._searchers:
            self._idle.put_nowait(searcher)

    def _publish(self, topics: Iterable[str]) -> None:
        for topic in topics:
            for listener in self._listeners:
                listener(topic)

    def _prepare(self) -> sqlite3.Connection:
        try:
            left = wal.examine(self._path)
            self._check_log(left)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.fchmod(descriptor, 0o600)
            os.close(descriptor)
            connection = connect(self._path, writable=True)
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(
                f"The database {self._path} cannot be opened ({error}); see that its directory exists, has room and "
                "is this user's."
            ) from error
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            self._check_file(connection, left)
            self._configure(connection)
        except BaseException as error:
            connection.close()
            if isinstance(error, soundness.UNREADABLE):
                raise self._refusal(error) from error
            raise
        return connection

    def _configure(self, connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        migrate.sqlite(connection, self._migrations)
        connection.execute("PRAGMA foreign_keys = ON")

    def _check_log(self, left: wal.WalState) -> None:
        """Refuse a log that SQLite would cut short without a word, losing what was acknowledged."""
        if left.is_damaged and self._synchronous == "FULL":
            raise ConfigurationError(f"{self._wal} is damaged. {wal.advice(self._wal, left)}")
        if left.sound and not wal.is_read(self._path):
            raise ConfigurationError(f"{self._path} is damaged: its header denies {self._wal}. {soundness.RESTORE}")
        if left.dropped_commits or left.is_damaged:
            log.warning("the last commit was cut off and is undone", file=str(self._wal), frames=left.dropped)

    def _check_file(self, connection: sqlite3.Connection, left: wal.WalState) -> None:
        """Before anything is written: a migration would take a damaged list of tables for a new database's."""
        if left.dropped or left.is_damaged:
            # What is left of the cut commit must not lie behind the next ones, where it would look like damage.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = os.stat(self._path).st_size
        whole = connection.execute("PRAGMA page_count").fetchone()[0] * _page_size(connection)
        if not left.sound and size < whole:
            raise ConfigurationError(
                f"The database {self._path} is damaged: {size} bytes of {whole} are there. {soundness.RESTORE}"
            )
        if size > _CHECKED_BYTES:
            return
        if found := soundness.defects(connection):
            raise ConfigurationError(f"The database {self._path} is damaged ({found[0]}). {soundness.RESTORE}")

    def _refusal(self, error: Exception) -> ConfigurationError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_NOTADB:
            return ConfigurationError(f"{self._path} is not a database; move it away or choose another data directory.")
        if code == sqlite3.SQLITE_BUSY:
            return ConfigurationError(f"Another program holds the database {self._path}; end it first.")
        if code == sqlite3.SQLITE_CORRUPT or isinstance(error, UnicodeDecodeError):
            return ConfigurationError(f"The database {self._path} is damaged ({error}). {soundness.RESTORE}")
        return ConfigurationError(f"The database {self._path} cannot be used: {error}.")

    def _tidy(self, connection: sqlite3.Connection) -> None:
        """Bound the WAL under readers that overlap without end, where SQLite's own checkpoints never reset it."""
        if os.stat(self._wal).st_size < self._next_truncation:
            return
        connection.execute(f"PRAGMA busy_timeout = {_TRUNCATION_MS}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute(f"PRAGMA busy_timeout = {round(BUSY_S * 1000)}")
        # Where a reader was in the way, let the WAL grow before trying, and waiting for the reader, again.
        self._next_truncation = max(_WAL_BYTES, os.stat(self._wal).st_size + _WAL_BYTES // 4)


def _page_size(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA page_size").fetchone()[0])


def _closed() -> Unavailable:
    return Unavailable("The database is closed; the server is stopping.")
