"""Spans: derived with the events that tell of them, closed with their run."""

from typing import Any

from agentrunner.domain.event import NewEvent, new_event
from agentrunner.domain.run import NewRun
from agentrunner.domain.span import MAX_SPANS
from agentrunner.domain.state import Status
from agentrunner.engine import events, runs
from agentrunner.store import spans
from agentrunner.store.base import Tx
from engine.world import START, World


async def _external(world: World, *told: NewEvent) -> int:
    (run,) = await runs.create(world.s, [NewRun(backend="external")])
    await events.ingest(world.s, run.id, told)
    return run.id


async def _read(world: World, run_id: int) -> dict[str, tuple[Any, ...]]:
    found = await world.s.db.read(spans.page, run_id, 0, 100)
    return {
        each.span_id: (each.parent_id, each.name, each.kind, each.started_at, each.ended_at, each.status)
        for each in found
    }


def _at(ts: int, type: str, **payload: Any) -> NewEvent:
    return new_event(type, payload, ts=START + ts)


async def test_nested(world: World) -> None:
    """What begins within a span belongs to it, unless it says otherwise."""
    run_id = await _external(
        world,
        _at(0, "span.start", spanId="s", name="plan"),
        _at(10, "tool.called", toolCallId="t", toolName="Read"),
        _at(20, "tool.result", toolCallId="t", isError=True),
        _at(30, "span.end", spanId="s"),
    )
    assert await _read(world, run_id) == {
        "s": (None, "plan", "span", START, START + 30, "ok"),
        "t": ("s", "Read", "tool", START + 10, START + 20, "error"),
    }


async def test_calls_without_ids(world: World) -> None:
    """Calls of one tool without ids are paired in order."""
    run_id = await _external(
        world,
        _at(0, "tool.called", tool="Read"),
        _at(5, "tool.called", tool="Write"),
        _at(10, "tool.called", tool="Read"),
        _at(20, "tool.result", tool="Read"),
        _at(30, "tool.result", tool="Read"),
    )
    assert [found[3:] for found in (await _read(world, run_id)).values()] == [
        (START, START + 20, "ok"),
        (START + 5, None, None),
        (START + 10, START + 30, "ok"),
    ]
    await events.ingest(world.s, run_id, [new_event("run.failed")])
    assert [found[5] for found in (await _read(world, run_id)).values()] == ["ok", "error", "ok"]


async def test_out_of_order_and_twice(world: World) -> None:
    """An end that comes before its beginning, and one that comes again, change nothing that was true."""
    run_id = await _external(
        world,
        _at(20, "tool.result", toolCallId="t"),
        _at(5, "tool.called", toolCallId="t", toolName="Read"),
        _at(50, "tool.result", toolCallId="t", isError=True),
        _at(60, "tool.called", toolCallId="t", toolName="Read"),
    )
    assert await _read(world, run_id) == {"t": (None, "Read", "tool", START + 5, START + 20, "ok")}


async def test_of_our_own_runs(world: World) -> None:
    """What an agent that we run does becomes spans too."""
    (run,) = await world.many([{}])
    host = await world.register()
    (held,) = await host.claim()
    await held.record(held.part("out", new_event("tool.called", {"call_id": "c", "name": "Bash"})))
    await held.end(Status.COMPLETED)
    assert (await _read(world, run.id))["c"][1:3] == ("Bash", "tool")


async def test_bounded(world: World) -> None:
    """A run that begins spans without end keeps its events and no more spans than it may have."""
    run_id = await _external(world)
    for begin in range(0, MAX_SPANS + 500, 500):
        told = [new_event("tool.called", {"id": str(n), "name": "x"}) for n in range(begin, begin + 500)]
        await events.ingest(world.s, run_id, told)

    async def count(tx: Tx) -> int:
        return await spans.count(tx, run_id)

    assert await world.s.db.read(count) == MAX_SPANS
