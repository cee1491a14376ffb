"""Counters of runs by status."""

from agentrunner.domain.event import new_event
from agentrunner.domain.state import Reason, Status
from agentrunner.engine import events, runs, stats
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
