"""SQLite's writer: one thread that commits many small transactions at once, each still all or none by itself."""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from agentrunner.domain.errors import Unavailable
from agentrunner.store.commits import Commits
from agentrunner.store.sqlite_tx import SqliteTx, drive, translated

_GROUP = 1000
_GROUP_S = 0.005
_QUEUE = 10_000


class _Change:
    """A transaction that somebody waits for; `error` or `result` once it was executed."""

    __slots__ = ("args", "error", "function", "future", "kwargs", "result", "topics")

    def __init__(
        self,
        function: Callable[..., Awaitable[Any]],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        future: asyncio.Future[Any],
    ) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None
        self.topics: Iterable[str] = ()


class SqliteWriter:
    """The thread, from `start` to `stop`. `prepare` opens its connection there, `tidy` is called after each commit."""

    def __init__(
        self,
        prepare: Callable[[], sqlite3.Connection],
        tidy: Callable[[sqlite3.Connection], None],
        publish: Callable[[Iterable[str]], None],
        commits: Commits | None = None,
    ) -> None:
        self._commits = commits or Commits()
        self._prepare = prepare
        self._tidy = tidy
        self._publish = publish
        self._queue: queue.SimpleQueue[_Change | None] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(_QUEUE)
        self._is_open = False
        self._is_ended = False
        self._thread: threading.Thread
        self._loop: asyncio.AbstractEventLoop
        self._connection: sqlite3.Connection

    async def start(self) -> None:
        """Begin; raises what `prepare` raises."""
        self._loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="sqlite-writer", daemon=True)
        self._thread.start()
        try:
            await ready
        except BaseException:
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
            raise
        self._is_open = True

    async def stop(self) -> None:
        """Refuse what comes, finish what was accepted, and return when the connection is closed."""
        if self._is_open:
            self._is_open = False
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    @property
    def waiting(self) -> int:
        """How many changes wait to be executed."""
        return self._queue.qsize()

    async def write(
        self, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Execute a change; returns once it is committed. Waits for room first where too many wait already."""
        await self._room.acquire()
        if not self._is_open:
            self._room.release()
            raise Unavailable("The database is closed; the server is stopping.")
        future: asyncio.Future[Any] = self._loop.create_future()
        self._queue.put(_Change(function, args, kwargs, future))
        return await future

    def _run(self, ready: asyncio.Future[None]) -> None:
        try:
            self._connection = self._prepare()
        except BaseException as error:
            self._call(_settle, ready, None, error)
            return
        self._call(_settle, ready, None, None)
        try:
            while not self._is_ended and (change := self._queue.get()) is not None:
                self._serve(change)
        finally:
            self._connection.close()
            self._call(self._refuse_rest)

    def _serve(self, first: _Change) -> None:
        group: list[_Change] = []
        rows = self._connection.total_changes + _GROUP
        deadline = time.monotonic() + _GROUP_S
        change: _Change | None = first
        while change is not None:
            self._execute(change, group)
            group.append(change)
            is_full = len(group) >= _GROUP or self._connection.total_changes >= rows or time.monotonic() >= deadline
            change = None if is_full else self._next()
        self._commit(group)
        self._call(self._answer, group)
        with contextlib.suppress(
            sqlite3.Error, OSError
        ):  # the next commit meets the same trouble, and has a caller to tell
            self._tidy(self._connection)

    def _next(self) -> _Change | None:
        try:
            change = self._queue.get_nowait()
        except queue.Empty:
            return None
        self._is_ended = change is None
        return change

    def _execute(self, change: _Change, earlier: list[_Change]) -> None:
        if change.future.cancelled():
            return
        # The first of a group needs no savepoint: to undo it, undo the transaction, which holds nothing else.
        is_first = not self._connection.in_transaction
        try:
            self._connection.execute("BEGIN IMMEDIATE" if is_first else "SAVEPOINT change")
            tx = SqliteTx(self._connection)
            change.result = drive(change.function(tx, *change.args, **change.kwargs))
            tx.check()
            if not is_first:
                self._connection.execute("RELEASE change")
            change.topics = tx.topics
        except BaseException as error:
            change.error = translated(error)
            if is_first:
                self._roll_back()
            elif not self._undo_last():
                _fail(earlier, change.error)

    def _undo_last(self) -> bool:
        """Undo the change that was begun last; False where SQLite has undone the whole group: a full disk does that."""
        try:
            self._connection.execute("ROLLBACK TO change")
            self._connection.execute("RELEASE change")
        except sqlite3.Error:
            self._roll_back()
            return False
        return True

    def _commit(self, group: list[_Change]) -> None:
        if not self._connection.in_transaction:
            return
        began = time.perf_counter()
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            _fail(group, error)
        else:
            self._commits.add(len(group), time.perf_counter() - began)

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _answer(self, group: list[_Change]) -> None:
        topics: dict[str, None] = {}
        for change in group:
            self._room.release()
            _settle(change.future, change.result, change.error)
            topics.update(dict.fromkeys(change.topics))
        self._publish(topics)

    def _refuse_rest(self) -> None:
        """Nobody waits for ever, should the thread have ended by an error."""
        self._is_open = False
        with contextlib.suppress(queue.Empty):
            while (change := self._queue.get_nowait()) is not None:
                self._room.release()
                _settle(change.future, None, Unavailable("The database's writer has ended; restart the server."))

    def _call(self, function: Callable[..., None], *args: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(function, *args)


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def _fail(group: list[_Change], cause: BaseException) -> None:
    """Everybody whose change would have been kept gets an error of its own: one that is shared gathers tracebacks."""
    translation = translated(cause)
    is_known = isinstance(translation, Unavailable)
    detail = str(translation) if is_known else f"The change could not be committed: {cause}."
    for change in group:
        if change.error is None:
            change.error = Unavailable(detail)
            change.error.__cause__ = cause
            change.topics = ()
