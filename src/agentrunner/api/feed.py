"""Server-sent frames of one run, encoded once for all who follow it.

A subscriber is only a cursor. Below the start of the ring it reads pages of the database, above it the ring; one who
has everything and has taken it is written to by the feed itself, for all of them the same bytes.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import msgspec
import structlog

from agentrunner.api.asgi import Bounds
from agentrunner.api.errors import trace
from agentrunner.api.exchange import Exchange, chunked
from agentrunner.domain.event import Event, view
from agentrunner.domain.run import Run
from agentrunner.domain.run import view as run_view
from agentrunner.engine import events
from agentrunner.engine.services import Services
from agentrunner.engine.wakeups import Subscription

log = structlog.get_logger("agentrunner.api")

RING_FRAMES = 4096
RING_BYTES = 4 * 1024 * 1024
PAGE = 100
CHUNK_BYTES = 256 * 1024
SHARED_BYTES = 1024 * 1024
"""What is written to all at once: the same bytes wait for every reader that does not take them at once."""
HEARTBEAT = b": \n\n"
PRUNED = "pruned"
_encoder = msgspec.json.Encoder()


def frame(name: str, data: bytes, cursor: int | None = None) -> bytes:
    """One server-sent event. A payload kept as it was sent may contain line ends between its tokens; none is left."""
    if b"\n" in data or b"\r" in data:
        data = data.replace(b"\r", b" ").replace(b"\n", b" ")
    if cursor is None:
        return b"event: %b\ndata: %b\n\n" % (_line(name), data)
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (cursor, _line(name), data)


@lru_cache(maxsize=256)
def _line(name: str) -> bytes:
    return name.replace("\r", " ").replace("\n", " ").encode()


def frame_of(event: Event) -> bytes:
    """The frame of an event; its `id:` is the cursor that resumes behind it."""
    return frame(event.type, _encoder.encode(view(event)), event.seq)


def pruned(first: int) -> bytes:
    """The frame that stands for events which are gone, their retention being over; `first` is what comes next."""
    return frame(PRUNED, b'{"pruned_before":%d}' % first)


@dataclass(frozen=True, slots=True)
class Framing:
    """How a surface writes a timeline: an event of a run, what is gone (by the first `seq` that is not), the end.

    Each may answer nothing, where the surface has no such frame. `name` tells framings apart.
    """

    name: str
    event: Callable[[Event, Run], bytes]
    pruned: Callable[[int], bytes]
    end: Callable[[Run], bytes]
    heartbeat: bytes = HEARTBEAT


NATIVE = Framing(
    name="native",
    event=lambda event, _: frame_of(event),
    pruned=pruned,
    end=lambda run: frame("end", _encoder.encode(run_view(run))),
)


class Subscriber(Subscription):
    """Somebody who waits for frames; has those up to `after`.

    Where it has an `exchange`, the feed may write to it while it `is_idle`, that is while it waits for frames.
    """

    def __init__(self, after: int = 0, exchange: Exchange | None = None) -> None:
        super().__init__()
        self.after = after
        self.exchange = exchange
        self.is_idle = False
        self.gone = False

    def push(self, chunk: bytes, before: int, after: int) -> bool:
        """Write frames behind `before`, a whole chunk of the answer; False where they have to be fetched."""
        if self.exchange is None or not self.is_idle or self.after != before or not self.exchange.push(chunk):
            return False
        self.after = after
        return True

    def leave(self) -> None:
        """The client is gone."""
        self.gone = True
        self.wake()


class Feed:
    """The live end of one run's timeline: a ring of frames that one task fills for every subscriber."""

    def __init__(self, services: Services, run: Run, bounds: Bounds, framing: Framing = NATIVE) -> None:
        self.run = run
        self.framing = framing
        self.failed = False
        self.subscribers: set[Subscriber] = set()
        self._services = services
        self._bounds = bounds
        self._ring: deque[bytes] = deque()
        self._bytes = 0
        self._last = run.last_seq
        self._joined: tuple[int, int, bytes] = (0, 0, b"")
        self._task = asyncio.create_task(self._fill())

    @property
    def ended(self) -> bool:
        """True once the run is terminal and every event of it was given to the ring or is in the database."""
        return self.run.status.is_terminal and self._last >= self.run.last_seq

    async def _fill(self) -> None:
        try:
            await self._take(events.follow(self._services, self.run.id, self._last))
        except Exception as error:
            log.error("feed failed", run=self.run.id, exception=trace(error))
            self.failed = True
            self._wake()

    async def _take(self, batches: AsyncIterator[tuple[list[Event], Run]]) -> None:
        async with aclosing(batches):  # type: ignore[type-var]
            async for batch, run in batches:
                before = self._last
                frames = self._add(batch)
                self.run = run
                if frames:
                    self._push(frames, before)
                if self.ended:
                    self._wake()
                if batch and not self.ended:
                    # One flush to every reader costs the same for one event as for fifty, so a burst is gathered.
                    await asyncio.sleep(self._window())

    def _window(self) -> float:
        return min(self._bounds.flush_s, 0.001 + 0.0005 * len(self.subscribers))

    def _wake(self) -> None:
        for subscriber in self.subscribers:
            subscriber.wake()

    def _push(self, frames: Sequence[bytes], before: int) -> None:
        """Write to everybody who has all before these frames and wants more; the others fetch what they lack."""
        data = b"".join(frames)
        # An empty chunk would be the end of every answer.
        chunk = chunked(data) if 0 < len(data) <= SHARED_BYTES else b""
        for subscriber in self.subscribers:
            if not (chunk and subscriber.push(chunk, before, self._last)):
                subscriber.wake()

    def _add(self, batch: Sequence[Event]) -> list[bytes]:
        frames = [self.framing.event(event, self.run) for event in batch]
        if batch:
            self._ring.extend(frames)
            self._bytes += sum(map(len, frames))
            self._last = batch[-1].seq
        while len(self._ring) > RING_FRAMES or (self._bytes > RING_BYTES and self._ring):
            self._bytes -= len(self._ring.popleft())
        return frames

    @property
    def last(self) -> int:
        """The `seq` of the newest event that it has heard of."""
        return self._last

    @property
    def start(self) -> int:
        """The lowest cursor that the ring can serve."""
        return self._last - len(self._ring)

    def frames(self, after: int) -> tuple[bytes, int]:
        """Every frame behind a cursor, joined once for all who are there, and the cursor after them."""
        if after >= self._last:
            return b"", after
        if self._joined[:2] != (after, self._last):
            missing = self._last - after
            data = b"".join(islice(self._ring, len(self._ring) - missing, None))
            self._joined = (after, self._last, data)
        return self._joined[2], self._last

    def close(self) -> None:
        """Stop filling."""
        self._task.cancel()


