"""Which recorded attempt a replay means, who gets it, and what cannot be replayed."""

from dataclasses import replace
from typing import Any

import pytest

from agentrunner.app.backends import backends
from agentrunner.domain.errors import BadOptions
from agentrunner.domain.run import Run
from agentrunner.domain.state import Reason, Status
from engine.world import World

BOTH = ["command", "other", "replay"]


@pytest.fixture
def known(world: World) -> World:
    """A world with the real backends."""
    return World(replace(world.s, backends=backends()), world.clock)


async def recorded(world: World, status: Status = Status.COMPLETED, reason: Reason | None = None) -> tuple[Run, Any]:
    """A run that was executed by worker w1, and that worker."""
    host = await world.register(backends=BOTH)
    run = await world.create(options={"argv": ["true"]}, title="make tea")
    hold = await host.start()
    await hold.end(status, reason)
    return run, host


async def replay(world: World, run_id: int, **fields: Any) -> Run:
    """A replay of it."""
    return await world.create(backend="replay", options={"run": run_id, **fields.pop("options", {})}, **fields)


async def test_a_replay_names_what_it_replays(known: World) -> None:
    """Whatever was sent as `recorded`; with a title, unless there is one."""
    run, _ = await recorded(known)
    made = await replay(known, run.id, options={"speed": 4, "recorded": {"uid": "../../etc"}})
    what = {"attempt": 1, "uid": "uid1", "backend": "command", "worker": "w1"}
    assert made.options == {"run": run.id, "speed": 4, "recorded": what}
    assert (made.title, made.worker_id) == (f"Replay of run {run.id}: make tea", "w1")
    assert (await replay(known, run.id, title="mine")).title == "mine"


async def test_only_the_worker_that_has_it_gets_it(known: World) -> None:
    """Others get what is behind it in the queue."""
    run, host = await recorded(known)
    made = await replay(known, run.id, priority=9)
    behind = await known.create(options={"argv": ["true"]})
    other = await known.register("w2", backends=BOTH)
    assert [hold.given.run_id for hold in await other.claim(slots=5)] == [behind.id]
    [hold] = await host.claim(slots=5)
    assert hold.given.run_id == made.id
    assert hold.given.options["recorded"]["uid"] == "uid1"


async def test_the_next_attempt_needs_the_same_worker(known: World) -> None:
    """Also where the first one failed."""
    run, host = await recorded(known)
    made = await replay(known, run.id, retry={"attempts": 2, "backoff_s": 0})
    hold = await host.start()
    await hold.end(Status.FAILED, Reason.SIGNAL)
    assert (await known.run(made.id)).worker_id == "w1"
    known.clock.advance(60)
    other = await known.register("w2", backends=BOTH)
    assert await other.claim(slots=5) == []
    await host.heartbeat()
    [hold] = await host.claim(slots=5)
    assert (hold.given.run_id, hold.given.attempt) == (made.id, 2)
    await hold.end(Status.COMPLETED)


async def test_a_replay_of_a_replay_needs_the_first_ones_parser(known: World) -> None:
    """Its output is the same."""
    run, host = await recorded(known)
    first = await replay(known, run.id)
    hold = await host.start()
    await hold.end(Status.COMPLETED)
    assert (await replay(known, first.id)).options["recorded"]["backend"] == "command"


async def test_what_cannot_be_replayed(known: World) -> None:
    """Each with its reason."""
    run, host = await recorded(known)
    external = await known.create(backend="external")
    queued = await known.create(options={"argv": ["true"]})
    for run_id, options, says in (
        (99, {}, "there is no run 99"),
        (external.id, {}, "only reported here"),
        (queued.id, {}, "was not executed"),
        (run.id, {"attempt": 7}, "was not executed in attempt 7"),
    ):
        with pytest.raises(BadOptions, match=says):
            await replay(known, run_id, options=options)
    hold = await host.start()
    with pytest.raises(BadOptions, match="is RUNNING; replay it once it has ended"):
        await replay(known, queued.id)
    await hold.end(Status.COMPLETED)
    known.clock.advance(known.s.settings.lease_s + 1)
    with pytest.raises(BadOptions, match="with worker w1 on host host-of-w1, which is not heard of"):
        await replay(known, run.id)
