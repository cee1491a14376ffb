"""Who runs next, and what time does."""

from typing import Any

import pytest

from agentrunner.domain.errors import StaleEpoch
from agentrunner.domain.event import new_event
from agentrunner.domain.project import NewProject, ProjectSettings
from agentrunner.domain.run import NewRun
from agentrunner.domain.state import Hold, Phase, Reason, Status
from agentrunner.engine import projects, runs, schedule
from agentrunner.store import workers as stored_workers
from engine.world import START, Held, World


async def goals(world: World, slots: int = 100, **fields: Any) -> list[str]:
    """What a worker gets, by goal, in the order of the answer."""
    return [hold.given.goal for hold in await (await world.register(**fields)).claim(slots=slots)]


async def test_priority_then_age(world: World) -> None:
    """Higher first; among equals the oldest."""
    order = [("a", 0), ("b", 5), ("c", 0), ("d", -1), ("e", 5)]
    await world.many([{"goal": goal, "priority": priority} for goal, priority in order])
    assert await goals(world, slots=2) == ["b", "e"]
    assert await goals(world) == ["a", "c", "d"]


async def test_only_what_the_worker_can_run(world: World) -> None:
    """Backends that it does not offer stay, and block nothing."""
    await world.many([{"goal": "a", "backend": "other", "priority": 9}, {"goal": "b"}])
    assert await goals(world, backends=["command"]) == ["b"]
    assert await goals(world, backends=[]) == []
    assert await goals(world, backends=["other"]) == ["a"]


async def test_the_global_cap(world: World) -> None:
    """Active runs of all workers count, paused ones too; ended ones do not, external ones never."""
    tight = world.with_settings(max_running=2)
    await tight.many([{"goal": str(n)} for n in range(4)] + [{"backend": "external"}] * 3)
    first = await tight.register("w1")
    one, two = await first.claim(slots=10)
    await runs.pause(world.s, one.given.run_id)
    await one.fact("run.paused", revision=1)
    assert await goals(tight, id="w2") == []
    await two.end(Status.COMPLETED)
    assert await goals(tight, id="w2") == ["2"]


async def test_caps_per_agent_and_backend(world: World) -> None:
    """A full agent or backend is passed over for the next that fits."""
    agents = [{"goal": f"{agent}{n}", "agent": agent} for n in range(3) for agent in "xy"]
    await world.many([*agents, {"goal": "none"}, {"goal": "o", "backend": "other"}])
    assert await goals(world.with_settings(max_running_per_agent=1)) == ["x0", "y0", "none", "o"]
    assert await goals(world.with_settings(max_running_per_backend=4)) == ["x1"]
    assert await goals(world.with_settings(max_running_per_agent=2, max_running_per_backend=5)) == ["y1"]
    assert await goals(world) == ["x2", "y2"]


async def test_the_cap_of_a_project(world: World) -> None:
    """Its own, over all workers; raised it lets the next go."""
    await projects.create(world.s, NewProject(name="p", settings=ProjectSettings(max_running=1)))
    await world.many([{"goal": "a", "project": "p"}, {"goal": "b", "project": "p"}, {"goal": "c"}])
    assert await goals(world) == ["a", "c"]
    assert await goals(world, id="w2") == []
    await projects.update(world.s, "p", ProjectSettings(max_running=2))
    assert await goals(world, id="w2") == ["b"]


async def test_a_long_queue_behind_a_full_project(world: World) -> None:
    """What a cap holds is skipped without reading it all in vain: the one behind it is found."""
    await projects.create(world.s, NewProject(name="p", settings=ProjectSettings(max_running=1)))
    await world.many([{"project": "p"} for _ in range(300)] + [{"goal": "z"}])
    assert await goals(world, slots=2) == ["", "z"]


async def test_held_runs_are_not_claimed(world: World) -> None:
    """Held by a person, or until a time."""
    await world.create(retry={"attempts": 2, "backoff_s": 30})
    host = await world.register()
    await (await host.take()).end(Status.FAILED, Reason.NETWORK)
    paused = await world.create()
    await runs.pause(world.s, paused.id)
    assert await host.claim() == []
    world.clock.advance(29.999)
    await host.heartbeat()
    assert await host.claim() == []
    world.clock.advance(0.001)
    assert len(await host.claim(slots=5)) == 1


