"""Roll-ups: they grow with each end of a run, and counting anew gives the same. `truth` compares them in every test."""

from agentrunner.domain.event import new_event
from agentrunner.domain.instant import MAX_INSTANT
from agentrunner.domain.rollup import Grain, Tally, total
from agentrunner.domain.state import Reason, Status
from agentrunner.engine import events, rollups, runs
from agentrunner.engine.rollups import Window
from agentrunner.store.base import Tx
from engine.world import World, rows

_EVER = Window(Grain.EVER, 0, 1)


async def some_ends(world: World) -> None:
    """Runs of two versions that complete, fail and are stopped, over two days."""
    made = await world.many([{"agent": "a"}, {"agent": "a"}, {"agent": "b"}, {}, {"backend": "external"}])
    host = await world.register()
    world.clock.advance(2)
    one, two, three = await host.claim(slots=3)
    await one.fact("run.started")
    world.clock.advance(30)
    said = [new_event("usage", {"input_tokens": 100, "output_tokens": 7}), new_event("cost", {"usd": 0.25})]
    await one.record(one.part("out", *said))
    await one.end(Status.COMPLETED)
    world.clock.advance(90_000)
    await two.end(Status.FAILED, Reason.NETWORK)
    await three.end(Status.COMPLETED)
    await runs.stop(world.s, made[3].id)
    await events.ingest(world.s, made[4].id, [new_event("cost", {"usd": 0.1}), new_event("run.completed")])


async def test_grow(world: World) -> None:
    """Each end is in its minute, hour, day and in the totals."""
    await some_ends(world)
    everything = total(kept.tally for kept in await rollups.read(world.s, _EVER))
    assert (everything.runs, everything.completed, everything.failed, everything.stopped) == (5, 3, 1, 1)
    assert (everything.input_tokens, everything.output_tokens, everything.cost_micro) == (100, 7, 350_000)
    assert (everything.waited, everything.wait_ms) == (1, 2000)
    for grain in (Grain.MINUTE, Grain.HOUR, Grain.DAY):
        found = await rollups.read(world.s, Window(grain, 0, MAX_INSTANT))
        assert total(kept.tally for kept in found) == everything
        assert len({kept.key.start for kept in found}) == 2


async def test_rebuild(world: World) -> None:
    """Rebuilt from the runs they are what they were, from nothing and from nonsense."""
    await some_ends(world)
    grown = await rows(world.s.db, "SELECT * FROM rollups ORDER BY grain, start, version_id, project_id")

    async def spoil(tx: Tx) -> None:
        await tx.run("UPDATE rollups SET runs = runs + 1, cost_micro = 0 WHERE completed = 1")
        await tx.run("DELETE FROM rollups WHERE failed = 1")

    await world.s.db.write(spoil)
    steps = [step async for step in rollups.rebuild(world.s)]
    assert steps[-1].runs == 5
    rebuilt = await rows(world.s.db, "SELECT * FROM rollups ORDER BY grain, start, version_id, project_id")
    assert [tuple(row) for row in rebuilt] == [tuple(row) for row in grown]


async def test_read_narrowed(world: World) -> None:
    """Roll-ups are read of some versions, or of one project."""
    await some_ends(world)
    versions = {kept.key.version_id for kept in await rollups.read(world.s, _EVER)}
    assert len(versions) == 3
    assert 0 in versions
    (unnamed,) = await rollups.read(world.s, _EVER, versions=[0])
    assert unnamed.tally.runs == 2
    assert await rollups.read(world.s, _EVER, versions=[]) == []
    assert len(await rollups.read(world.s, _EVER, project_id=unnamed.key.project_id)) == 3
    assert total([]) == Tally()