class Feeds:
    """The feeds of the runs that somebody follows."""

    def __init__(self, services: Services, bounds: Bounds) -> None:
        self._services = services
        self._bounds = bounds
        self._feeds: dict[tuple[str, int], Feed] = {}
        self._stopping = False

    @contextmanager
    def subscribe(self, run: Run, subscriber: Subscriber, framing: Framing = NATIVE) -> Iterator[Feed]:
        """Follow a run for as long as the block lasts; the first to come starts its feed, the last to go ends it."""
        key = (framing.name, run.id)
        feed = self._feeds.get(key)
        if feed is None or feed.failed:
            feed = self._feeds[key] = Feed(self._services, run, self._bounds, framing)
        feed.subscribers.add(subscriber)
        try:
            yield feed
        finally:
            feed.subscribers.discard(subscriber)
            if not feed.subscribers:
                feed.close()
                if self._feeds.get(key) is feed:
                    del self._feeds[key]

    async def follow(self, feed: Feed, subscriber: Subscriber) -> AsyncIterator[bytes]:
        """What a subscriber has to be sent beside what the feed writes: chunks of frames, a comment now and then.

        Ends with the framing's end once the run is terminal and every event was given, or without it when the client
        or this server goes away.
        """
        while not (subscriber.gone or self._stopping or feed.failed):
            if data := await self.behind(feed, subscriber):
                for start in range(0, len(data), CHUNK_BYTES):
                    yield data[start : start + CHUNK_BYTES]
            elif feed.ended and subscriber.after >= feed.run.last_seq:
                if end := feed.framing.end(feed.run):
                    yield end
                return
            elif not await self._woken(subscriber):
                yield feed.framing.heartbeat

    async def behind(self, feed: Feed, subscriber: Subscriber) -> bytes:
        """The frames that a subscriber lacks, perhaps not all of them yet; empty where it lacks none."""
        while subscriber.after < feed.start:
            page = await events.page(self._services, feed.run.id, subscriber.after, PAGE)
            first = page[0].seq if page else feed.start + 1
            gone = feed.framing.pruned(first) if first > subscriber.after + 1 else b""
            subscriber.after = page[-1].seq if page else feed.start
            if data := gone + b"".join(feed.framing.event(event, feed.run) for event in page):
                return data
        data, subscriber.after = feed.frames(subscriber.after)
        return data

    async def _woken(self, subscriber: Subscriber) -> bool:
        """Wait for the feed; False where nothing was sent for a while."""
        before = subscriber.after
        subscriber.is_idle = True
        try:
            return await subscriber.wait(self._bounds.heartbeat_s) or subscriber.after != before
        finally:
            subscriber.is_idle = False

    def stop(self) -> None:
        """End every stream."""
        self._stopping = True
        for feed in self._feeds.values():
            for subscriber in feed.subscribers:
                subscriber.leave()
