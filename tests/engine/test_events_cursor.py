"""From the id of an event, which is unique over all runs, to the cursor of one run."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentrunner.domain.errors import RunNotFound
from agentrunner.domain.event import Event, new_event
from agentrunner.engine import events
from agentrunner.store import events as stored
from agentrunner.store import retention
from agentrunner.store.base import Database, Row, Tx
from engine.world import Clock, World, begin, open_services, settings_of

MAX_ID = 2**63 - 1
SETTINGS = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True
)
BATCHES = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 30)), max_size=12)


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> World:
    """Services as for other tests; a timeline that was cut is not what those check at their end."""
    clock = Clock()
    services = open_services(database, settings_of(tmp_path), clock)
    await database.write(begin, clock())
    return World(services, clock)


async def interleaved(world: World, batches: list[tuple[int, int]]) -> list[int]:
    """Three runs whose events came in turns: a batch is which run of the three and how many events."""
    names = [(await world.create(backend="external")).id for _ in range(3)]
    for index, count in batches:
        await events.ingest(world.s, names[index], [new_event("t")] * count)
    return names


def scanned(timeline: list[Event], event_id: int) -> int:
    """What a look at every event of a run finds."""
    return max((event.seq for event in timeline if event.id <= event_id), default=0)


async def check(world: World, run_id: int, ids: range) -> None:
    """Every id, of this run, of another or of none, has the cursor that a scan finds."""
    timeline = await world.events(run_id)
    for event_id in ids:
        expected = scanned(timeline, event_id) if event_id > 0 else 0
        assert await events.seq_at(world.s, run_id, event_id) == expected, f"event {event_id} of run {run_id}"


async def ids_of(world: World, names: list[int]) -> range:
    """From just before the first event of these runs to just behind the last."""
    found = [event.id for run_id in names for event in await world.events(run_id)]
    return range(min(found) - 2, max(found) + 3)


@given(batches=BATCHES)
@SETTINGS
async def test_every_id_has_its_cursor(world: World, batches: list[tuple[int, int]]) -> None:
    """As a scan of the timeline finds it, however the runs' events lie between each other."""
    names = await interleaved(world, batches)
    ids = await ids_of(world, names)
    for run_id in names:
        await check(world, run_id, ids)


@given(batches=BATCHES, below=st.integers(1, 60))
@SETTINGS
async def test_what_is_gone_does_not_matter(world: World, batches: list[tuple[int, int]], below: int) -> None:
    """A timeline without its beginning is found the same way, and an id from there is before all that is left."""
    names = await interleaved(world, batches)
    ids = await ids_of(world, names)
    await world.s.db.write(retention.delete_events, names[0], below, 1000)
    await check(world, names[0], ids)


async def test_the_ends(world: World) -> None:
    """No id is before everything; one that no database gives is behind everything; a run there is not has none."""
    run = await world.create(backend="external")
    await events.ingest(world.s, run.id, [new_event("t")] * 3)
    assert [await events.seq_at(world.s, run.id, event_id) for event_id in (-1, 0, MAX_ID)] == [0, 0, 4]
    with pytest.raises(RunNotFound):
        await events.seq_at(world.s, 4711, 1)


class Counting:
    """A transaction that counts what it is asked."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.asked = 0

    async def one(self, sql: str, *args: Any) -> Row | None:
        """One row."""
        self.asked += 1
        return await self._tx.one(sql, *args)


async def test_a_long_timeline_takes_few_looks(world: World) -> None:
    """By halving: an id of another run among 5,000 events is found without a scan."""
    run, other = [(await world.create(backend="external")).id for _ in range(2)]
    await events.ingest(world.s, run, [new_event("t")] * 2500)
    await events.ingest(world.s, other, [new_event("t")])
    await events.ingest(world.s, run, [new_event("t")] * 2500)
    foreign = (await world.events(other))[-1].id

    async def found(tx: Tx) -> tuple[int, int]:
        counting = Counting(tx)
        return await stored.seq_at(counting, run, foreign, 5001), counting.asked  # type: ignore[arg-type]

    seq, asked = await world.s.db.read(found)
    assert seq == 2501
    assert asked <= 15
