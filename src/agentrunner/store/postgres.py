"""PostgreSQL behind the contract of `base`: a pool of connections, and one that listens."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn, TypeAlias, TypeVar

import asyncpg

from agentrunner.domain.errors import ConfigurationError, QueryTimeout, Unavailable
from agentrunner.store import migrate
from agentrunner.store.base import Function, P
from agentrunner.store.commits import Commits
from agentrunner.store.postgres_listener import PostgresListener
from agentrunner.store.postgres_tx import CHANNEL, REPEATABLE, Connection, PostgresTx, is_lost, translated

T = TypeVar("T")

SEARCH_S = 5.0
_SEARCHES = 2
_CONNECTIONS = 16
_STATEMENTS = 512
_CONNECT_S = 10.0
_ACQUIRE_S = 30.0
_STOP_S = 30.0
_ROLLBACK_S = 5.0
_TRIES = 8
_PAUSE_S = 0.005
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_SESSION = {
    "application_name": "agentrunner",
    "standard_conforming_strings": "on",
    # A process that stops in the middle of a transaction must not stop the others for ever.
    "idle_in_transaction_session_timeout": "60s",
    "lock_timeout": "30s",
}
_NOTIFY = "SELECT pg_notify($1, topic) FROM unnest($2::text[]) topic"

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


class _Conflict(Exception):
    """The server undid the transaction for another one's sake."""


