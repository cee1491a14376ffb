"""Use cases of roll-ups: they grow in the transaction that ends a run, and can be rebuilt from the runs."""

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from agentrunner.domain.instant import MAX_INSTANT, rfc3339
from agentrunner.domain.rollup import LENGTH_MS, Grain, Tally, start_of, tally
from agentrunner.domain.run import Run
from agentrunner.engine.services import Services
from agentrunner.store import agents, rollups, runs
from agentrunner.store.base import Tx
from agentrunner.store.rollups import Kept, Key

Tallies = dict[Key, Tally]

_PAGE = 500
_HOURS = 1000


async def grow(tx: Tx, ended: Sequence[Run]) -> None:
    """Add runs that have just ended; part of the transaction that ends them."""
    changes: Tallies = {}
    await _gather(tx, changes, ended, list(Grain))
    await rollups.add(tx, changes.items())


async def _gather(tx: Tx, into: Tallies, ended: Sequence[Run], grains: Sequence[Grain]) -> None:
    for run in ended:
        assert run.ended_at is not None
        version_id = await agents.version_id(tx, run.agent, run.agent_version)
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
    counted once: it adds itself after the transaction that looked before it ended. Hours of which no run is kept any
    more stay as they are.
    """
    after, counted, days = 0, 0, set[int]()
    while hours := await s.db.read(rollups.hours, after, _HOURS):
        for hour in hours:
            counted += await s.db.write(_rebuild_hour, hour)
            days.add(start_of(Grain.DAY, hour))
            yield Rebuilt(rfc3339(hour), counted)
        after = hours[-1] + LENGTH_MS[Grain.HOUR]
    for day in sorted(days):
        await s.db.write(_rebuild_day, day)
    for version_id in await s.db.read(rollups.versions):
        await s.db.write(_rebuild_ever, version_id)
    yield Rebuilt("totals", counted)


async def _rebuild_hour(tx: Tx, hour: int) -> int:
    await rollups.lock(tx)
    minutes: Tallies = {}
    counted, last = 0, (hour, 0)
    while page := await runs.ended_page(tx, last, hour + LENGTH_MS[Grain.HOUR], _PAGE):
        await _gather(tx, minutes, page, [Grain.MINUTE])
        counted += len(page)
        last = (page[-1].ended_at or hour, page[-1].id)
    for grain in (Grain.MINUTE, Grain.HOUR):
        await _replace(tx, Window(grain, hour, hour + LENGTH_MS[Grain.HOUR]), _coarser(minutes, grain))
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
