"""One transaction on PostgreSQL: the `Tx`, the translation of `?`, and what the errors of the server mean."""

import itertools
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NoReturn, TypeAlias

import asyncpg

from agentrunner.domain.errors import InvalidField, QueryTimeout, Unavailable
from agentrunner.store.base import Dialect, Row

# In quotes, as asyncpg's classes take parameters only in its stubs.
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

CHANNEL = "agentrunner"
CLAIM_LOCK = 0x61_72_63_6C_61
DIALECT = Dialect(
    name="postgres",
    # Not FOR UPDATE: that would wait for everybody who stores a row with a reference to this one.
    lock_row="FOR NO KEY UPDATE",
    # A queue grows faster than the server's statistics: by old ones it would read and sort the whole queue for each
    # claim, instead of walking along the index that is there for it.
    claim_lock=f"""SELECT pg_advisory_xact_lock({CLAIM_LOCK}), set_config('enable_sort', 'off', true),
                   set_config('enable_bitmapscan', 'off', true)""",
)
_COPIED = 16
"""From so many rows on, COPY is faster than a statement per row."""
REPEATABLE = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""The server undid the transaction for another one's sake; doing it again helps."""
_CANNOT_SERVE = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InternalClientError,  # the server's last word was heard, the end of the connection is not noticed yet
    OSError,  # a TimeoutError is one too
)
_TOKEN = re.compile(
    r"""'(?:[^']|'')*'            # a string
    |   "(?:[^"]|"")*"            # a name
    |   --[^\n]*  |  /\*.*?\*/    # comments
    |   \$(\w*)\$.*?\$\1\$        # a string in dollars
    |   \?""",
    re.DOTALL | re.VERBOSE,
)


@lru_cache(maxsize=4096)
def numbered(sql: str) -> str:
    """`sql` with its first `?` as `$1`, the second as `$2`, …; one inside a string, a name or a comment stays."""
    numbers = itertools.count(1)
    return _TOKEN.sub(lambda token: f"${next(numbers)}" if token[0] == "?" else token[0], sql)


def is_lost(connection: Connection) -> bool:
    """Whether a connection went away; asyncpg takes such a one from its pool, and every call to it raises then."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


def translated(error: BaseException, connection: "Connection | None" = None) -> BaseException:
    """Unavailable, QueryTimeout or InvalidField for what is no bug of the SQL; any other error stays itself."""
    if isinstance(error, asyncpg.QueryCanceledError):
        return QueryTimeout()
    if isinstance(error, asyncpg.CharacterNotInRepertoireError | asyncpg.UntranslatableCharacterError):
        return InvalidField("A text holds the character U+0000, which PostgreSQL cannot store; leave it away.")
    # asyncpg has one class for a connection that went away and for a call that makes no sense.
    is_about_loss = isinstance(error, asyncpg.InterfaceError) and connection is not None and is_lost(connection)
    if is_about_loss or isinstance(error, _CANNOT_SERVE):
        return Unavailable(f"PostgreSQL cannot serve this right now: {str(error) or type(error).__name__}.")
    return error


class PostgresTx:
    """One transaction on one connection; a statement that fails ends it, and `check` raises at the end."""

    dialect = DIALECT

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.failure: BaseException | None = None
        self.topics: dict[str, None] = {}

    async def one(self, sql: str, *args: Any) -> Row | None:
        """The first row, or None."""
        try:
            return await self._connection.fetchrow(numbered(sql), *args)
        except Exception as error:
            self._fail(error)

    async def all(self, sql: str, *args: Any) -> Sequence[Row]:
        """Every row."""
        try:
            return await self._connection.fetch(numbered(sql), *args)
        except Exception as error:
            self._fail(error)

    async def run(self, sql: str, *args: Any) -> int:
        """Execute; answers how many rows were changed."""
        try:
            tag = await self._connection.execute(numbered(sql), *args)
        except Exception as error:
            self._fail(error)
        count = tag.rpartition(" ")[2]
        return int(count) if count.isdecimal() else 0

    async def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute once per row of arguments, in order; the rows travel in batches."""
        try:
            await self._connection.executemany(numbered(sql), rows)
        except Exception as error:
            self._fail(error)

    async def insert(self, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
        """Store rows: many by COPY, few by a statement that is prepared already."""
        if len(rows) < _COPIED:
            marks = ", ".join("?" * (columns.count(",") + 1))
            await self.many(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)
            return
        try:
            await self._connection.copy_records_to_table(table, records=rows, columns=columns.split(", "))
        except Exception as error:
            self._fail(error)

    def after_commit(self, topic: str) -> None:
        """Wake the listeners of `topic` once this is committed."""
        self.topics[topic] = None

    def check(self) -> None:
        """Raise where a statement failed and the function went on all the same, or where it ended the transaction."""
        if self.failure is not None:
            raise self.failure
        if not self._connection.is_in_transaction():
            raise RuntimeError("an engine function ended its own transaction")

    def _fail(self, error: Exception) -> NoReturn:
        if self.failure is None:
            self.failure = translated(error, self._connection)
            if self.failure is not error:
                raise self.failure from error
            raise error
        # Behind the first, the server only says that the transaction is over.
        raise self.failure
