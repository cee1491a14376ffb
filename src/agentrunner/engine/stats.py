"""Use cases of figures: counters of runs by status, and what roll-ups say of those that ended. No run is looked at."""

from collections.abc import Iterable
from typing import NamedTuple

from agentrunner.domain.errors import InvalidField
from agentrunner.domain.instant import MAX_INSTANT, rfc3339
from agentrunner.domain.rollup import LENGTH_MS, Grain, start_of
from agentrunner.domain.run import Run
from agentrunner.domain.state import Status
from agentrunner.domain.stats import (
    By,
    Point,
    Series,
    Stats,
    UsageLine,
    UsageTable,
    grains,
    step_ms,
    stretch,
)
from agentrunner.engine import agents, projects, sums
from agentrunner.engine.services import Services
from agentrunner.engine.sums import Sum
from agentrunner.store import agents as stored
from agentrunner.store import projects as known
from agentrunner.store import rollups, runs, stats
from agentrunner.store.base import Tx
from agentrunner.store.rollups import Key, Sealed, Wanted

MOST_SERIES = 20
MOST_LINES = 500
MOST_ROLLUPS = 20_000
"""How many roll-ups one answer is made of; a finer grain than allows that is not taken."""

Group = tuple[str | None, str | None, str | None]
"""Agent, version, project."""


async def by_status(s: Services) -> dict[Status, int]:
    """How many runs have each status."""
    found = await s.db.read(stats.read, "status/")
    return {status: found.get(status.value, 0) for status in Status}


async def active(s: Services) -> int:
    """How many runs workers have in hand; those that other programs report are not among them."""
    return await s.db.read(stats.get, "active")


async def ended(s: Services, after: tuple[int, int], before: int, limit: int) -> list[Run]:
    """The runs that ended (time, id) behind `after` and before a time, in that order. Raises QueryTimeout."""
    return await s.db.search(runs.ended_page, after, before, limit)


class Asked(NamedTuple):
    """Which runs: those that ended from `since` (None: ever) to `until`, in milliseconds; of what, and by what."""

    since: int | None
    until: int
    agent: str | None = None
    version: str | None = None
    project: str | None = None
    by: By | None = None


class _Found(NamedTuple):
    """Roll-ups, the window that they fill, and the names of what they are of."""

    grain: Grain
    start: int
    end: int
    kept: list[Sealed]
    versions: dict[int, tuple[str, str, tuple[str, ...]]]
    projects: dict[int, str]

    def group(self, key: Key, by: By | None) -> Group:
        """What a roll-up is of."""
        agent, version, _ = self.versions.get(key.version_id, (None, None, ()))
        if by is By.PROJECT:
            return None, None, self.projects.get(key.project_id)
        return (None if by is None else agent), (version if by is By.VERSION else None), None

    def grouped(self, by: By | None) -> dict[Group, list[Sealed]]:
        """Roll-ups by what they are of; of no runs too where they are not told apart."""
        found: dict[Group, list[Sealed]] = {} if by else {(None, None, None): []}
        for kept in self.kept:
            found.setdefault(self.group(kept.key, by), []).append(kept)
        return found


async def chart(s: Services, asked: Asked) -> Stats:
    """Series of what was asked. Raises AgentNotFound, VersionNotFound, ProjectNotFound, InvalidField, QueryTimeout."""
    return await s.db.search(_chart, asked, s.clock())


async def _chart(tx: Tx, asked: Asked, now: int) -> Stats:
    found = await _read(tx, asked, now)
    step = step_ms(found.grain, found.start, found.end)
    groups = {group: _points(rows, found.grain, step) for group, rows in found.grouped(asked.by).items()}
    totals = {group: sums.of_sums(list(points.values())) for group, points in groups.items()}
    shown = sorted(groups, key=lambda group: (-totals[group].tally.runs, *map(str, group)))[:MOST_SERIES]
    return Stats(
        since=rfc3339(found.start),
        until=rfc3339(found.end),
        grain=found.grain,
        step_s=step // 1000,
        total=sums.of_sums([totals[group] for group in sorted(totals, key=str)]).figures,
        series=[_series(asked, group, totals[group], groups[group]) for group in shown],
        left_off=len(groups) - len(shown),
    )


