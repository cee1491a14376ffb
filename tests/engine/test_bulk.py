"""Bulk actions: each run gets what its own route would do, and one refusal keeps none of the others."""

from agentrunner.domain.bulk import Action, BulkItem, Result
from agentrunner.domain.query import parse
from agentrunner.domain.state import Desired, Status
from agentrunner.engine import bulk
from engine.world import World


async def act(world: World, action: Action, text: str) -> list[BulkItem]:
    """Find and act."""
    return await bulk.apply(world.s, action, await bulk.find(world.s, parse(text), None, 1000))


async def test_every_result(world: World) -> None:
    """Done for what is queued, pending for what a worker holds, refused for what is only reported."""
    await world.create()
    host = await world.register()
    hold = await host.start()
    await world.create(backend="external")
    await world.create()
    refusal = "Run 2 is only reported here; the program that reports it controls it."
    assert await act(world, Action.STOP, "") == [
        BulkItem(id=3, result=Result.DONE),
        BulkItem(id=2, result=Result.REFUSED, code="backend_unsupported", detail=refusal),
        BulkItem(id=1, result=Result.PENDING),
    ]
    assert [(await world.run(n)).desired for n in (1, 2, 3)] == [Desired.STOP, Desired.RUN, Desired.STOP]
    await hold.end(Status.STOPPED)
    assert [item.result for item in await act(world, Action.STOP, "id:1,3")] == [Result.DONE] * 2


async def test_a_retry_answers_the_new_run(world: World) -> None:
    """One new run for each finished one."""
    await world.many([{}, {}, {}])
    await act(world, Action.STOP, "id:1,2")
    made = await act(world, Action.RETRY, "status:stopped")
    assert sorted(item.id for item in made) == [1, 2]
    assert {(await world.run(item.new_id or 0)).retry_of for item in made} == {1, 2}
    [refused] = await act(world, Action.RETRY, "id:3")
    assert (refused.result, refused.code, refused.new_id) == (Result.REFUSED, "invalid_transition", None)


async def test_pause_and_resume_a_queue(world: World) -> None:
    """More runs than are acted on at once, each exactly once."""
    await world.many([{"labels": {"n": str(n % 2)}} for n in range(240)])
    paused = await act(world, Action.PAUSE, "label:n=1")
    assert [item.id for item in paused] == list(range(240, 0, -2))
    assert {item.result for item in paused} == {Result.DONE}
    assert len(await bulk.find(world.s, parse("is:held"), None, 1000)) == 120
    assert await world.types(240) == ["run.created"]
    assert {item.result for item in await act(world, Action.RESUME, "is:held")} == {Result.DONE}
    assert await bulk.find(world.s, parse("is:held"), None, 1000) == []


async def test_pages_of_what_is_found(world: World) -> None:
    """The newest below an id, so that a caller goes through all once, also while runs are added."""
    await world.many([{}] * 5)
    assert await bulk.find(world.s, parse("status:queued"), None, 3) == [5, 4, 3]
    await world.create()
    assert await bulk.find(world.s, parse("status:queued"), 3, 3) == [2, 1]
