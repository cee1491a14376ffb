"""Usage that other programs report counts for its run at once, each report once, whatever order they come in."""

import random
from typing import Any

import msgspec
import pytest

from agentrunner.domain.event import NewEvent, SurfaceEvent
from agentrunner.domain.run import Run
from agentrunner.domain.usage import MAX_REPORTS, RunUsage
from agentrunner.engine import events, reports, traces
from engine.world import World


def report(**payload: Any) -> SurfaceEvent:
    """A usage report."""
    return SurfaceEvent(type="usage.report", payload=msgspec.Raw(msgspec.json.encode(payload)))


async def told(world: World, *sent: SurfaceEvent) -> tuple[Run, RunUsage]:
    """The run after some reports, and what it used."""
    for event in sent:
        await reports.tell(world.s, "n", [event])
    found = await reports.get(world.s, "n")
    assert found is not None
    return found.run, await traces.used(world.s, found.run.id)


def counted(run: Run) -> tuple[int, int, float | None]:
    """Input, output, cost."""
    return run.usage.input_tokens, run.usage.output_tokens, run.cost_usd


async def test_the_last_report_of_a_span_wins(world: World) -> None:
    """And the run has the sum over its spans."""
    run, used = await told(
        world,
        report(reportId="1", spanId="a", inputTokens=10, outputTokens=5, costUsd=0.1),
        report(reportId="2", spanId="b", inputTokens=1, outputTokens=1, costUsd=0.2),
        report(reportId="3", spanId="a", inputTokens=20, outputTokens=6, costUsd=0.3),
    )
    assert counted(run) == (21, 7, 0.5)
    assert (used.totals.total_tokens, used.totals.cost_usd) == (28, 0.5)
    assert used.by_span["a"].input_tokens == 20


async def test_a_report_for_the_run_overrides_the_sum(world: World) -> None:
    """Whether it comes before or after those for spans."""
    whole = report(reportId="w", inputTokens=100, outputTokens=50, costUsd=2)
    part = report(reportId="p", spanId="a", inputTokens=10, costUsd=1)
    run, used = await told(world, part, whole, report(reportId="q", spanId="b", inputTokens=7))
    assert counted(run) == (100, 50, 2.0)
    assert (used.totals.input_tokens, used.by_span["b"].input_tokens) == (100, 7)
    run, _ = await told(world, report(reportId="v", inputTokens=90, outputTokens=50, costUsd=1.5))
    assert counted(run) == (90, 50, 1.5)


async def test_a_known_report_counts_once(world: World) -> None:
    """Its event is stored again, its figures are not."""
    sent = report(reportId="1", inputTokens=10)
    run, _ = await told(world, sent, sent, report(reportId="1", inputTokens=99))
    assert (counted(run), run.last_seq) == ((10, 0, None), 4)


async def test_without_an_id_each_counts_for_itself(world: World) -> None:
    """Two reports for the run: the later one."""
    run, _ = await told(world, report(inputTokens=1), report(inputTokens=2))
    assert counted(run)[0] == 2


async def test_what_cannot_be_true_is_unknown(world: World) -> None:
    """Tokens outside 0 to 50 million, cost outside 0 to 10,000, and what is no number."""
    bad = [
        report(spanId=str(n), inputTokens=tokens, outputTokens=tokens, costUsd=cost)
        for n, (tokens, cost) in enumerate([(-1, -0.1), (50_000_001, 10_000.1), ("5", "1"), (True, True), ([], {})])
    ]
    run, used = await told(world, *bad, report(spanId="edge", inputTokens=50_000_000, costUsd=10_000))
    assert counted(run) == (50_000_000, 0, 10_000.0)
    assert used.by_span["1"].cost_usd is None


async def test_another_runs_id_in_the_payload_is_nothing(world: World) -> None:
    """A report counts for the run it is told of."""
    await reports.tell(world.s, "other", [SurfaceEvent(type="note")])
    run, _ = await told(world, report(runId="other", inputTokens=5))
    assert counted(run)[0] == 5
    other = await reports.get(world.s, "other")
    assert other is not None
    assert counted(other.run) == (0, 0, None)


async def test_beside_native_usage(world: World) -> None:
    """Reports are added to what the run was told in other ways, and only their difference when they change."""
    run, _ = await told(world, report(reportId="1", spanId="a", inputTokens=10, costUsd=1))
    native = [NewEvent(type="usage", payload=msgspec.Raw(b'{"input_tokens":5}'))]
    await events.ingest(world.s, run.id, [*native, NewEvent(type="cost", payload=msgspec.Raw(b'{"usd":2}'))])
    run, _ = await told(world, report(reportId="2", spanId="a", totalTokens=40, outputTokens=10, costUsd=3))
    assert counted(run) == (5 + 30, 10, 5.0)


@pytest.mark.parametrize("seed", range(5))
async def test_the_run_always_has_what_all_reports_say(world: World, seed: int) -> None:
    """However reports come, what grew with them is what all of them together say."""
    chance = random.Random(seed)
    for number in range(40):
        span = chance.choice(["a", "b", "c", "d", ""] if number > 20 else ["a", "b", "c"])
        sent = report(
            reportId=str(chance.randrange(35)),
            spanId=span,
            inputTokens=chance.randrange(100),
            outputTokens=chance.randrange(100),
            costUsd=chance.choice([None, 0.1, 0.7, 1e-7]),
        )
        run, used = await told(world, sent)
        whole = used.totals
        assert counted(run)[:2] == (whole.input_tokens, whole.output_tokens)
        assert (run.cost_usd or 0) == pytest.approx(whole.cost_usd or 0, abs=1e-9)


async def test_reports_are_bounded(world: World) -> None:
    """Further ones are only events."""
    run, _ = await told(world, report(reportId="first", spanId="a", inputTokens=10))
    columns = "run_id, report_id, seq, span_id, input_tokens"
    rows = [(run.id, f"r{n}", 1, f"s{n}", 0) for n in range(1, MAX_REPORTS)]
    await world.s.db.write(lambda tx: tx.insert("usage_reports", columns, rows))
    run, used = await told(world, report(reportId="more", spanId="a", inputTokens=20))
    assert counted(run)[0] == used.by_span["a"].input_tokens == 10
    assert run.last_seq == 3
