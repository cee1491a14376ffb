"""Spans, usage and summary of a run, read together."""

import pytest

from agentrunner.domain.errors import RunNotFound
from agentrunner.domain.event import NewEvent, new_event
from agentrunner.domain.run import NewRun, Usage
from agentrunner.engine import events, runs, traces
from engine.world import START, World


def _at(ts: int, type: str, **payload: object) -> NewEvent:
    return new_event(type, payload, ts=START + ts)


async def test_summary(world: World) -> None:
    """Times and usage by kind; what still lasts has no time yet."""
    (run,) = await runs.create(world.s, [NewRun(backend="external")])
    told = [_at(0, "span.start", spanId="s", kind="agent"), _at(10, "tool.called", id="t", name="Read")]
    await events.ingest(world.s, run.id, [*told, _at(40, "tool.result", id="t", success=False)])
    found = await traces.summary(world.s, run.id)
    assert (found.total_ms, found.critical_ms) == (40, 30)
    assert [(each.span_id, each.duration_ms) for each in found.errors] == [("t", 30)]
    assert [span.span_id for span in await traces.page(world.s, run.id, START + 5, 10)] == ["t"]


async def test_what_our_own_runs_used(world: World) -> None:
    """Without reports the figures that were counted, cached input being input."""
    run = await world.create()
    payload = {"input_tokens": 1, "cache_read_tokens": 20, "cache_write_tokens": 300, "output_tokens": 4000}
    await events.ingest(world.s, run.id, [new_event("usage", payload), new_event("cost", {"usd": 0.5})])
    assert (await world.run(run.id)).usage == Usage(**payload)
    totals = (await traces.used(world.s, run.id)).totals
    assert (totals.input_tokens, totals.output_tokens, totals.total_tokens, totals.cost_usd) == (321, 4000, 4321, 0.5)


async def test_unknown_runs(world: World) -> None:
    """No run, no trace; a page of spans is empty."""
    for ask in (traces.used, traces.summary):
        with pytest.raises(RunNotFound):
            await ask(world.s, 99)
    assert await traces.page(world.s, 99, 0, 10) == []
