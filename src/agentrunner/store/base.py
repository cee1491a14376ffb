"""The contract of a database, in words; `sqlite` and `postgres` implement it, one conformance suite tests both.

An engine function is `async def f(tx, …)`, written once for both drivers. On SQLite one writer thread drives it without
ever suspending; a function that awaits anything but its `tx` raises there. On PostgreSQL it really awaits.

Guarantees of `write`:
- all or none: an exception undoes everything the function did and is raised to the caller;
- durable: when it returns, the change survives kill -9, and with durability `full` a power cut;
- serial per run: a function that first locks a run's row sees no other change of that run until it ends;
- topics given to `after_commit` reach every listener of every process after the commit, and none without it;
- a failed commit fails every caller whose change was in it, with Unavailable.

What a function may rely on, and what it has to keep to:
- it may be run more than once (PostgreSQL undoes one of two that wait for each other), so it changes nothing but its
  `tx`, or only what doing twice leaves the same;
- a statement that fails ends the transaction: whoever catches the error gets it again at the end;
- a database that cannot serve raises Unavailable; an error of the SQL itself (syntax, a broken constraint) is a bug and
  comes as the driver's own;
- a caller that is cancelled while it waits does not learn whether its change was made; nobody else's is touched;
- after a connection is lost in the middle of a commit (Unavailable) the change may be there too.

SQL is written with `?` for each argument, in the order of the arguments, and with the driver's fragments (`tx.dialect`)
where the dialects differ. Arguments and results are int, float, str, bytes or None.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Concatenate, NamedTuple, ParamSpec, Protocol, TypeVar

from agentrunner.store.commits import Commits

P = ParamSpec("P")
T = TypeVar("T")


class Row(Protocol):
    """One row: by column name or by position."""

    def __getitem__(self, key: str | int) -> Any: ...

    def keys(self) -> Any:
        """The column names."""
        ...


class Dialect(NamedTuple):
    """The fragments in which the SQL of the drivers differs."""

    name: str
    lock_row: str
    """Behind a SELECT of rows that are about to change."""
    claim_lock: str | None
    """A statement that lets one claim at a time through, or None where there is only one writer."""


class Tx(Protocol):
    """One transaction."""

    @property
    def dialect(self) -> Dialect:
        """The driver's SQL fragments."""
        ...

    async def one(self, sql: str, *args: Any) -> Row | None:
        """The first row, or None."""
        ...

    async def all(self, sql: str, *args: Any) -> Sequence[Row]:
        """Every row; the statement bounds how many."""
        ...

    async def run(self, sql: str, *args: Any) -> int:
        """Execute; answers how many rows were changed."""
        ...

    async def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute once per row of arguments, in order."""
        ...

    async def insert(self, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
        """Store rows in order, in the fastest way the driver has; `columns` are separated by commas."""
        ...

    def after_commit(self, topic: str) -> None:
        """Wake the listeners of `topic` once this is committed. Repeats within a transaction are one."""
        ...


Function = Callable[Concatenate[Tx, P], Awaitable[T]]


class Database(Protocol):
    """A database that is open between `start` and `stop`. `stop` without `start` and a second `stop` are harmless."""

    @property
    def commits(self) -> Commits:
        """The commits of this process."""
        ...

    @property
    def waiting(self) -> int:
        """How many callers wait for the database."""
        ...

    async def start(self) -> None:
        """Open, migrate to the newest schema, begin to deliver topics. Raises ConfigurationError with advice."""
        ...

    async def stop(self) -> None:
        """Finish what was accepted, then close; returns when closed."""
        ...

    async def write(self, function: Function[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` in a transaction of its own and return once it is durable."""
        ...

    async def read(self, function: Function[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` on one snapshot; for point and page reads. A change in it raises."""
        ...

    async def search(self, function: Function[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for long queries: off the loop, with a time limit (raises QueryTimeout)."""
        ...

    def listen(self, callback: Callable[[str], None]) -> None:
        """Call `callback(topic)` on the loop for each topic committed by any process; may repeat, may wake for nothing.

        After a lost connection to the database the topic `*` is delivered: everything may have changed.
        """
        ...
