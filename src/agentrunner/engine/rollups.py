"""Use cases of roll-ups: they grow in the transaction that ends a run, and can be rebuilt from the runs."""

import time
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from agentrunner.domain.instant import MAX_INSTANT, rfc3339
from agentrunner.domain.rollup import LENGTH_MS, Grain, Tally, start_of, tally
from agentrunner.domain.run import Run
from agentrunner.domain.stats import MINUTES_KEPT_MS, RebuildAnswer, RebuildStep
from agentrunner.engine.services import Services
from agentrunner.store import agents, retention, rollups, runs
from agentrunner.store.base import Tx
from agentrunner.store.rollups import Kept, Key

Tallies = dict[Key, Tally]

_PAGE = 500
_VERSIONS = 100
"""How many versions' totals one step of a rebuild makes."""


async def grow(tx: Tx, ended: Sequence[Run]) -> None:
    """Add runs that have just ended; part of the transaction that ends them."""
    minutes: Tallies = {}
    await _gather(tx, minutes, ended, [Grain.MINUTE])
    await rollups.add(tx, [change for grain in Grain for change in _coarser(minutes, grain).items()])


async def _gather(tx: Tx, into: Tallies, ended: Sequence[Run], grains: Sequence[Grain]) -> None:
    versions: dict[tuple[str | None, str | None], int] = {}
    for run in ended:
        assert run.ended_at is not None
        name = (run.agent, run.agent_version)
        if (version_id := versions.get(name)) is None:
            version_id = versions[name] = await agents.version_id(tx, *name)
        for grain in grains:
            key = Key(grain, start_of(grain, run.ended_at), version_id, run.project_id)
            into[key] = into.get(key, Tally()).plus(tally(run))


class Window(NamedTuple):
    """Which stretches: the grain, and from when to when (ms; the end is not part of it)."""

    grain: Grain
    start: int
    end: int


async def read(
    s: Services, window: Window, versions: Sequence[int] | None = None, project_id: int | None = None
) -> list[Kept]:
    """The roll-ups of a window, oldest first, of some versions or of one project if said."""
    return await s.db.read(rollups.read, *window, versions, project_id)


class Rebuilt(NamedTuple):
    """How far a rebuild has come: what it is at, and the runs counted so far."""

    at: str
    runs: int


async def rebuild(s: Services) -> AsyncIterator[Rebuilt]:
    """Count every finished run anew, in small transactions, while runs go on ending.

    First the hours with their minutes from the runs, then days and totals from the hours. A run that ends meanwhile is
    counted once: it adds itself after the transaction that looked before it ended. Hours of which retention may have
    deleted runs, or of which no run is kept any more, stay as they are.
    """
    step: RebuildStep | None = RebuildStep()
    while step is not None:
        answer = await rebuild_step(s, step)
        yield Rebuilt(answer.at, answer.runs)
        step = answer.next


async def rebuild_within(s: Services, step: RebuildStep, within_s: float) -> RebuildAnswer:
    """Go on with a rebuild for so long; whoever wants it whole asks until there is no next step."""
    until = time.monotonic() + within_s
    answer = await rebuild_step(s, step)
    while answer.next is not None and time.monotonic() < until:
        answer = await rebuild_step(s, answer.next)
    return answer


async def rebuild_step(s: Services, step: RebuildStep) -> RebuildAnswer:
    """Rebuild an hour (and with its last one the day), or the totals of one version."""
    if step.version_id is not None:
        return await _rebuild_totals(s, step)
    begun = max(step.hour, _whole_hour(await s.db.read(retention.deleted_before)))
    hours = await s.db.read(rollups.hours, begun, 2)
    if not hours:
        return RebuildAnswer(at="totals", runs=step.runs, next=RebuildStep(version_id=0, runs=step.runs))
    counted = step.runs + await s.db.write(_rebuild_hour, hours[0], s.clock() - MINUTES_KEPT_MS)
    day = start_of(Grain.DAY, hours[0])
    if len(hours) == 1 or start_of(Grain.DAY, hours[1]) != day:
        await s.db.write(_rebuild_day, day)
    following = RebuildStep(hour=hours[0] + LENGTH_MS[Grain.HOUR], runs=counted)
    return RebuildAnswer(at=rfc3339(hours[0]), runs=counted, next=following)


async def _rebuild_totals(s: Services, step: RebuildStep) -> RebuildAnswer:
    assert step.version_id is not None
    ids = await s.db.read(rollups.versions, step.version_id, _VERSIONS + 1)
    for version_id in ids[:_VERSIONS]:
        await s.db.write(_rebuild_ever, version_id)
    following = RebuildStep(version_id=ids[_VERSIONS], runs=step.runs) if len(ids) > _VERSIONS else None
    return RebuildAnswer(at="totals", runs=step.runs, next=following)


def _whole_hour(at: int) -> int:
    """The first hour that begins at an instant or behind it."""
    return start_of(Grain.HOUR, at + LENGTH_MS[Grain.HOUR] - 1)


async def _rebuild_hour(tx: Tx, hour: int, minutes_from: int) -> int:
    await rollups.lock(tx)
    minutes: Tallies = {}
    counted, last = 0, (hour, 0)
    while page := await runs.ended_page(tx, last, hour + LENGTH_MS[Grain.HOUR], _PAGE):
        await _gather(tx, minutes, page, [Grain.MINUTE])
        counted += len(page)
        last = (page[-1].ended_at or hour, page[-1].id)
    # Asked behind the counting: retention notes first and deletes then, so what it took meanwhile is noticed here.
    if hour < await retention.deleted_before(tx):
        return 0
    for grain in (Grain.MINUTE, Grain.HOUR):
        found = _coarser(minutes, grain)
        if grain is Grain.MINUTE:
            found = {key: each for key, each in found.items() if key.start >= minutes_from}
        await _replace(tx, Window(grain, hour, hour + LENGTH_MS[Grain.HOUR]), found)
    return counted


async def _rebuild_day(tx: Tx, day: int) -> None:
    await rollups.lock(tx)
    window = Window(Grain.DAY, day, day + LENGTH_MS[Grain.DAY])
    hours = await rollups.read(tx, Grain.HOUR, window.start, window.end)
    await _replace(tx, window, _coarser(dict(hours), Grain.DAY))


async def _rebuild_ever(tx: Tx, version_id: int) -> None:
    await rollups.lock(tx)
    days = await rollups.read(tx, Grain.DAY, 0, MAX_INSTANT, [version_id])
    for key, found in _coarser(dict(days), Grain.EVER).items():
        await rollups.put(tx, key, found)


def _coarser(found: Tallies, grain: Grain) -> Tallies:
    """Roll-ups of longer stretches, from those of shorter ones."""
    sums: Tallies = {}
    for key, each in found.items():
        longer = Key(grain, start_of(grain, key.start), key.version_id, key.project_id)
        sums[longer] = sums.get(longer, Tally()).plus(each)
    return sums


async def _replace(tx: Tx, window: Window, found: Tallies) -> None:
    await rollups.drop(tx, *window)
    for key, each in found.items():
        await rollups.put(tx, key, each)
