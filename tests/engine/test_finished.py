"""Runs that come in when they are over: all or none, with their timelines, counters and roll-ups in one transaction."""

import asyncio
from typing import Any

import msgspec
import pytest

from agentrunner.domain.agent import Agent, NewVersion
from agentrunner.domain.errors import AgentNotFound, IdempotencyMismatch, InvalidCursor, VersionNotFound
from agentrunner.domain.event import new_event
from agentrunner.domain.finished import AHEAD_MS, Finished
from agentrunner.domain.project import NewProject
from agentrunner.domain.state import Reason, Status
from agentrunner.engine import agents, events, finished, overview, projects, rollups
from agentrunner.engine.finished import Target
from engine.noting import noting
from engine.world import START, World, rows

MANY = 541


async def version_of(world: World, name: str = "a", version: str = "1", project: str = "") -> tuple[Agent, Target]:
    """A registered agent, and one version of it."""
    agent = await agents.register(world.s, name, project)
    await agents.add_version(world.s, agent, NewVersion(version=version))
    return agent, Target(agent.id, version)


def one(status: str = "completed", **fields: Any) -> Finished:
    """A run that began an hour before the test and took a second."""
    return Finished(status=status, **{"created": START - 3_600_000, "taken_ms": 1000, **fields})


async def test_runs_are_over_as_they_were_reported(world: World) -> None:
    """Status, reason, times and cost are what was said; the timeline has the beginning and the end."""
    _, target = await version_of(world)
    words = ("completed", "failed", "error", "timeout", "cancelled")
    told = await finished.add(world.s, target, [one(word, cost_usd=0.5) for word in words])
    found = [(each.run.status, each.run.reason) for each in told]
    assert found == [
        (Status.COMPLETED, None),
        (Status.FAILED, Reason.EXIT_NONZERO),
        (Status.FAILED, Reason.EXIT_NONZERO),
        (Status.FAILED, Reason.WALL_TIMEOUT),
        (Status.STOPPED, Reason.STOPPED_BY_USER),
    ]
    run = told[0].run
    assert (run.created_at, run.started_at, run.ended_at) == (START - 3_600_000, START - 3_600_000, START - 3_599_000)
    timeline = await events.page(world.s, told[1].run.id, 0, 10)
    assert [(each.seq, each.type, each.ts) for each in timeline] == [
        (1, "run.created", START - 3_600_000),
        (2, "run.failed", START - 3_599_000),
    ]
    assert msgspec.json.decode(timeline[1].payload)["reported"] == "failed"


async def test_the_totals_follow_in_the_same_transaction(world: World) -> None:
    """`failed`, `error` and `timeout` are failures; a run that somebody stopped is neither."""
    _, target = await version_of(world)
    words = ("completed", "failed", "error", "timeout", "cancelled")
    await finished.add(world.s, target, [one(word, cost_usd=0.5) for word in words])
    (total,) = await overview.totals(world.s)
    assert (total.sums.runs, total.sums.completed, total.sums.failed) == (5, 1, 3)
    assert (total.sums.duration_ms, total.sums.cost_micro) == (5000, 2_500_000)
    assert total.is_active


async def test_an_unknown_status_is_kept_and_the_run_goes_on(world: World) -> None:
    """Never lost and never taken for an end; its program may still end it."""
    agent, target = await version_of(world)
    (told,) = await finished.add(world.s, target, [one("Blocked on review")])
    assert (told.run.status, told.run.ended_at) == (Status.RUNNING, None)
    assert told.reported is not None
    assert told.reported.status == "Blocked on review"
    await events.ingest(world.s, told.run.id, [new_event("run.completed")])
    (again,) = await finished.page(world.s, agent, None, None, 10)
    assert (again.run.status, again.reported and again.reported.status) == (Status.COMPLETED, "Blocked on review")


async def test_what_was_not_said(world: World) -> None:
    """Without `created` a run began now; without a time that it took it has none, which is not nought."""
    _, target = await version_of(world)
    (told,) = await finished.add(world.s, target, [Finished(status="completed")])
    assert (told.run.created_at, told.run.started_at, told.run.ended_at) == (START, None, START)
    (total,) = await overview.totals(world.s)
    assert (total.sums.runs, total.sums.timed) == (1, 0)


async def test_a_clock_that_is_ahead(world: World) -> None:
    """A run of next year counts from now; else its version would be active until then."""
    _, target = await version_of(world)
    late, near = await finished.add(world.s, target, [one(created=START + AHEAD_MS + 1), one(created=START + AHEAD_MS)])
    assert (late.run.created_at, near.run.created_at) == (START, START + AHEAD_MS)


async def test_no_run_ends_in_the_future(world: World) -> None:
    """What is over ended by now: else the last hour would lack it, and its version be active until then."""
    _, target = await version_of(world)
    new = [Finished(status="completed", taken_ms=330_000), one(created=START - 1000, taken_ms=100 * 365 * 86_400_000)]
    told = await finished.add(world.s, target, new)
    assert [each.run.ended_at for each in told] == [START, START]
    assert (told[0].run.created_at, told[0].run.started_at, told[1].run.started_at) == (START, START - 330_000, 0)
    hours = (await overview.read(world.s)).hours
    assert hours.now.runs == 2
    (total,) = await overview.totals(world.s)
    assert total.heard_at == START


