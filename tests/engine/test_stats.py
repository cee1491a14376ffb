"""Counters of runs by status."""

from agentrunner.domain.event import new_event
from agentrunner.domain.state import Reason, Status
from agentrunner.engine import events, runs, schedule, stats
from engine.world import World


async def test_counts_by_status(world: World) -> None:
    """Every status is there, 0 included, and each change moves one."""
    assert await stats.by_status(world.s) == dict.fromkeys(Status, 0)
    made = await world.many([{}, {}, {}, {"backend": "external"}])
    host = await world.register()
    one, two = await host.claim(slots=2)
    await one.end(Status.FAILED, Reason.NETWORK)
    await two.fact("run.paused")
    await runs.stop(world.s, made[2].id)
    assert await stats.by_status(world.s) == {
        Status.QUEUED: 0,
        Status.RUNNING: 1,
        Status.PAUSED: 1,
        Status.COMPLETED: 0,
        Status.FAILED: 1,
        Status.STOPPED: 1,
    }
    await events.ingest(world.s, made[3].id, [new_event("run.completed")])
    assert (await stats.by_status(world.s))[Status.COMPLETED] == 1


async def test_counters_that_count_nothing_go(world: World) -> None:
    """Whoever reads counters reads no agent that nobody runs any more; those in use go on from where they were."""
    host = await world.register()
    for number in range(20):
        await world.create(agent=f"agent-{number}")
        hold = await host.take()
        if number:
            await hold.end(Status.COMPLETED)
    await schedule.forget(world.s)
    names = {row[0] for row in await world.rows("SELECT name FROM counts")}
    assert {name for name in names if name.startswith("active/agent/")} == {"active/agent/agent-0"}
    await world.create(agent="agent-7")
    await host.take()
    assert (await stats.by_status(world.s))[Status.RUNNING] == 2
