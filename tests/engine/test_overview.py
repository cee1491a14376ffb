"""Figures of today and totals of versions: sums of roll-ups, in stretches that do not overlap."""

from agentrunner.domain.agent import NewVersion
from agentrunner.domain.finished import Finished
from agentrunner.domain.state import Status
from agentrunner.engine import agents, finished, overview
from agentrunner.engine.finished import Target
from agentrunner.store.overview import Sums
from engine.noting import noting
from engine.world import START, World

_HOUR = 3_600_000
_DAY = 24 * _HOUR


async def report(world: World, name: str, *ended_at: int, status: str = "completed") -> None:
    """Runs of an agent of this name that ended at these instants, each after two seconds, for a dollar."""
    agent = await agents.register(world.s, name, "")
    await agents.add_version(world.s, agent, NewVersion(version="1"))
    new = [Finished(status=status, created=at - 2000, taken_ms=2000, cost_usd=1.0) for at in ended_at]
    await finished.add(world.s, Target(agent.id, "1"), new)


async def test_nothing_happened(world: World) -> None:
    """Nought everywhere, and no version."""
    empty = overview.Pair(Sums(), Sums())
    assert await overview.read(world.s) == overview.Overview(0, 0, empty, empty)
    assert await overview.totals(world.s) == []


async def test_agents_that_fell_asleep(world: World) -> None:
    """The stretch of 48 hours is held against that of a week ago, which it does not overlap: it can fall and rise."""
    await report(world, "now", START)
    await report(world, "yesterday", START - _DAY)
    await report(world, "both", START, START - 8 * _DAY)
    await report(world, "long ago", START - 7 * _DAY)
    await report(world, "between", START - 4 * _DAY)
    found = await overview.read(world.s)
    assert (found.active, found.active_before) == (3, 2)


async def test_days_are_of_utc(world: World) -> None:
    """Today begins at midnight UTC wherever the server is; a run counts on the day of its end."""
    midnight = START - START % _DAY
    await report(world, "a", midnight, midnight + 1, midnight - 1, midnight - _DAY, midnight - _DAY - 1)
    days = (await overview.read(world.s)).days
    assert (days.now.runs, days.before.runs) == (2, 2)
    assert (days.now.cost_micro, days.before.cost_micro) == (2_000_000, 2_000_000)


async def test_hours_slide(world: World) -> None:
    """The last sixty minutes, this one included, against the sixty before."""
    minute = START - START % 60_000
    first = minute - 59 * 60_000
    await report(world, "a", START, first, first - 1, first - _HOUR, first - _HOUR - 1)
    hours = (await overview.read(world.s)).hours
    assert (hours.now.runs, hours.before.runs) == (2, 2)
    assert hours.now.duration_ms == 4000


async def test_versions_without_runs_are_there(world: World) -> None:
    """Heard of when they were added, and active for two days."""
    agent = await agents.register(world.s, "a", "web")
    added = await agents.add_version(world.s, agent, NewVersion(version="1", tools=("Edit",)))
    (total,) = await overview.totals(world.s)
    assert total == (agent, added, Sums(), START, True)
    world.clock.advance(48 * 3600)
    (total,) = await overview.totals(world.s)
    assert (total.heard_at, total.is_active) == (START, False)


async def test_runs_of_ours_feed_the_same_versions(world: World) -> None:
    """A run that a worker executed and one that was reported add up."""
    await report(world, "a", START)
    await world.many([{"agent": "a", "agent_version": "1", "options": {"argv": ["x"]}}])
    held = await (await world.register()).start()
    await held.end(Status.COMPLETED)
    (total,) = await overview.totals(world.s)
    assert (total.sums.runs, total.sums.completed) == (2, 2)


async def test_no_read_looks_at_runs(world: World) -> None:
    """Whatever is shown of many runs comes from roll-ups; the original goes over all runs of all versions each pass."""
    await report(world, "a", START, START - _DAY)
    said = await noting(world.s, overview._read, START) + await noting(world.s, overview._totals, START)
    assert len(said) == 8
    assert not [sql for sql in said if " runs" in sql.replace("AS runs", "")]
