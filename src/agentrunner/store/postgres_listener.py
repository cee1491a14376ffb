"""The one connection of a process that hears which topics others committed, and comes back when it is lost."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

import asyncpg

EVERYTHING = "*"
_PING_S = 30.0
_ANSWER_S = 10.0
_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0

Connect = Callable[[], Awaitable["asyncpg.Connection[asyncpg.Record]"]]


class PostgresListener:
    """Calls `publish(topic)` for each notification of a channel, and `*` after it was deaf for a while."""

    def __init__(self, connect: Connect, channel: str, publish: Callable[[str], None]) -> None:
        self._connect = connect
        self._channel = channel
        self._publish = publish
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns once nothing that is committed from now on can be missed. Raises what connecting raises."""
        connection, lost = await self._listen()
        self._task = asyncio.create_task(self._keep(connection, lost), name="postgres-listener")

    async def stop(self) -> None:
        """Returns once the connection is closed."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None

    async def _listen(self) -> tuple["asyncpg.Connection[asyncpg.Record]", asyncio.Event]:
        connection = await self._connect()
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            await connection.add_listener(self._channel, self._hear)
        except BaseException:
            connection.terminate()
            raise
        return connection, lost

    def _hear(self, _connection: object, _pid: int, _channel: str, topic: object) -> None:
        self._publish(str(topic))

    async def _keep(self, connection: "asyncpg.Connection[asyncpg.Record]", lost: asyncio.Event) -> None:
        while True:
            try:
                await self._until_lost(connection, lost)
            finally:
                connection.terminate()
            connection, lost = await self._again()
            self._publish(EVERYTHING)

    async def _until_lost(self, connection: "asyncpg.Connection[asyncpg.Record]", lost: asyncio.Event) -> None:
        while not lost.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(lost.wait(), _PING_S)
            try:  # a server that vanished without a word is noticed only by asking
                await connection.execute("SELECT 1", timeout=_ANSWER_S)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                return

    async def _again(self) -> tuple["asyncpg.Connection[asyncpg.Record]", asyncio.Event]:
        pause = _PAUSE_S
        while True:
            try:
                return await self._listen()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(pause * 2, _LONGEST_PAUSE_S)