class PostgresDatabase:
    """A database on a PostgreSQL server. `durability`: full, or normal (a crash may lose the last commits).

    `connections` bounds how many transactions run at once; others wait. `migrations` is a directory of migrations
    instead of the package's.
    """

    def __init__(
        self,
        url: str,
        durability: str = "full",
        *,
        connections: int = _CONNECTIONS,
        search_s: float = SEARCH_S,
        migrations: Path | None = None,
    ) -> None:
        if durability not in {"full", "normal"}:
            raise ConfigurationError(f"durability is {durability!r}; it can be full or normal.")
        self._url = url
        self._is_lazy = durability == "normal"
        self._connections = connections
        self._search_s = search_s
        self._migrations = migrations
        self._listeners: list[Callable[[str], None]] = []
        self._lifecycle = asyncio.Lock()
        self._searches = asyncio.Semaphore(_SEARCHES)
        self._pool: Pool | None = None
        self._listener = PostgresListener(self._connect, CHANNEL, self._publish)
        self._active = 0
        self.commits = Commits()
        self._is_quiet = asyncio.Event()
        self._is_quiet.set()

    async def start(self) -> None:
        """Connect, migrate and listen. Raises ConfigurationError."""
        async with self._lifecycle:
            if self._pool is not None:
                return
            try:
                await self._migrate()
                await self._listener.start()
                self._pool = await self._open_pool()
            except ConfigurationError:
                await self._listener.stop()
                raise
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
                await self._listener.stop()
                raise _refusal(error) from error

    async def stop(self) -> None:
        """Finish what was accepted, then close; after half a minute what is still under way is given up."""
        async with self._lifecycle:
            if self._pool is None:
                return
            pool, self._pool = self._pool, None
            await self._listener.stop()
            try:
                async with asyncio.timeout(_STOP_S):
                    await self._is_quiet.wait()
                    await pool.close()
            except BaseException as error:
                pool.terminate()
                if not isinstance(error, TimeoutError):
                    raise

    @property
    def waiting(self) -> int:
        """How many uses of the database go on or wait for a connection."""
        return self._active

    async def write(self, function: Function[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` in a transaction and return once it is durable.

        Where the server undid it for the sake of another transaction, it is run again, a few times.
        """
        async with self._accepted() as pool:
            for tries in range(1, _TRIES):
                with contextlib.suppress(_Conflict):
                    return await self._transact(pool, function, args, kwargs)
                await asyncio.sleep(_PAUSE_S * 2**tries * random.random())
            try:
                return await self._transact(pool, function, args, kwargs)
            except _Conflict as error:
                raise Unavailable("Too many want to change the same thing; try again shortly.") from error

    async def read(self, function: Function[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` on one snapshot."""
        async with self._accepted() as pool:
            return await self._look(pool, _READ, function, args, kwargs)

    async def search(self, function: Function[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` on one snapshot with a time limit, a few at once at most."""
        limited = f"{_READ}; SET LOCAL statement_timeout = {round(self._search_s * 1000)}"
        async with self._accepted() as pool:
            try:
                async with asyncio.timeout(self._search_s):
                    await self._searches.acquire()
            except TimeoutError as error:
                raise QueryTimeout("Other searches take all the time there is; try again shortly.") from error
            try:
                return await self._look(pool, limited, function, args, kwargs)
            finally:
                self._searches.release()

    def listen(self, callback: Callable[[str], None]) -> None:
        """Call `callback(topic)` on the loop for each committed topic."""
        self._listeners.append(callback)

    @asynccontextmanager
    async def _accepted(self) -> AsyncIterator[Pool]:
        """The pool for one caller, whom `stop` waits for."""
        if self._pool is None:
            raise Unavailable("The database is closed; the server is stopping.")
        self._active += 1
        self._is_quiet.clear()
        try:
            yield self._pool
        finally:
            self._active -= 1
            if not self._active:
                self._is_quiet.set()

    async def _transact(
        self, pool: Pool, function: Callable[..., Awaitable[T]], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> T:
        async with _connection(pool) as connection:
            tx = PostgresTx(connection)
            try:
                await connection.execute(_WRITE)
                result = await function(tx, *args, **kwargs)
                tx.check()
                if tx.topics:
                    await connection.execute(_NOTIFY, CHANNEL, list(tx.topics))
            except BaseException as error:
                await _roll_back(connection)
                if isinstance(error, REPEATABLE) or isinstance(tx.failure, REPEATABLE):
                    raise _Conflict from error
                _raise(error, connection)
            began = time.perf_counter()
            await _commit(connection)
            self.commits.add(1, time.perf_counter() - began)
            return result

    async def _look(
        self,
        pool: Pool,
        begin: str,
        function: Callable[..., Awaitable[T]],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> T:
        async with _connection(pool) as connection:
            try:
                await connection.execute(begin)
                return await function(PostgresTx(connection), *args, **kwargs)
            except Exception as error:
                _raise(error, connection)
            finally:
                await _roll_back(connection)

    async def _migrate(self) -> None:
        connection = await self._connect()
        try:
            await connection.execute("SET lock_timeout = 0")  # another process may migrate for minutes
            await migrate.postgres(connection, self._migrations)
        finally:
            await connection.close(timeout=_CONNECT_S)

    async def _connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(self._url, timeout=_CONNECT_S, server_settings=_SESSION)

    async def _open_pool(self) -> Pool:
        return await asyncpg.create_pool(
            self._url,
            min_size=1,
            max_size=self._connections,
            init=self._prepare,
            reset=_nothing,  # the default asks the server once per transaction; ours leave nothing behind
            timeout=_CONNECT_S,
            statement_cache_size=_STATEMENTS,
            server_settings=_SESSION,
        )

    async def _prepare(self, connection: Connection) -> None:
        # sum() of integers is numeric on PostgreSQL; the contract knows int and float.
        await connection.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=_number, format="text")
        if self._is_lazy:
            await connection.execute("SET synchronous_commit = off")
        elif await connection.fetchval("SHOW synchronous_commit") == "off":
            await connection.execute("SET synchronous_commit = on")

    def _publish(self, topic: str) -> None:
        for listener in self._listeners:
            listener(topic)


@asynccontextmanager
async def _connection(pool: Pool) -> AsyncIterator[Connection]:
    try:
        connection = await pool.acquire(timeout=_ACQUIRE_S)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise Unavailable(f"PostgreSQL cannot be reached: {str(error) or 'all connections are busy'}.") from error
    try:
        yield connection
    finally:
        await pool.release(connection)


async def _nothing(connection: Connection) -> None:
    return


async def _commit(connection: Connection) -> None:
    """Make it durable. Where the connection is lost meanwhile, nobody knows whether it is."""
    try:
        await connection.execute("COMMIT")
    except REPEATABLE as error:
        raise _Conflict from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise Unavailable(f"The change could not be committed: {error}.") from error


async def _roll_back(connection: Connection) -> None:
    """Undo; where even that does not work, the connection is given up, which undoes too."""
    if is_lost(connection):
        return
    try:
        await connection.execute("ROLLBACK", timeout=_ROLLBACK_S)
    except BaseException as error:
        if not is_lost(connection):
            connection.terminate()
        if not isinstance(error, Exception):
            raise


def _raise(error: BaseException, connection: Connection) -> NoReturn:
    translation = translated(error, connection)
    if translation is error:
        raise error
    raise translation from error


def _number(text: str) -> int | float:
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else float(number)


def _refusal(error: Exception) -> ConfigurationError:
    """Why the server cannot be used, and what to do. The URL is not repeated: it may hold a password."""
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        return ConfigurationError(f"PostgreSQL refuses the user or password of AGENTRUNNER_DATABASE_URL: {error}.")
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return ConfigurationError(f"The database of AGENTRUNNER_DATABASE_URL is missing: {error}; create it first.")
    if isinstance(error, asyncpg.DuplicateTableError):
        return ConfigurationError(
            f"The PostgreSQL database holds another program's tables ({error}); use one of its own."
        )
    if isinstance(error, OSError):
        return ConfigurationError(
            f"No PostgreSQL server answers at AGENTRUNNER_DATABASE_URL: {str(error) or 'time-out'}."
        )
    return ConfigurationError(f"PostgreSQL at AGENTRUNNER_DATABASE_URL cannot be used: {error}.")