async def test_the_project_of_the_agent(world: World) -> None:
    """Runs belong to the project that the agent was registered for, where there is one, else to the default."""
    await projects.create(world.s, NewProject(name="web"))
    _, known = await version_of(world, "a", project="web")
    _, unknown = await version_of(world, "b", project="somewhere")
    told = [*await finished.add(world.s, known, [one()]), *await finished.add(world.s, unknown, [one()])]
    assert [each.run.project for each in told] == ["web", "default"]


async def test_all_or_none(world: World) -> None:
    """A batch for a version that is not there leaves nothing behind."""
    agent, _ = await version_of(world)
    with pytest.raises(VersionNotFound):
        await finished.add(world.s, Target(agent.id, "2"), [one()])
    with pytest.raises(AgentNotFound):
        await finished.add(world.s, Target(agent.id + 1, "1"), [one()])
    with pytest.raises(Exception, match=r"(?i)range|too large|int"):
        await finished.add(world.s, Target(agent.id, "1"), [one(), one(created=-(2**70))])
    assert await rows(world.s.db, "SELECT id FROM runs") == []
    assert await rows(world.s.db, "SELECT run_id FROM reported") == []
    assert await finished.add(world.s, Target(agent.id, "1"), []) == []


async def test_many_at_once(world: World) -> None:
    """More than one statement takes: ids in the order of the batch, each run with what was said of it."""
    agent, target = await version_of(world)
    new = [one(created=START - n * 1000, said={"id": n}) for n in range(MANY)]
    told = await finished.add(world.s, target, new)
    assert [each.reported and each.reported.extra["id"] for each in told] == list(range(MANY))
    assert [each.run.id for each in told] == sorted({each.run.id for each in told})
    (total,) = await overview.totals(world.s)
    assert total.sums.runs == MANY
    page = await finished.page(world.s, agent, "1", None, 3)
    assert [each.run for each in page] == [each.run for each in told[:3]]
    assert (await finished.page(world.s, agent, "1", told[2].run.id, 1))[0].run == told[3].run


async def test_a_batch_costs_few_statements(world: World) -> None:
    """The version is looked up as often for a hundred runs as for one; the original does it for each."""
    _, target = await version_of(world)
    counts = []
    for size in (1, 100):
        said = await noting(world.s, finished._add, target, [one()] * size, None, START)
        counts.append(sum("agent_versions" in sql for sql in said))
        assert len(said) < 60
    assert counts[0] == counts[1]


async def test_the_same_key_is_the_same_runs(world: World) -> None:
    """A client that repeats its request after a lost answer reports nothing twice."""
    _, target = await version_of(world)
    first = await finished.add(world.s, target, [one(), one("failed")], "key")
    assert await finished.add(world.s, target, [one(), one("failed")], "key") == first
    with pytest.raises(IdempotencyMismatch):
        await finished.add(world.s, target, [one()], "key")
    assert len(await rows(world.s.db, "SELECT id FROM runs")) == 2


async def test_pages_go_over_all_versions(world: World) -> None:
    """By creation, whatever version and whoever executes: runs that we started are among them."""
    agent, first = await version_of(world)
    await agents.add_version(world.s, agent, NewVersion(version="2"))
    second = Target(agent.id, "2")
    for n, target in enumerate((first, second, first, second)):
        await finished.add(world.s, target, [one(created=START - n)])
    (ours,) = await world.many([{"agent": "a", "agent_version": "1", "options": {"argv": ["x"]}}])
    everything = [each.run.id for each in await finished.page(world.s, agent, None, None, 100)]
    assert everything == [ours.id, 1, 2, 3, 4]
    seen: list[int] = []
    while page := await finished.page(world.s, agent, None, seen[-1] if seen else None, 2):
        seen += [each.run.id for each in page]
    assert seen == everything
    assert [each.run.id for each in await finished.page(world.s, agent, "2", None, 9)] == [2, 4]
    with pytest.raises(InvalidCursor):
        await finished.page(world.s, agent, None, 99, 2)
    with pytest.raises(VersionNotFound):
        await finished.page(world.s, agent, "3", None, 2)


async def test_recent_is_by_beginning(world: World) -> None:
    """A batch of last year's runs does not push today's away."""
    _, target = await version_of(world)
    (ours,) = await world.many([{"options": {"argv": ["x"]}}])
    await finished.add(world.s, target, [one(created=START - 86_400_000 * 365 - n) for n in range(20)])
    lately = await finished.recent(world.s, 2)
    assert [each.run.id for each in lately] == [ours.id, ours.id + 1]


async def test_two_at_once(world: World) -> None:
    """Batches for the same version wait for each other and are both counted."""
    _, target = await version_of(world)
    await asyncio.gather(*(finished.add(world.s, target, [one("failed")] * 30) for _ in range(5)))
    (total,) = await overview.totals(world.s)
    assert (total.sums.runs, total.sums.failed) == (150, 150)


async def test_rebuilt_roll_ups_are_the_same(world: World) -> None:
    """Counted anew from the runs they are what they grew to."""
    _, target = await version_of(world)
    new = [one(word, cost_usd=0.25, taken_ms=n) for n, word in enumerate(("completed", "error", "odd", "timeout"))]
    await finished.add(world.s, target, new)
    before = await overview.totals(world.s)
    async for _ in rollups.rebuild(world.s):
        pass
    assert await overview.totals(world.s) == before
