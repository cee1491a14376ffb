"""Wishes of callers who wait for the fact."""

import asyncio

import pytest

from agentrunner.domain.errors import BackendUnsupported, Conflict, InvalidTransition, RunNotFound
from agentrunner.domain.run import Run
from agentrunner.domain.state import Desired, Hold, Reason, Status
from agentrunner.engine import facts, runs
from agentrunner.engine.facts import Wish, become
from engine.world import Held, World
from waiting import eventually

LONG_S = 20.0
SHORT_S = 0.05


async def started(world: World, **fields: object) -> Held:
    """A run whose program was started."""
    await world.create(**fields)
    return await (await world.register()).start()


async def wish_that_waits(world: World, run_id: int, wish: Wish, desired: Desired) -> asyncio.Task[Run]:
    """A caller who waits by now: the wish is stored and not fact."""
    waiting = asyncio.create_task(become(world.s, run_id, wish, LONG_S))

    async def is_stored() -> bool:
        return (await world.run(run_id)).desired is desired

    await eventually(is_stored)
    assert not waiting.done()
    return waiting


async def answer(waiting: asyncio.Task[Run]) -> Run:
    """What the caller is answered, long before its time is over."""
    async with asyncio.timeout(5):
        return await waiting


async def test_what_is_fact_at_once(world: World) -> None:
    """A queued run is held, released and ended by the wish itself; repeats are answered alike."""
    run_id = (await world.create()).id
    for _ in range(2):
        run = await become(world.s, run_id, runs.pause, 0)
        assert (run.status, run.hold) == (Status.QUEUED, Hold.OPERATOR)
    run = await become(world.s, run_id, runs.resume, 0)
    assert (run.status, run.hold) == (Status.QUEUED, None)
    for _ in range(2):
        assert (await become(world.s, run_id, runs.stop, 0)).status is Status.STOPPED


async def test_pause_resume_and_stop_come_true(world: World) -> None:
    """Each is answered with the run as the journal's fact left it, the repeat at once."""
    hold = await started(world)
    run_id = hold.given.run_id
    pausing = await wish_that_waits(world, run_id, runs.pause, Desired.PAUSE)
    await hold.fact("run.paused", revision=1)
    assert (await answer(pausing)).status is Status.PAUSED
    assert (await become(world.s, run_id, runs.pause, 0)).status is Status.PAUSED
    resuming = await wish_that_waits(world, run_id, runs.resume, Desired.RUN)
    await hold.fact("run.resumed", revision=2)
    assert (await answer(resuming)).status is Status.RUNNING
    assert (await become(world.s, run_id, runs.resume, 0)).status is Status.RUNNING
    stopping = await wish_that_waits(world, run_id, runs.stop, Desired.STOP)
    await hold.end(Status.STOPPED, Reason.STOPPED_BY_USER)
    assert (await answer(stopping)).status is Status.STOPPED


async def test_callers_with_the_same_wish_share_its_fact(world: World) -> None:
    """One wish, one fact, an answer for each."""
    hold = await started(world)
    waiting = [await wish_that_waits(world, hold.given.run_id, runs.pause, Desired.PAUSE) for _ in range(5)]
    await hold.fact("run.paused", revision=1)
    assert {(await answer(each)).revision for each in waiting} == {1}


async def test_other_news_is_not_the_fact(world: World) -> None:
    """Output wakes the waiting caller, and a fact that answers an earlier wish does not satisfy it."""
    hold = await started(world)
    run_id = hold.given.run_id
    await runs.pause(world.s, run_id)
    await runs.resume(world.s, run_id)
    waiting = await wish_that_waits(world, run_id, runs.pause, Desired.PAUSE)
    for n in range(20):
        await hold.say(f"line {n}")
    await hold.fact("run.paused", revision=1)
    await asyncio.wait([waiting], timeout=SHORT_S)
    assert not waiting.done(), "revision 1 was somebody's earlier pause"
    await hold.fact("run.paused", revision=3)
    run = await answer(waiting)
    assert (run.status, run.answered) == (Status.PAUSED, 3)


