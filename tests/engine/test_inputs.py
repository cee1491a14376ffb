"""Inputs: text on its way to an agent, once."""

import asyncio

import msgspec
import pytest

from agentrunner.domain.control import DecisionsRequest
from agentrunner.domain.decision import NewInput
from agentrunner.domain.errors import (
    BackendUnsupported,
    InvalidField,
    InvalidTransition,
    RunNotFound,
    TooManyRequests,
)
from agentrunner.domain.state import Status
from agentrunner.engine import inputs, runs, workers
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
    for take in (inputs.send, inputs.direct):
        with pytest.raises(InvalidField):
            await take(world.s, run.id, NewInput(text="a\x00b"))
    assert await world.types(run.id) == ["run.created"]


async def test_what_waits_is_bounded(world: World) -> None:
    """A hundred undelivered inputs; a delivered one makes room."""
    run = await world.create(options=PIPE)
    items = [await inputs.send(world.s, run.id, TEXT) for _ in range(inputs.MAX_WAITING)]
    with pytest.raises(TooManyRequests):
        await inputs.send(world.s, run.id, TEXT)
    hold = await (await world.register()).start()
    await hold.fact("input.delivered", id=items[0].id)
    await inputs.send(world.s, run.id, TEXT)


async def test_a_directive_is_answered_with_its_event(world: World) -> None:
    """The one it wrote, as it is in the timeline; the agent is sent the text like any other input."""
    run = await world.create(options=PIPE)
    event = await inputs.direct(world.s, run.id, TEXT)
    assert event == (await world.events(run.id))[-1]
    assert (event.type, event.seq, event.ts) == ("input.received", 2, START)
    host = await world.register()
    await host.start()
    asked = DecisionsRequest(worker_id=host.id, epoch=host.epoch, wait_s=0)
    [waiting] = (await workers.decisions(world.s, asked)).inputs
    assert (waiting.run_id, waiting.text) == (run.id, "go left")
    assert msgspec.json.decode(event.payload) == {"id": waiting.id, "text": "go left"}


async def test_directives_of_many_at_once(world: World) -> None:
    """Each is answered with its own event, though all are written for the same run at the same time."""
    run = await world.create(options=PIPE)
    texts = [f"directive {n}" for n in range(30)]
    told = await asyncio.gather(*(inputs.direct(world.s, run.id, NewInput(text=text)) for text in texts))
    assert [msgspec.json.decode(event.payload)["text"] for event in told] == texts
    assert sorted(event.seq for event in told) == list(range(2, 32))


async def test_directives_that_nobody_reads(world: World) -> None:
    """Refused like any input, saying what would read them, and nothing is written."""
    run = await world.create()
    with pytest.raises(BackendUnsupported, match="stdin: pipe"):
        await inputs.direct(world.s, run.id, TEXT)
    await runs.stop(world.s, run.id)
    before = await world.types(run.id)
    with pytest.raises(InvalidTransition):
        await inputs.direct(world.s, run.id, TEXT)
    with pytest.raises(RunNotFound):
        await inputs.direct(world.s, 4711, TEXT)
    assert await world.types(run.id) == before
