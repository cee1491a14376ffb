"""How many turns the agent of a run has begun: the iteration counter of the Runs API surface."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentrunner.domain.event import TURN_TYPES, NewEvent, new_event
from agentrunner.domain.state import Reason, Status
from agentrunner.engine import events, runs
from engine.world import Held, World

STEPS = ["agent.thinking", "plan.generated", "executing"]


async def started(world: World, **fields: object) -> Held:
    """A run whose program was started."""
    await world.create(**fields)
    return await (await world.register()).start()


async def turns(world: World, run_id: int) -> int:
    """The counter."""
    return (await world.run(run_id)).turns


async def test_every_step_of_the_simulation_is_one(world: World) -> None:
    """From 0 in the queue to 3, and the end leaves it."""
    hold = await started(world)
    run_id, seen = hold.given.run_id, []
    seen.append(await turns(world, run_id))
    for step in STEPS:
        await hold.record(hold.part("out", new_event(step)))
        seen.append(await turns(world, run_id))
    await hold.end(Status.COMPLETED)
    assert [*seen, await turns(world, run_id)] == [0, 1, 2, 3, 3]


@pytest.mark.parametrize("type", sorted(TURN_TYPES))
async def test_each_type_counts_once(world: World, type: str) -> None:
    """Whether a worker records it or a reporter tells of it."""
    hold = await started(world)
    await hold.record(hold.part("out", new_event(type), new_event("message"), new_event(type)))
    reported = await world.create(backend="external")
    await events.ingest(world.s, reported.id, [new_event(type)])
    assert [await turns(world, run_id) for run_id in (hold.given.run_id, reported.id)] == [2, 1]


@pytest.mark.parametrize("type", ["turn.finished", "thinking", "message", "task.turn.started", "AGENT_THINKING"])
async def test_what_is_no_turn(world: World, type: str) -> None:
    """Only the beginning of one counts, and only by its exact name."""
    hold = await started(world)
    await hold.record(hold.part("out", new_event(type)))
    assert await turns(world, hold.given.run_id) == 0


@given(data=st.data(), sizes=st.lists(st.integers(0, 3), min_size=1, max_size=6))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True)
async def test_repeated_records_count_once(world: World, data: st.DataObject, sizes: list[int]) -> None:
    """A worker that lost answers sends the same parts again, alone or with what follows: each turn counts once."""
    run_id = (await world.create()).id
    hold = await (await world.register()).start()
    assert hold.given.run_id == run_id
    parts = [hold.part("out", *[new_event("turn.started")] * size) for size in sizes]
    for number in range(len(parts)):
        again = data.draw(st.integers(0, number), label="sent again from")
        for _ in range(data.draw(st.integers(1, 3), label="times")):
            await hold.record(*parts[again : number + 1])
        assert await turns(world, run_id) == sum(sizes[: number + 1])
    await hold.end(Status.COMPLETED)


async def test_a_retry_begins_at_none(world: World) -> None:
    """The counter is the current attempt's: an automatic retry resets it, and a person's is another run."""
    hold = await started(world, retry={"attempts": 2, "backoff_s": 0})
    run_id = hold.given.run_id
    await hold.record(hold.part("out", *map(new_event, STEPS)))
    await hold.end(Status.FAILED, Reason.NETWORK)
    waiting = await world.run(run_id)
    assert (waiting.status, waiting.attempt, waiting.turns) == (Status.QUEUED, 2, 0)
    world.clock.advance(60)
    second = await (await world.register()).start()
    await second.record(second.part("out", new_event(STEPS[0])))
    await second.end(Status.FAILED, Reason.NETWORK)
    assert await turns(world, run_id) == 1
    assert (await runs.retry(world.s, run_id)).turns == 0


async def test_what_comes_late_is_not_counted(world: World) -> None:
    """Late output of an attempt is kept and changes nothing, whoever sends it."""
    hold = await started(world)
    await hold.end(Status.COMPLETED)
    await hold.record(hold.part("out", new_event("turn.started")), late=True)
    reported = await world.create(backend="external")
    await events.ingest(world.s, reported.id, [new_event("run.completed"), new_event("turn.started")])
    assert [await turns(world, run_id) for run_id in (hold.given.run_id, reported.id)] == [0, 0]
    assert [event.type for event in await world.events(reported.id) if event.late] == ["turn.started"]


async def test_a_reporter_that_repeats_itself(world: World) -> None:
    """An event that has a name of its own counts once."""
    run = await world.create(backend="external")
    named = NewEvent(type="turn.started", producer="p", client_seq=1)
    for _ in range(3):
        await events.ingest(world.s, run.id, [named])
    assert await turns(world, run.id) == 1