@pytest.mark.parametrize(("wish", "desired"), [(runs.pause, Desired.PAUSE), (runs.stop, Desired.STOP)])
async def test_what_takes_too_long_stands_all_the_same(world: World, wish: Wish, desired: Desired) -> None:
    """The caller is told what is and what is pending, and the wish is still there for the worker."""
    hold = await started(world)
    with pytest.raises(Conflict, match="recorded but not fact yet") as caught:
        await become(world.s, hold.given.run_id, wish, SHORT_S)
    assert caught.value.extra == {"current": Status.RUNNING, "pending": desired}
    assert not isinstance(caught.value, InvalidTransition)
    assert (await world.run(hold.given.run_id)).desired is desired


async def test_two_seconds_unless_said(world: World) -> None:
    """As long as a person waits for a button; a clock of the server that stands still prolongs it not."""
    assert facts.WAIT_S == 2.0
    hold = await started(world)
    begun = asyncio.get_running_loop().time()
    with pytest.raises(Conflict):
        await become(world.s, hold.given.run_id, runs.pause, 0.2)
    assert 0.2 <= asyncio.get_running_loop().time() - begun < 2


@pytest.mark.parametrize(
    ("wish", "desired", "verb"), [(runs.pause, Desired.PAUSE, "pause"), (runs.stop, Desired.STOP, "stop")]
)
async def test_a_run_that_ends_first(world: World, wish: Wish, desired: Desired, verb: str) -> None:
    """It cannot be paused any more, and one that completed was not stopped, whatever was wished."""
    hold = await started(world)
    waiting = await wish_that_waits(world, hold.given.run_id, wish, desired)
    await hold.end(Status.COMPLETED)
    with pytest.raises(InvalidTransition, match=f"was COMPLETED before it could {verb}") as caught:
        await answer(waiting)
    assert caught.value.extra == {"current": Status.COMPLETED}


async def test_an_attempt_that_fails_while_a_pause_is_wished(world: World) -> None:
    """The next attempt is held, so the run is paused, as wished."""
    hold = await started(world, retry={"attempts": 2})
    waiting = await wish_that_waits(world, hold.given.run_id, runs.pause, Desired.PAUSE)
    await hold.end(Status.FAILED, Reason.NETWORK)
    run = await answer(waiting)
    assert (run.status, run.hold, run.attempt) == (Status.QUEUED, Hold.OPERATOR, 2)


@pytest.mark.parametrize(
    ("other", "verb", "pending"), [(runs.resume, "go on", Desired.RUN), (runs.stop, "stop", Desired.STOP)]
)
async def test_a_wish_that_somebody_else_replaced(world: World, other: Wish, verb: str, pending: Desired) -> None:
    """The last wish wins; who wished before is told at once, not after two seconds, and not that it came true."""
    hold = await started(world)
    waiting = await wish_that_waits(world, hold.given.run_id, runs.pause, Desired.PAUSE)
    await other(world.s, hold.given.run_id)
    with pytest.raises(Conflict, match=f"somebody has wished it to {verb}") as caught:
        await answer(waiting)
    assert caught.value.extra == {"current": Status.RUNNING, "pending": pending}


async def test_stop_of_what_stopped_without_a_wish(world: World) -> None:
    """It is STOPPED, whoever wanted it: that is the fact that was asked for."""
    hold = await started(world)
    await hold.end(Status.STOPPED, Reason.STOPPED_BY_USER)
    run = await become(world.s, hold.given.run_id, runs.stop, 0)
    assert (run.status, run.desired) == (Status.STOPPED, Desired.RUN)


async def test_what_cannot_be_wished(world: World) -> None:
    """Refused as the wish itself is, without waiting."""
    with pytest.raises(RunNotFound):
        await become(world.s, 4711, runs.pause)
    reported = await world.create(backend="external")
    with pytest.raises(BackendUnsupported):
        await become(world.s, reported.id, runs.stop)
    waiting = await world.create()
    with pytest.raises(InvalidTransition):
        await become(world.s, waiting.id, runs.resume)
