"""What reporters send, and what readers see."""

import asyncio
from typing import Any

import msgspec
import pytest

from agentrunner.domain.errors import InvalidField, InvalidRequest, RunNotFound
from agentrunner.domain.event import Event, NewEvent, new_event
from agentrunner.domain.run import Usage
from agentrunner.domain.state import Reason, Status
from agentrunner.engine import events, runs
from agentrunner.engine.events import Ingested
from agentrunner.engine.wakeups import run_topic
from engine.world import START, World
from waiting import eventually


def sent(n: int, producer: str = "p") -> NewEvent:
    """Event `n` of a producer."""
    return NewEvent(type="task.progress", payload=msgspec.Raw(b'{"n":%d}' % n), producer=producer, client_seq=n)


async def test_a_reported_life(world: World) -> None:
    """Any dotted type is stored as it is; `run.completed` ends the run."""
    run = await world.create(backend="external")
    told = [
        new_event("task.progress", {"n": 1}),
        new_event("usage", {"output_tokens": 4}),
        new_event("cost", {"usd": 1}),
    ]
    assert await events.ingest(world.s, run.id, told) == Ingested(3, 0, 4)
    world.clock.advance(1)
    assert await events.ingest(world.s, run.id, [new_event("run.completed", {"message": "ok"})]) == Ingested(1, 0, 5)
    ended = await world.run(run.id)
    assert (ended.status, ended.message, ended.ended_at, ended.reason) == (Status.COMPLETED, "ok", START + 1000, None)
    assert (ended.usage, ended.cost_usd) == (Usage(output_tokens=4), 1.0)
    assert await world.types(run.id) == ["run.created", "task.progress", "usage", "cost", "run.completed"]


@pytest.mark.parametrize("payload", [{"message": "no\x00pe"}, {"message": 5}, {}, [], None, "x"])
async def test_a_reported_failure(world: World, payload: Any) -> None:
    """FAILED with a reason, whatever the payload is made of."""
    run = await world.create(backend="external")
    await events.ingest(world.s, run.id, [new_event("run.failed", payload)])
    ended = await world.run(run.id)
    assert (ended.status, ended.reason) == (Status.FAILED, Reason.EXIT_NONZERO)
    assert ended.message in ("no\ufffdpe", "5", None)


async def test_what_follows_the_end_is_late(world: World) -> None:
    """In the same call or later: stored flagged, changing nothing, a second end included."""
    run = await world.create(backend="external")
    await events.ingest(world.s, run.id, [new_event("run.completed"), new_event("usage", {"output_tokens": 4})])
    before = await world.run(run.id)
    await events.ingest(world.s, run.id, [new_event("run.failed"), new_event("cost", {"usd": 1})])
    assert await world.run(run.id) == msgspec.structs.replace(before, last_seq=before.last_seq + 2)
    assert before.usage == Usage()
    assert [event.late for event in await world.events(run.id)] == [False, False, True, True, True]


async def test_what_was_sent_twice_is_stored_once(world: World) -> None:
    """By producer and client_seq, within a call and between calls; another producer's numbers are its own."""
    run = await world.create(backend="external")
    assert await events.ingest(world.s, run.id, [sent(1), sent(2), sent(1)]) == Ingested(2, 1, 3)
    assert await events.ingest(world.s, run.id, [sent(2), sent(3)]) == Ingested(1, 1, 4)
    assert await events.ingest(world.s, run.id, [sent(1, "q"), new_event("x"), new_event("x")]) == Ingested(3, 0, 7)
    other = await world.create(backend="external")
    assert (await events.ingest(world.s, other.id, [sent(1)])).accepted == 1


async def test_the_same_events_at_once(world: World) -> None:
    """Ten reporters racing with the same numbers store each once."""
    run = await world.create(backend="external")
    batch = [sent(n) for n in range(20)]
    made = await asyncio.gather(*(events.ingest(world.s, run.id, batch) for _ in range(10)))
    assert sum(item.accepted for item in made) == 20
    assert sum(item.duplicates for item in made) == 180
    assert (await world.run(run.id)).last_seq == 21


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (NewEvent(type="x", producer="p"), InvalidField),
        (NewEvent(type="x", client_seq=1), InvalidField),
        (NewEvent(type=""), InvalidField),
        (NewEvent(type="x" * 201), InvalidField),
        (NewEvent(type="a\x00b"), InvalidField),
        (NewEvent(type="x", producer="\x00", client_seq=1), InvalidField),
        (NewEvent(type="x", payload=msgspec.Raw(b'"\xff"')), InvalidField),
        (new_event("usage", {"output_tokens": "x"}), InvalidField),
        (new_event("cost", [1]), InvalidField),
        (new_event("run.started"), InvalidRequest),
        (new_event("run.paused"), InvalidRequest),
        (new_event("run.anything"), InvalidRequest),
    ],
)
async def test_what_reporters_cannot_send(world: World, bad: NewEvent, error: type[Exception]) -> None:
    """Refused, and the good event before it is not stored either."""
    run = await world.create(backend="external")
    with pytest.raises(error):
        await events.ingest(world.s, run.id, [new_event("fine"), bad])
    assert await world.types(run.id) == ["run.created"]
    assert await world.run(run.id) == run


