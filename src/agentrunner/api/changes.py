"""Hints that runs changed, for everybody who shows a list; a promise of no history: `resync` says read again."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import msgspec
import structlog

from agentrunner.api.asgi import Bounds
from agentrunner.api.errors import trace
from agentrunner.api.feed import HEARTBEAT, Subscriber, frame
from agentrunner.domain.run import Run, RunView, view
from agentrunner.engine.services import Services
from agentrunner.engine.wakeups import EVERYTHING, run_topic
from agentrunner.store import runs

log = structlog.get_logger("agentrunner.api")

MOST_PENDING = 500
MOST_WAITING_BYTES = 1024 * 1024
VIEW_BYTES = 32 * 1024
WINDOW_S = 0.1
RESYNC = frame("resync", b"{}")
_TOPIC = run_topic(0)[:-1]


class Hint(msgspec.Struct, frozen=True, kw_only=True):
    """Run `id` changed; `run` is how it is now, left away where it is larger than 32 KiB."""

    id: int
    run: RunView | None


class Listener(Subscriber):
    """A subscriber with the chunks it has not taken yet; one too slow for them is told to read again."""

    def __init__(self) -> None:
        super().__init__()
        self.chunks: list[bytes] = []
        self._waiting = 0

    def give(self, chunk: bytes) -> None:
        """Add a chunk."""
        if self._waiting + len(chunk) > MOST_WAITING_BYTES:
            chunk, self.chunks, self._waiting = RESYNC, [], 0
        self.chunks.append(chunk)
        self._waiting += len(chunk)
        self.wake()

    def take(self) -> bytes:
        """Everything that waits."""
        data = b"".join(self.chunks)
        self.chunks, self._waiting = [], 0
        return data


class Changes:
    """Gathers which runs changed and tells every listener at most ten times a second."""

    def __init__(self, services: Services, bounds: Bounds) -> None:
        self._services = services
        self._bounds = bounds
        self._listeners: set[Listener] = set()
        self._pending: set[int] = set()
        self._resync = False
        self._heard = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        services.db.listen(self._hear)

    def _hear(self, topic: str) -> None:
        if not self._listeners:
            return
        if topic == EVERYTHING or len(self._pending) >= MOST_PENDING:
            self._resync = True
        elif topic.startswith(_TOPIC):
            self._pending.add(int(topic[len(_TOPIC) :]))
        else:
            return
        self._heard.set()

    async def _tell(self) -> None:
        while True:
            await self._heard.wait()
            self._heard.clear()
            ids, self._pending = sorted(self._pending), set()
            resync, self._resync = self._resync, False
            chunk = RESYNC if resync else await self._hints(ids)
            for listener in self._listeners:
                listener.give(chunk)
            await asyncio.sleep(WINDOW_S)

    async def _hints(self, ids: list[int]) -> bytes:
        try:
            return b"".join(map(hint, await self._services.db.read(runs.by_ids, ids)))
        except Exception as error:
            log.error("hints failed", exception=trace(error))
            return RESYNC

    @contextmanager
    def subscribe(self, given: Listener | None = None) -> Iterator[Listener]:
        """Listen for as long as the block lasts, with a listener of one's own where it is `given`."""
        listener = given or Listener()
        listener.give(RESYNC)
        self._listeners.add(listener)
        if self._task is None:
            self._task = asyncio.create_task(self._tell())
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners and self._task is not None:
                self._task.cancel()
                self._task = None

    async def follow(self, listener: Listener) -> AsyncIterator[bytes]:
        """Chunks of hints as they come; begins with `resync`."""
        while not (listener.gone or self._stopping):
            if data := listener.take():
                yield data
            elif not await listener.wait(self._bounds.heartbeat_s):
                yield HEARTBEAT

    def stop(self) -> None:
        """End every stream."""
        self._stopping = True
        for listener in self._listeners:
            listener.leave()


def hint(run: Run) -> bytes:
    """The frame of one changed run."""
    data = msgspec.json.encode(Hint(id=run.id, run=view(run)))
    if len(data) > VIEW_BYTES:
        data = msgspec.json.encode(Hint(id=run.id, run=None))
    return frame("run", data)