async def silent(world: World, on_lost: str, **fields: Any) -> Held:
    """A started run whose worker has not been heard of for a lease."""
    await world.create(on_lost=on_lost, **fields)
    hold = await (await world.register()).start()
    await world.tick(15)
    assert (await world.run(hold.given.run_id)).phase is Phase.STARTING, "the lease lives to its last moment"
    await world.tick(0.001)
    run = await world.run(hold.given.run_id)
    assert (run.phase, run.phase_since, run.status) == (Phase.UNREACHABLE, START, Status.RUNNING)
    assert await world.last(run.id) == ("run.lost", {"worker": "w1", "on_lost": on_lost})
    return hold


async def test_on_lost_wait(world: World) -> None:
    """No deadline: unreachable since when, said once, for as long as it takes."""
    hold = await silent(world, "wait")
    run = await world.run(hold.given.run_id)
    for seconds in (3, 3600, 10**6):
        await world.tick(seconds)
        assert await world.run(run.id) == run
    assert (await hold.say()).ended is False


async def test_on_lost_fail(world: World) -> None:
    """FAILED worker_lost, lease and margin after the last sign of life; what comes back is late."""
    hold = await silent(world, "fail")
    await world.tick(2.999)
    assert (await world.run(hold.given.run_id)).status is Status.RUNNING
    await world.tick(0.001)
    run = await world.run(hold.given.run_id)
    assert (run.status, run.reason, run.ended_at) == (Status.FAILED, Reason.WORKER_LOST, START + 18_001)
    part = hold.part("out", new_event("log"))
    with pytest.raises(StaleEpoch):
        await hold.record(part)
    assert (await hold.record(part, late=True)).ended
    assert (await world.events(run.id))[-1].late


async def test_on_lost_retry(world: World) -> None:
    """QUEUED for a new attempt, whatever the retry policy; the old attempt's worker is refused."""
    hold = await silent(world, "retry")
    await world.tick(3)
    run = await world.run(hold.given.run_id)
    assert (run.status, run.attempt, run.hold, run.phase, run.worker_id) == (Status.QUEUED, 2, None, None, None)
    assert (await world.types(run.id))[-1] == "run.retried"
    second = await (await world.register("w2")).take()
    assert (second.given.attempt, second.given.epoch > hold.given.epoch) == (2, True)
    with pytest.raises(StaleEpoch):
        await hold.say()
    await second.say()


@pytest.mark.parametrize("on_lost", ["fail", "retry"])
async def test_a_wished_stop_of_a_lost_run(world: World, on_lost: str) -> None:
    """It is what the person wanted: STOPPED."""
    hold = await silent(world, on_lost)
    await runs.stop(world.s, hold.given.run_id)
    await world.tick(3)
    run = await world.run(hold.given.run_id)
    assert (run.status, run.reason) == (Status.STOPPED, Reason.STOPPED_BY_USER)


async def test_a_lost_paused_run(world: World) -> None:
    """PAUSED ends like RUNNING; with a retry the pause goes on as a hold."""
    for on_lost in ("fail", "retry"):
        run = await world.create(on_lost=on_lost)
        hold = await (await world.register(on_lost)).start()
        await runs.pause(world.s, run.id)
        await hold.fact("run.paused", revision=1)
    await world.tick(18.001)
    queued, failed = await runs.page(world.s, {}, None, 2)
    assert (failed.status, failed.reason) == (Status.FAILED, Reason.WORKER_LOST)
    assert (queued.status, queued.hold) == (Status.QUEUED, Hold.OPERATOR)


async def test_both_at_once_when_the_server_was_busy(world: World) -> None:
    """A tick that comes late does both steps, in order."""
    run = await world.create(on_lost="fail")
    await (await world.register()).start()
    await world.tick(60)
    assert (await world.types(run.id))[-2:] == ["run.lost", "run.failed"]


