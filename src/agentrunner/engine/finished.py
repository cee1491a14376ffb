"""Use cases of runs that come in when they are over: taken in many at once, and shown beside the runs we execute.

What a program says of such runs, the runs, their timelines, counters and roll-ups are one transaction.
"""

import heapq
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from agentrunner.domain.agent import Agent
from agentrunner.domain.errors import AgentNotFound, InvalidCursor
from agentrunner.domain.finished import AHEAD_MS, Finished, ending_of
from agentrunner.domain.instant import MAX_INSTANT
from agentrunner.domain.project import DEFAULT_PROJECT, Project
from agentrunner.domain.run import NewRun, Run
from agentrunner.domain.state import Phase, next_status
from agentrunner.engine import repeats, rollups
from agentrunner.engine.agents import LISTED, find_version
from agentrunner.engine.change import counter_changes, ending_event
from agentrunner.engine.projects import find as find_project
from agentrunner.engine.runs import EXTERNAL, created_event, drafted, ended
from agentrunner.engine.services import Services
from agentrunner.engine.wakeups import RUNS_TOPIC
from agentrunner.store import agents, events, projects, reported, runs, stats
from agentrunner.store.base import Tx
from agentrunner.store.reported import Reported

SURFACE = "metrics"
"""How the rows of these runs are marked."""
_NEWEST = (MAX_INSTANT + 1, 0)


class Told(NamedTuple):
    """A run, and what its program said of it; None where it is executed here or came by another way."""

    run: Run
    reported: Reported | None


class Target(NamedTuple):
    """Which version runs are reported for."""

    agent_id: int
    version: str


async def add(s: Services, target: Target, new: Sequence[Finished], key: str | None = None) -> list[Told]:
    """Take in runs of a version, all or none; one with a status of its own goes on, the others are over.

    The same `key` with the same runs answers the same. Raises AgentNotFound, VersionNotFound, IdempotencyMismatch,
    RunNotFound (a repeat of what retention has deleted).
    """
    return await s.db.write(_add, target, new, key, s.clock())


async def _add(tx: Tx, target: Target, new: Sequence[Finished], key: str | None, now: int) -> list[Told]:
    if (before := await repeats.known(tx, key, ("finished", target, new), now)) is not None:
        found = await _by_ids(tx, before)
        repeats.check_kept(found, before)
        return await _told(tx, found)
    agent = await _agent(tx, target.agent_id)
    await find_version(tx, agent, target.version)
    request = NewRun(
        backend=EXTERNAL,
        agent=agent.name,
        agent_version=target.version,
        title=f"{agent.name} {target.version}"[:200],
    )
    template = drafted(request, await _project(tx, agent), now)
    made = [_made(template, each, now) for each in new]
    ids = await runs.insert_all(tx, made)
    found = [msgspec.structs.replace(run, id=run_id) for run, run_id in zip(made, ids, strict=True)]
    rows = [_row(run, each, now) for run, each in zip(found, new, strict=True)]
    await _write(tx, found, rows)
    await repeats.remember(tx, key, ids)
    return [Told(run, row) for run, row in zip(found, rows, strict=True)]


async def _agent(tx: Tx, agent_id: int) -> Agent:
    agent = await agents.get(tx, agent_id)
    if agent is None:
        raise AgentNotFound(f"There is no agent {agent_id}.")
    return agent


async def _project(tx: Tx, agent: Agent) -> Project:
    """The project that the agent was registered for, where there is one of that name."""
    return await projects.by_name(tx, agent.project) or await find_project(tx, DEFAULT_PROJECT)


def _made(template: Run, new: Finished, now: int) -> Run:
    """The run of a report: a new one from `template` with its times, its cost and its end."""
    known = new.created is not None and new.created <= now + AHEAD_MS
    created = new.created if known and new.created is not None else now
    ending = ending_of(new.status)
    shown = {name: new.said[name] for name in ("initiator", "task_id") if new.said.get(name)}
    fields: dict[str, Any] = {"created_at": created, "queued_at": created, "started_at": created}
    fields |= {"phase_since": created, "cost_usd": new.cost_usd, "metadata": shown, "last_seq": 1}
    if ending is None:
        assert template.phase is Phase.WORKING
        return msgspec.structs.replace(template, **fields)
    cause, reason = ending
    # It is over: whatever a clock says, and where none said anything, it did not end in the future.
    over = max(created, min(created + (new.taken_ms or 0), now))
    fields |= {**ended(over, reason), "status": next_status(template.status, cause), "last_seq": 2}
    # Without a time that it took nobody knows when it began to work.
    fields["started_at"] = None if new.taken_ms is None else max(over - new.taken_ms, 0)
    return msgspec.structs.replace(template, **fields)


def _row(run: Run, new: Finished, now: int) -> Reported:
    return Reported(run_id=run.id, surface=SURFACE, status=new.status, extra={**new.said, "recorded_at": now})


async def _write(tx: Tx, made: Sequence[Run], rows: Sequence[Reported]) -> None:
    timeline: list[events.Row] = []
    counters: Counter[str] = Counter()
    for run, row in zip(made, rows, strict=True):
        timeline.append(events.row(created_event(run), (run.id, 1, run.attempt), run.created_at))
        counters.update(counter_changes(None, run))
        if (ending := ending_of(row.status)) is not None and run.ended_at is not None:
            event = ending_event(*ending, reported=row.status)
            timeline.append(events.row(event, (run.id, 2, run.attempt), run.ended_at))
    await events.insert(tx, timeline)
    await reported.insert(tx, rows)
    await stats.add(tx, counters)
    if over := [run for run in made if run.ended_at is not None]:
        await rollups.grow(tx, over)
    if made:
        tx.after_commit(RUNS_TOPIC)


async def page(s: Services, agent: Agent, version: str | None, before: int | None, limit: int) -> list[Told]:
    """The newest runs of an agent, or of one version of it, created before run `before`, whoever executes them.

    Raises VersionNotFound, InvalidCursor, QueryTimeout.
    """
    return await s.db.search(_page, agent, version, before, limit)


async def _page(tx: Tx, agent: Agent, version: str | None, before: int | None, limit: int) -> list[Told]:
    if version is None:
        names = [each.version for each in await agents.versions(tx, agent.id, LISTED)]
    else:
        names = [(await find_version(tx, agent, version)).version]
    last = _NEWEST
    if before is not None:
        if (run := await runs.get(tx, before)) is None:
            raise InvalidCursor
        last = (run.created_at, run.id)
    newest = [await runs.of_version(tx, agent.name, name, last, limit) for name in names]
    ids = [run_id for _, run_id in islice(heapq.merge(*newest, reverse=True), limit)]
    found = {run.id: run for run in await _by_ids(tx, ids)}
    return await _told(tx, [found[run_id] for run_id in ids])


async def recent(s: Services, limit: int) -> list[Told]:
    """The runs that began last, the newest first."""
    return await s.db.read(_recent, limit)


async def _recent(tx: Tx, limit: int) -> list[Told]:
    return await _told(tx, await runs.newest(tx, limit))


async def _by_ids(tx: Tx, ids: Sequence[int]) -> list[Run]:
    found: list[Run] = []
    for start in range(0, len(ids), 1000):
        found += await runs.by_ids(tx, ids[start : start + 1000])
    return found


async def _told(tx: Tx, found: Sequence[Run]) -> list[Told]:
    rows = await reported.by_runs(tx, SURFACE, [run.id for run in found])
    return [Told(run, rows.get(run.id)) for run in found]
