"""The feed of one run under a surface's own framing, which may leave out what its clients do not know."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from agentrunner.api.feed import NATIVE, PAGE, Feeds, Framing, Subscriber
from agentrunner.domain.event import Event, new_event
from agentrunner.domain.run import NewRun, Run
from agentrunner.engine import events, runs
from agentrunner.engine.services import Services
from agentrunner.store import retention
from api.serving import QUICK
from waiting import eventually

BEAT = b": beat\n\n"


def shown(event: Event, _: Run) -> bytes:
    """Only types that begin with `t`, by their `seq`."""
    return b"%d\n" % event.seq if event.type.startswith("t") else b""


SPARSE = Framing(name="sparse", event=shown, pruned=lambda _: b"", end=lambda _: b"", heartbeat=BEAT)
SILENT = replace(SPARSE, name="silent", event=lambda _event, _run: b"")


class Noting(Subscriber):
    """Takes what the feed writes by itself, and notes it."""

    def __init__(self, after: int = 0) -> None:
        super().__init__(after)
        self.pushed: list[bytes] = []

    def push(self, chunk: bytes, before: int, after: int) -> bool:
        """Take a chunk where it fits."""
        if not self.is_idle or self.after != before:
            return False
        self.pushed.append(chunk)
        self.after = after
        return True


@pytest.fixture
async def feeds(services: Services) -> AsyncIterator[Feeds]:
    """Feeds with short bounds."""
    made = Feeds(services, QUICK)
    yield made
    made.stop()


async def begun(services: Services) -> Run:
    """A reported run."""
    [run] = await runs.create(services, [NewRun(backend="external")])
    return run


async def tell(services: Services, run: Run, *types: str) -> None:
    """Report events."""
    await events.ingest(services, run.id, [new_event(kind) for kind in types])


async def read_all(feeds: Feeds, services: Services, run: Run, subscriber: Subscriber, framing: Framing) -> bytes:
    """Everything that a subscriber is sent until its stream ends, without the heartbeats."""
    with feeds.subscribe(await runs.get(services, run.id), subscriber, framing) as feed:
        async with asyncio.timeout(5):
            chunks = [chunk async for chunk in feeds.follow(feed, subscriber)]
    return b"".join(chunk for chunk in chunks if chunk != framing.heartbeat)


async def until_beat(chunks: AsyncIterator[bytes], beat: bytes) -> bytes:
    """What is sent before the next heartbeat."""
    sent = b""
    async with asyncio.timeout(5):
        async for chunk in chunks:
            if chunk == beat:
                return sent
            sent += chunk
    raise AssertionError(f"the stream ended after {sent!r}")


async def test_what_is_left_out_is_passed(services: Services, feeds: Feeds) -> None:
    """The cursor goes over events without a frame, also where a whole page has none, and the end needs no frame."""
    run = await begun(services)
    await tell(services, run, *["hidden"] * (PAGE + 10), "t", *["hidden"] * PAGE, "t.last", "run.completed")
    subscriber = Subscriber()
    sent = await read_all(feeds, services, run, subscriber, SPARSE)
    assert sent == b"%d\n%d\n" % (PAGE + 12, 2 * PAGE + 13)
    assert subscriber.after == (await runs.get(services, run.id)).last_seq


@pytest.mark.parametrize("make", [Subscriber, Noting])
async def test_a_live_reader_of_a_silent_framing(
    services: Services, feeds: Feeds, make: Callable[[], Subscriber]
) -> None:
    """Nothing is written but heartbeats, above all no empty chunk, which would end an answer; then the stream ends."""
    run = await begun(services)
    subscriber = make()
    with feeds.subscribe(run, subscriber, SILENT) as feed:
        chunks = feeds.follow(feed, subscriber)
        for _ in range(3):
            await tell(services, run, "a", "b")
            assert await until_beat(chunks, BEAT) == b""
        await tell(services, run, "run.completed")
        async with asyncio.timeout(5):
            assert [chunk async for chunk in chunks if chunk != BEAT] == []
    assert getattr(subscriber, "pushed", []) == []
    assert subscriber.after == (await runs.get(services, run.id)).last_seq


async def test_a_live_reader_gets_what_is_shown(services: Services, feeds: Feeds) -> None:
    """By pushes and by fetching together: each frame once and in order, though most events have none."""
    run = await begun(services)
    subscriber = Noting()

    async def is_idle() -> bool:
        return subscriber.is_idle

    fetched: list[bytes] = []
    with feeds.subscribe(run, subscriber, SPARSE) as feed:
        chunks = feeds.follow(feed, subscriber)
        for _ in range(3):
            reading = asyncio.create_task(until_beat(chunks, BEAT))
            await eventually(is_idle)
            await tell(services, run, "hidden", "t", "hidden")
            fetched.append(await reading)
        fetched.append(await until_beat(chunks, BEAT))
    pushed = b"".join(map(unchunked, subscriber.pushed))
    assert pushed, "a reader who waits is written to"
    assert sorted((b"".join(fetched) + pushed).split()) == [b"3", b"6", b"9"]
    assert pushed.split() == sorted(pushed.split())


def unchunked(chunk: bytes) -> bytes:
    """The data of one chunk of an answer."""
    size, _, rest = chunk.partition(b"\r\n")
    assert len(rest) == int(size, 16) + 2, "one whole chunk, and not the last one"
    return rest[:-2]


async def test_framings_do_not_mix(services: Services, feeds: Feeds) -> None:
    """Two surfaces show one run at the same time, each in its own words."""
    run = await begun(services)
    await tell(services, run, "t")
    readers = [(Subscriber(), SPARSE), (Subscriber(), NATIVE), (Subscriber(), SPARSE)]
    reading = [asyncio.create_task(read_all(feeds, services, run, reader, framing)) for reader, framing in readers]
    await tell(services, run, "hidden", "t", "run.completed")
    sparse, native, again = await asyncio.gather(*reading)
    assert sparse == again == b"2\n4\n"
    kinds = [line[7:] for line in native.split(b"\n") if line.startswith(b"event: ")]
    assert kinds == [b"run.created", b"t", b"hidden", b"t", b"run.completed", b"end"]


@pytest.mark.parametrize(("pruned", "expected"), [(b"", b"5\n"), (b"gone before %d\n", b"gone before 4\n5\n")])
async def test_what_is_gone(services: Services, feeds: Feeds, pruned: bytes, expected: bytes) -> None:
    """A surface says it, or has no frame for it; either way the reader gets what is left."""
    run = await begun(services)
    await tell(services, run, "t", "t", "hidden", "t", "run.completed")
    await services.db.write(retention.delete_events, run.id, 4, 100)
    framing = replace(SPARSE, name=f"pruned {pruned!r}", pruned=lambda first: pruned % first if pruned else b"")
    assert await read_all(feeds, services, run, Subscriber(), framing) == expected


async def test_an_end_is_the_framings_own(services: Services, feeds: Feeds) -> None:
    """With the run as it ended."""
    run = await begun(services)
    await tell(services, run, "t", "run.failed")
    framing = replace(SPARSE, name="ending", end=lambda run: run.status.encode())
    assert await read_all(feeds, services, run, Subscriber(), framing) == b"2\nFAILED"
    assert await read_all(feeds, services, run, Subscriber(3), framing) == b"FAILED"
