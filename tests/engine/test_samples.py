"""What workers sample: kept within bounds, for their own runs only, with totals that miss nothing."""

from itertools import pairwise

import pytest

from agentrunner.domain.control import Offsets, Outcome
from agentrunner.domain.errors import RunNotFound
from agentrunner.domain.sample import MOST_POINTS, Taken, Used
from agentrunner.domain.state import Reason, Status
from agentrunner.engine import samples
from agentrunner.store.base import Tx
from engine.world import Host, World

MIB = 1 << 20


def taken(run_id: int, cpu_us: int, memory: int = MIB, attempt: int = 1, processes: int = 1) -> Taken:
    """A sample."""
    return Taken(run_id=run_id, attempt=attempt, cpu_us=cpu_us, memory_bytes=memory, processes=processes)


async def beat(world: World, host: Host, *found: Taken) -> None:
    """A heartbeat, 5 s after the last."""
    world.clock.advance(5)
    await host.heartbeat(samples=found)


async def test_samples_come_with_heartbeats(world: World) -> None:
    """In order, with the attempt they belong to; peaks and CPU time are there at once."""
    host = await world.register()
    run = await world.create()
    (held,) = await host.claim()
    await beat(world, host, taken(run.id, 100, 5 * MIB, processes=3))
    await beat(world, host, taken(run.id, 300, 2 * MIB))
    page = await samples.show(world.s, run.id)
    assert [(item.cpu_us, item.memory_bytes, item.processes, item.attempt) for item in page.items] == [
        (100, 5 * MIB, 3, 1),
        (300, 2 * MIB, 1, 1),
    ]
    assert page.items[0].at < page.items[1].at
    assert (page.cpu_us, page.memory_peak_bytes, page.processes_peak) == (300, 5 * MIB, 3)
    assert held.given.run_id == run.id


async def test_only_what_a_worker_owns_is_kept(world: World) -> None:
    """Another's run, another attempt, a run that is over, one that never was: nothing of these, and no error."""
    mine, other = await world.register("w1"), await world.register("w2")
    run, theirs = await world.many([{}, {}])
    await mine.claim()
    await other.claim()
    await beat(world, mine, taken(theirs.id, 1), taken(run.id, 1, attempt=2), taken(4711, 1))
    for found in (run, theirs):
        assert (await samples.show(world.s, found.id)).items == []


async def test_without_samples_there_is_nothing(world: World) -> None:
    """Zero is said of a run without any, an unknown run is not found."""
    run = await world.create()
    page = await samples.show(world.s, run.id)
    assert (page.items, page.cpu_us, page.memory_peak_bytes) == ([], 0, 0)
    with pytest.raises(RunNotFound):
        await samples.show(world.s, 4711)


async def test_the_end_of_an_attempt_counts_and_the_next_adds(world: World) -> None:
    """The exit record is more exact than any sample; CPU time of several attempts is added, peaks are not."""
    host = await world.register()
    run = await world.create(retry={"attempts": 2, "backoff_s": 0})
    (held,) = await host.claim()
    await beat(world, host, taken(run.id, 1000, 9 * MIB))
    used = Used(cpu_us=1500, memory_peak_bytes=4 * MIB)
    failed = Outcome(status=Status.FAILED, reason=Reason.NETWORK, sizes=Offsets(), used=used)
    await held.record(outcome=failed)
    world.clock.advance(1)
    (again,) = await host.claim()
    assert again.given.attempt == 2
    await beat(world, host, taken(run.id, 200, MIB, attempt=2))
    page = await samples.show(world.s, run.id)
    assert (page.cpu_us, page.memory_peak_bytes) == (1700, 9 * MIB)
    assert [item.attempt for item in page.items] == [1, 2]


async def test_a_long_run_has_fewer_samples_and_the_same_peaks(world: World) -> None:
    """Never more points than allowed; they still span the whole run, and a peak between two of them is not lost."""
    host = await world.register()
    run = await world.create()
    await host.claim()
    beats = 2 * MOST_POINTS + 100

    async def sample(tx: Tx) -> None:
        for number in range(beats):
            found = taken(run.id, number, (50 if number == beats - 2 else 1) * MIB)
            await samples.keep(tx, host.id, [found], world.clock.now + 5000 * number)

    await world.s.db.write(sample)
    page = await samples.show(world.s, run.id)
    assert MOST_POINTS / 2 <= len(page.items) <= MOST_POINTS
    assert page.items[0].cpu_us == 0
    assert page.items[-1].cpu_us >= beats - 5
    assert max(after.cpu_us - before.cpu_us for before, after in pairwise(page.items)) <= 6
    assert page.memory_peak_bytes == 50 * MIB
    assert page.cpu_us == beats - 1


async def test_a_repeated_instant_is_one_point(world: World) -> None:
    """Two heartbeats in one millisecond: the totals take both."""
    host = await world.register()
    run = await world.create()
    await host.claim()
    for cpu_us in (10, 20):
        await host.heartbeat(samples=[taken(run.id, cpu_us)])
    page = await samples.show(world.s, run.id)
    assert ([item.cpu_us for item in page.items], page.cpu_us) == ([10], 20)