def _points(rows: Iterable[Sealed], grain: Grain, step: int) -> dict[int, Sum]:
    """The sums of each stretch, by when it began, oldest first."""
    found: dict[int, list[Sealed]] = {}
    for row in rows:
        found.setdefault(stretch(grain, step, row.key.start), []).append(row)
    return {start: sums.of_rollups(found[start]) for start in sorted(found)}


def _series(asked: Asked, group: Group, total: Sum, points: dict[int, Sum]) -> Series:
    agent, version, project = group
    return Series(
        agent=agent or asked.agent,
        version=version or asked.version,
        project=project or asked.project,
        total=total.figures,
        points=[Point(start=rfc3339(start), figures=each.figures) for start, each in points.items()],
    )


async def usage(s: Services, asked: Asked) -> UsageTable:
    """What was used, the dearest first, then by runs. Raises as `chart`."""
    return await s.db.search(_usage, asked, s.clock())


async def _usage(tx: Tx, asked: Asked, now: int) -> UsageTable:
    found = await _read(tx, asked, now)
    groups = {group: sums.of_rollups(rows) for group, rows in found.grouped(asked.by).items()}
    tallies = {group: each.tally for group, each in groups.items()}
    order = sorted(groups, key=lambda group: (-tallies[group].cost_micro, -tallies[group].runs, *map(str, group)))
    models = _models(found, asked.by)
    lines = [
        UsageLine(
            agent=group[0] or asked.agent,
            version=group[1] or asked.version,
            project=group[2] or asked.project,
            models=tuple(sorted(models[group])),
            figures=groups[group].figures,
        )
        for group in order[:MOST_LINES]
    ]
    is_ever = found.grain is Grain.EVER
    return UsageTable(
        since=None if is_ever else rfc3339(found.start),
        until=None if is_ever else rfc3339(found.end),
        items=lines,
        total=sums.of_sums([groups[group] for group in sorted(groups, key=str)]).figures,
        left_off=len(groups) - len(lines),
    )


def _models(found: _Found, by: By | None) -> dict[Group, set[str]]:
    models: dict[Group, set[str]] = {group: set() for group in found.grouped(by)}
    for kept in found.kept:
        models[found.group(kept.key, by)].update(found.versions.get(kept.key.version_id, ("", "", ()))[2])
    return models


async def _read(tx: Tx, asked: Asked, now: int) -> _Found:
    versions, project_id = await _chosen(tx, asked)
    wanted = await _window(tx, asked, now, Wanted(Grain.EVER, 0, 1, versions, project_id))
    kept = await rollups.sealed(tx, wanted)
    titles = {each.id: each.name for each in await known.page(tx, 0, MOST_ROLLUPS)} if asked.by is By.PROJECT else {}
    return _Found(wanted.grain, wanted.start, wanted.end, kept, await _names(tx, kept), titles)


async def _names(tx: Tx, kept: Iterable[Sealed]) -> dict[int, tuple[str, str, tuple[str, ...]]]:
    return await stored.names(tx, sorted({each.key.version_id for each in kept} - {0}))


async def _chosen(tx: Tx, asked: Asked) -> tuple[list[int] | None, int | None]:
    """The ids of the versions and of the project asked for; None for all."""
    project_id = None if asked.project is None else (await projects.find(tx, asked.project)).id
    if asked.agent is None:
        if asked.version is not None:
            raise InvalidField("`version` needs `agent`: say whose version it is.")
        return None, project_id
    agent = await agents.find(tx, asked.agent)
    if asked.version is not None:
        return [(await agents.find_version(tx, agent, asked.version)).id], project_id
    return await stored.version_ids(tx, agent.id), project_id


async def _window(tx: Tx, asked: Asked, now: int, wanted: Wanted) -> Wanted:
    """The roll-ups of the finest grain that few enough of them make; of everything where no time is asked for."""
    if asked.since is None:
        return wanted
    if asked.since >= asked.until:
        raise InvalidField("`since` is not before `until`; turn them round.")
    for grain in grains(asked.since, asked.until, now):
        wanted = wanted._replace(grain=grain, start=start_of(grain, asked.since), end=_end_of(grain, asked.until))
        if await rollups.count(tx, wanted, MOST_ROLLUPS + 1) <= MOST_ROLLUPS:
            return wanted
    raise InvalidField("`since`: there are too many agents, versions and projects in this time; take a shorter one.")


def _end_of(grain: Grain, at: int) -> int:
    return min(start_of(grain, at + LENGTH_MS[grain] - 1), MAX_INSTANT)
