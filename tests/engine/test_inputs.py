"""Inputs: text on its way to an agent, once."""

import pytest

from agentrunner.domain.decision import NewInput
from agentrunner.domain.errors import (
    BackendUnsupported,
    InvalidField,
    InvalidTransition,
    RunNotFound,
    TooManyRequests,
)
from agentrunner.domain.state import Status
from agentrunner.engine import inputs, runs
from engine.world import START, World

PIPE = {"stdin": "pipe"}
TEXT = NewInput(text="go left")


async def test_an_input_is_stored_with_its_event(world: World) -> None:
    """Queued, running or paused."""
    run = await world.create(options=PIPE)
    item = await inputs.send(world.s, run.id, TEXT)
    assert (item.run_id, item.text, item.created_at, item.delivered_at) == (run.id, "go left", START, None)
    assert await world.last(run.id) == ("input.received", {"id": item.id, "text": "go left"})
    hold = await (await world.register()).start()
    await inputs.send(world.s, run.id, TEXT)
    await runs.pause(world.s, run.id)
    await hold.fact("run.paused", revision=1)
    await inputs.send(world.s, run.id, TEXT)
    assert len(await world.rows("SELECT id FROM inputs")) == 3


async def test_delivery_is_a_fact_of_the_journal(world: World) -> None:
    """The time of the first such fact stays."""
    run = await world.create(options=PIPE)
    item = await inputs.send(world.s, run.id, TEXT)
    hold = await (await world.register()).start()
    world.clock.advance(2)
    await hold.fact("input.delivered", id=item.id)
    world.clock.advance(2)
    await hold.fact("input.delivered", id=item.id)
    assert [row[0] for row in await world.rows("SELECT delivered_at FROM inputs")] == [START + 2000]
    assert (await world.types(run.id)).count("input.delivered") == 2


async def test_runs_that_take_no_input(world: World) -> None:
    """Unknown, without a pipe, reported by others, being stopped, ended."""
    with pytest.raises(RunNotFound):
        await inputs.send(world.s, 4711, TEXT)
    for fields in ({}, {"options": {"stdin": "null"}}, {"backend": "external", "options": PIPE}):
        run = await world.create(**fields)
        with pytest.raises(BackendUnsupported):
            await inputs.send(world.s, run.id, TEXT)
        if run.status is Status.QUEUED:
            await runs.stop(world.s, run.id)
    run = await world.create(options=PIPE)
    hold = await (await world.register()).start()
    await runs.stop(world.s, run.id)
    with pytest.raises(InvalidTransition):
        await inputs.send(world.s, run.id, TEXT)
    await hold.end(Status.STOPPED)
    with pytest.raises(InvalidTransition) as caught:
        await inputs.send(world.s, run.id, TEXT)
    assert caught.value.extra == {"current": Status.STOPPED}


async def test_nul_is_refused(world: World) -> None:
    """Before the database sees it."""
    run = await world.create(options=PIPE)
    with pytest.raises(InvalidField):
        await inputs.send(world.s, run.id, NewInput(text="a\x00b"))


async def test_what_waits_is_bounded(world: World) -> None:
    """A hundred undelivered inputs; a delivered one makes room."""
    run = await world.create(options=PIPE)
    items = [await inputs.send(world.s, run.id, TEXT) for _ in range(inputs.MAX_WAITING)]
    with pytest.raises(TooManyRequests):
        await inputs.send(world.s, run.id, TEXT)
    hold = await (await world.register()).start()
    await hold.fact("input.delivered", id=items[0].id)
    await inputs.send(world.s, run.id, TEXT)
