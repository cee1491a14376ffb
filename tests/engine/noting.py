"""Which statements a use case executes."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from agentrunner.engine.services import Services
from agentrunner.store.base import Dialect, Row, Tx


class NotingTx:
    """A transaction that notes the text of each statement."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.said: list[str] = []

    @property
    def dialect(self) -> Dialect:
        """The driver's."""
        return self._tx.dialect

    async def one(self, sql: str, *args: Any) -> Row | None:
        """Note and do."""
        self.said.append(sql)
        return await self._tx.one(sql, *args)

    async def all(self, sql: str, *args: Any) -> Sequence[Row]:
        """Note and do."""
        self.said.append(sql)
        return await self._tx.all(sql, *args)

    async def run(self, sql: str, *args: Any) -> int:
        """Note and do."""
        self.said.append(sql)
        return await self._tx.run(sql, *args)

    async def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Note and do."""
        self.said.append(sql)
        await self._tx.many(sql, rows)

    async def insert(self, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
        """Note and do."""
        self.said.append(f"INSERT INTO {table}")
        await self._tx.insert(table, columns, rows)

    def after_commit(self, topic: str) -> None:
        """Do."""
        self._tx.after_commit(topic)


async def noting(s: Services, function: Callable[..., Awaitable[Any]], *args: Any) -> list[str]:
    """The statements of a use case, which is done by that."""

    async def noted(tx: Tx) -> list[str]:
        wrapped = NotingTx(tx)
        await function(wrapped, *args)
        return wrapped.said

    return await s.db.write(noted)
