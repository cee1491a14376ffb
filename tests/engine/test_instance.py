"""A restored database is another instance, and none of its runs is executed by itself."""

from agentrunner.domain.state import Desired, Hold, Reason, Status
from agentrunner.engine import instance, runs
from engine.world import World


async def test_nothing_is_executed_twice_after_a_restore(world: World) -> None:
    """Active runs have ended with a reason, queued ones wait for a person, finished and reported ones stay."""
    first, second, third = [await world.create() for _ in range(3)]
    outside = await world.create(backend="external")
    host = await world.register()
    [done] = await host.claim()
    await done.end(Status.COMPLETED)
    hold = await host.start()
    assert hold.given.run_id == second.id

    renewed = await world.s.db.write(instance.renew, "restored", world.clock())

    assert renewed == instance.Renewed(ended=1, held=1)
    assert (await world.run(first.id)).status is Status.COMPLETED
    assert (await world.run(outside.id)).status is Status.RUNNING
    lost = await world.run(second.id)
    assert (lost.status, lost.reason) == (Status.FAILED, Reason.WORKER_LOST)
    assert "restored from a backup" in str(lost.message)
    waiting = await world.run(third.id)
    assert (waiting.status, waiting.hold, waiting.desired) == (Status.QUEUED, Hold.OPERATOR, Desired.PAUSE)
    again = await world.register()
    assert again.answer.instance_id == "restored"
    assert again.answer.runs == []
    assert await again.claim() == []


async def test_a_held_run_goes_on_when_a_person_says_so(world: World) -> None:
    """Resuming is all it takes; one that was paused already stays as it is."""
    run = await world.create()
    await runs.pause(world.s, run.id)
    before = await world.run(run.id)
    await world.s.db.write(instance.renew, "restored", world.clock())
    assert await world.run(run.id) == before
    await runs.resume(world.s, run.id)
    host = await world.register()
    assert (await host.take()).given.run_id == run.id


async def test_many_runs_are_all_seen(world: World) -> None:
    """More than one page."""
    await world.many([{}] * 600)
    host = await world.register(slots=1000)
    await host.claim(slots=520)
    renewed = await world.s.db.write(instance.renew, "restored", world.clock())
    assert renewed == instance.Renewed(ended=520, held=80)