async def test_only_reported_runs_are_ended_by_reporters(world: World) -> None:
    """A run of ours takes a reporter's events, but no end from it."""
    run = await world.create()
    await events.ingest(world.s, run.id, [new_event("note")])
    with pytest.raises(InvalidRequest):
        await events.ingest(world.s, run.id, [new_event("run.completed")])


async def test_ten_thousand_events_at_once(world: World) -> None:
    """The largest batch, all new, then all known."""
    run = await world.create(backend="external")
    batch = [sent(n) for n in range(10_000)]
    assert await events.ingest(world.s, run.id, batch) == Ingested(10_000, 0, 10_001)
    assert await events.ingest(world.s, run.id, batch) == Ingested(0, 10_000, 10_001)


async def test_events_of_no_run(world: World) -> None:
    """Not found, for writing, reading and following."""
    with pytest.raises(RunNotFound):
        await events.ingest(world.s, 4711, [new_event("x")])
    with pytest.raises(RunNotFound):
        await events.page(world.s, 4711, 0, 10)
    with pytest.raises(RunNotFound):
        await anext(events.follow(world.s, 4711, 0))


async def test_pages(world: World) -> None:
    """Behind a `seq`, bounded, by type; nothing behind the end."""
    run = await world.create(backend="external")
    await events.ingest(world.s, run.id, [new_event("a" if n % 2 else "b") for n in range(10)])
    assert [event.seq for event in await events.page(world.s, run.id, 3, 4)] == [4, 5, 6, 7]
    assert [event.seq for event in await events.page(world.s, run.id, 0, 3, ["a"])] == [3, 5, 7]
    assert await events.page(world.s, run.id, 11, 10) == []
    assert [event.seq for event in await events.last(world.s, run.id, 3)] == [9, 10, 11]


async def gather(world: World, run_id: int, after: int = 0) -> list[Event]:
    """Everything that a follower is given until it ends."""
    found: list[Event] = []
    async with asyncio.timeout(20):
        async for batch, run in events.follow(world.s, run_id, after):
            assert all(event.seq <= run.last_seq for event in batch)
            found.extend(batch)
    return found


async def test_following_while_it_is_written(world: World) -> None:
    """Many followers from different points, concurrent writers: no gap, no double, and all end."""
    run = await world.create(backend="external")
    followers = [asyncio.create_task(gather(world, run.id, after)) for after in (0, 0, 1, 7, 40, 100)]
    for base in range(0, 200, 10):
        batch = [[sent(base + n)] for n in range(10)]
        await asyncio.gather(*(events.ingest(world.s, run.id, one) for one in batch))
    await events.ingest(world.s, run.id, [new_event("run.completed")])
    for after, task in zip((0, 0, 1, 7, 40, 100), followers, strict=True):
        assert [event.seq for event in await task] == list(range(after + 1, 203))


async def test_following_more_than_a_page(world: World) -> None:
    """An ended run is read to its end and the follower ends, without waiting for anything."""
    run = await world.create(backend="external")
    await events.ingest(world.s, run.id, [new_event("x") for _ in range(2 * events.PAGE)])
    await events.ingest(world.s, run.id, [new_event("run.completed")])
    assert [event.seq for event in await gather(world, run.id)] == list(range(1, 2 * events.PAGE + 3))
    assert await gather(world, run.id, after=2 * events.PAGE + 2) == []


async def test_a_follower_sees_what_comes_between_its_read_and_its_wait(world: World) -> None:
    """The subscription is older than the first read: a write after that read wakes it."""
    run = await world.create()
    follower = events.follow(world.s, run.id, 0)
    batch, _ = await anext(follower)
    assert [event.type for event in batch] == ["run.created"]
    await runs.stop(world.s, run.id)
    async with asyncio.timeout(5):
        batch, seen = await anext(follower)
    assert ([event.type for event in batch], seen.status) == (["run.stopped"], Status.STOPPED)
    with pytest.raises(StopAsyncIteration):
        await anext(follower)


async def test_events_that_change_nothing_but_the_counter(world: World) -> None:
    """They are numbered on like all others, wake the followers, and leave everything else of the run as it was."""
    run = await world.create(backend="external")
    heard: list[str] = []
    world.s.db.listen(heard.append)
    plain = [new_event("a", {"n": 1}), new_event("b", ts=5)]
    assert await events.ingest(world.s, run.id, plain) == Ingested(2, 0, 3)
    assert await events.ingest(world.s, run.id, [*plain, sent(1)]) == Ingested(3, 0, 6)
    assert await events.ingest(world.s, run.id, plain) == Ingested(2, 0, 8)
    assert await world.run(run.id) == msgspec.structs.replace(run, last_seq=8)
    stored = await world.events(run.id)
    assert [event.seq for event in stored] == list(range(1, 9))
    assert [(event.type, event.attempt, event.late) for event in stored[1:3]] == [("a", 1, False), ("b", 1, False)]
    assert (stored[1].ts, stored[2].ts) == (START, 5)

    async def woken() -> bool:
        return heard.count(run_topic(run.id)) >= 3

    await eventually(woken)
