"""Repeats by Idempotency-Key. (Those of creates are in `test_runs`.)"""

import pytest

from agentrunner.domain.decision import NewInput
from agentrunner.domain.errors import IdempotencyMismatch
from agentrunner.domain.run import NewRun
from agentrunner.engine import inputs, runs
from engine.world import World

TEXT = NewInput(text="go left")


async def test_a_retry_with_a_key_is_one_run(world: World) -> None:
    """Repeated it answers the same new run; the key of anything else is refused."""
    run, other = await world.create(), await world.create()
    await runs.stop(world.s, run.id)
    await runs.stop(world.s, other.id)
    new = await runs.retry(world.s, run.id, "k")
    again = await runs.retry(world.s, run.id, "k")
    assert (again.id, again.retry_of) == (new.id, run.id)
    assert (await runs.retry(world.s, run.id)).id != new.id
    with pytest.raises(IdempotencyMismatch):
        await runs.retry(world.s, other.id, "k")
    with pytest.raises(IdempotencyMismatch):
        await runs.create(world.s, [NewRun(backend="command")], "k")


async def test_an_input_with_a_key_is_stored_once(world: World) -> None:
    """Repeated it is the same input, even once the run takes none any more; with another text it is refused."""
    run = await world.create(options={"stdin": "pipe"})
    item = await inputs.send(world.s, run.id, TEXT, "k")
    await runs.stop(world.s, run.id)
    assert await inputs.send(world.s, run.id, TEXT, "k") == item
    with pytest.raises(IdempotencyMismatch):
        await inputs.send(world.s, run.id, NewInput(text="go right"), "k")
    assert len(await world.rows("SELECT id FROM inputs")) == 1
    assert (await world.types(run.id)).count("input.received") == 1