async def test_a_heartbeat_in_time_ends_the_silence(world: World) -> None:
    """Back before the margin is over: nothing ends."""
    hold = await silent(world, "fail")
    world.clock.advance(2.9)
    await (await world.register()).heartbeat()
    await world.tick(10)
    assert (await world.run(hold.given.run_id)).status is Status.RUNNING


async def test_only_the_servers_uptime_counts(world: World) -> None:
    """A server that was away an hour begins to count anew."""
    run = await world.create(on_lost="fail")
    await (await world.register()).start()
    world.clock.advance(3600)
    await world.s.db.write(stored_workers.hear_all, world.clock())
    await world.tick(0)
    await world.tick(15)
    assert (await world.run(run.id)).phase is Phase.STARTING
    await world.tick(3.001)
    assert (await world.run(run.id)).status is Status.FAILED


async def test_each_worker_has_its_own_lease(world: World) -> None:
    """One is silent, the other's run goes on."""
    await world.many([{"on_lost": "fail"}, {"on_lost": "fail"}])
    quiet, alive = await world.register("quiet"), await world.register("alive")
    lost, kept = await quiet.take(), await alive.take()
    for _ in range(4):
        world.clock.advance(5)
        await alive.heartbeat()
    await world.tick()
    assert (await world.run(lost.given.run_id)).status is Status.FAILED
    assert (await world.run(kept.given.run_id)).status is Status.RUNNING


async def test_many_runs_of_a_lost_worker(world: World) -> None:
    """Each by its own rule, in one go."""
    rules = ["wait", "fail", "retry"] * 4
    made = await world.many([{"on_lost": rule, "agent": rule} for rule in rules])
    await (await world.register()).claim(slots=12)
    await world.tick(18.001)
    expected = {"wait": Status.RUNNING, "fail": Status.FAILED, "retry": Status.QUEUED}
    assert [(await world.run(run.id)).status for run in made] == [expected[rule] for rule in rules]


async def test_waiting_too_long(world: World) -> None:
    """FAILED queue_expired; unless held by a person, and not before its time."""
    short = world.with_settings(queue_expires_s=60)
    waiting, held = await short.many([{}, {}])
    await runs.pause(world.s, held.id)
    await short.tick(60)
    assert (await world.run(waiting.id)).status is Status.QUEUED
    await short.tick(0.001)
    ended = await world.run(waiting.id)
    assert (ended.status, ended.reason, ended.ended_at) == (Status.FAILED, Reason.QUEUE_EXPIRED, START + 60_001)
    assert (await world.run(held.id)).status is Status.QUEUED
    await runs.resume(world.s, held.id)
    await short.tick(59)
    assert (await world.run(held.id)).status is Status.QUEUED, "what a person held has waited since it was let go"
    await short.tick(2)
    assert (await world.run(held.id)).status is Status.FAILED


async def test_a_back_off_is_no_waiting(world: World) -> None:
    """The wait in the queue begins when the back-off is over, and then it can expire too."""
    short = world.with_settings(queue_expires_s=60)
    run = await short.create(retry={"attempts": 2, "backoff_s": 600})
    await (await (await short.register()).take()).end(Status.FAILED, Reason.NETWORK)
    await short.tick(655)
    assert (await world.run(run.id)).status is Status.QUEUED
    await short.tick(5.001)
    assert (await world.run(run.id)).reason is Reason.QUEUE_EXPIRED


async def test_nothing_expires_unless_it_is_set(world: World) -> None:
    """0 means never."""
    run = await world.create()
    await world.tick(10**7)
    assert (await world.run(run.id)).status is Status.QUEUED


async def test_old_idempotency_keys_are_forgotten(world: World) -> None:
    """After a week, not before."""
    asked = [NewRun(backend="command")]
    [first] = await runs.create(world.s, asked, "k")
    world.clock.advance(schedule.IDEMPOTENCY_S)
    await schedule.forget(world.s)
    assert (await runs.create(world.s, asked, "k"))[0].id == first.id
    world.clock.advance(0.001)
    await schedule.forget(world.s)
    assert (await runs.create(world.s, asked, "k"))[0].id != first.id
