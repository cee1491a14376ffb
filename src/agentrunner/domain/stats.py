"""Figures of finished runs as charts and tables show them, made of roll-ups."""

import operator
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec

from agentrunner.domain.errors import InvalidField
from agentrunner.domain.instant import MAX_INSTANT, optional_rfc3339, parse_rfc3339
from agentrunner.domain.rollup import FIELDS, LENGTH_MS, MICRO, Grain, Histogram, Tally, start_of, success_rate, wilson
from agentrunner.domain.run import Usage

MOST_POINTS = 400
"""How many points a series has at most, the one that is still growing aside."""
MINUTES_KEPT_MS = 2 * LENGTH_MS[Grain.DAY]
"""How long the figures of single minutes are kept; those of hours and days are kept for ever."""
_AGO = re.compile(r"([0-9]{1,9})([wdhms])")
_UNITS_MS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000}
_HISTOGRAMS = ("durations", "waits")
_ADDED = tuple(name for name in FIELDS if name not in (*_HISTOGRAMS, "last_seen"))
_numbers = operator.attrgetter(*_ADDED)


class By(StrEnum):
    """What series or lines of a table are of."""

    AGENT = "agent"
    VERSION = "version"
    PROJECT = "project"


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """How long something took, in seconds: the mean is exact, percentiles are right within 5 %."""

    mean: float
    p50: float
    p95: float
    p99: float


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """Where something lies at 95 %; without an upper end where `high` is null."""

    low: float
    high: float | None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What finished runs add up to.

    Rate and interval (Wilson, 95 %) are of the completed among the completed and failed runs: a run that somebody
    stopped says nothing. `cost_per_success_usd` is what all runs cost, by those that completed; its interval is where
    it lies if the rate lies in its own, with no upper end where that includes no success at all. `duration_s` is from
    start to end, `wait_s` from creation to start. What cannot be said of no run is null.
    """

    runs: int
    completed: int
    failed: int
    stopped: int
    success_rate: float | None
    success_interval: Interval | None
    duration_s: Times | None
    wait_s: Times | None
    usage: Usage
    cost_usd: float
    cost_per_success_usd: float | None
    cost_per_success_interval_usd: Interval | None
    last_seen: str | None


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """The runs that ended in the stretch that begins at `start`."""

    start: str
    figures: Figures


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Some runs over time: of an agent, a version or a project, where it is said. Stretches without runs are left out.

    Of the series `version`s, null stands for runs without an agent.
    """

    agent: str | None
    version: str | None
    project: str | None
    total: Figures
    points: list[Point]


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Finished runs from `since` to `until`, which are where stretches begin and end; each is `step_s` long.

    `series` are those with the most runs; `left_off` says how many further ones there are. `total` has all.
    """

    since: str
    until: str
    grain: Grain
    step_s: int
    total: Figures
    series: list[Series]
    left_off: int


class UsageLine(msgspec.Struct, frozen=True, kw_only=True):
    """What the runs of an agent, a version or a project used."""

    agent: str | None
    version: str | None
    models: tuple[str, ...]
    project: str | None
    figures: Figures


class UsageTable(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens and cost of finished runs, the dearest first. `since` is null for all there ever were.

    `left_off` says how many lines more there would be; `total` has them all.
    """

    since: str | None
    until: str | None
    items: list[UsageLine]
    total: Figures
    left_off: int


class RebuildStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a rebuild is: the next hour (milliseconds), then, with the hours done, the next version's totals."""

    hour: int = 0
    version_id: int | None = None
    runs: int = 0


class RebuildAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How far a rebuild has come: what it is at, the runs counted so far, the next step; null at the end."""

    at: str
    runs: int
    next: RebuildStep | None


class Adding:
    """A sum of tallies that grows in place: adding one costs a tenth of what making a new sum does."""

    __slots__ = ("_counts", "_last_seen", "_numbers")

    def __init__(self) -> None:
        self._numbers = [0] * len(_ADDED)
        self._counts: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._last_seen = 0

    def add(self, more: Tally) -> None:
        """Add one."""
        self._numbers = list(map(operator.add, self._numbers, _numbers(more)))
        for counts, others in zip(self._counts, (more.durations.counts, more.waits.counts), strict=True):
            for bucket, n in others.items():
                counts[bucket] = counts.get(bucket, 0) + n
        self._last_seen = max(self._last_seen, more.last_seen)

    @property
    def tally(self) -> Tally:
        """The sum as it is now."""
        values: dict[str, Any] = dict(zip(_ADDED, self._numbers, strict=True))
        durations, waits = map(Histogram, self._counts)
        return Tally(durations=durations, waits=waits, last_seen=self._last_seen, **values)


def added(tallies: Iterable[Tally]) -> Tally:
    """All of them together."""
    found = Adding()
    for tally in tallies:
        found.add(tally)
    return found.tally


def figures(found: Tally) -> Figures:
    """What roll-ups say, on the wire."""
    interval = wilson(found.completed, found.completed + found.failed)
    usd = found.cost_micro / MICRO
    return Figures(
        runs=found.runs,
        completed=found.completed,
        failed=found.failed,
        stopped=found.stopped,
        success_rate=success_rate(found),
        success_interval=None if interval is None else Interval(low=interval[0], high=interval[1]),
        duration_s=_times(found.duration_ms, found.timed, found.durations),
        wait_s=_times(found.wait_ms, found.waited, found.waits),
        usage=found.usage,
        cost_usd=usd,
        cost_per_success_usd=usd / found.completed if found.completed else None,
        cost_per_success_interval_usd=_price(usd, found.completed + found.failed, interval),
        last_seen=optional_rfc3339(found.last_seen or None),
    )


def _times(sum_ms: int, count: int, found: Histogram) -> Times | None:
    percentiles = found.percentiles((0.5, 0.95, 0.99))
    if percentiles is None:
        return None
    p50, p95, p99 = percentiles
    return Times(
        mean=round(sum_ms / count / 1000, 3),
        p50=round(p50 / 1000, 3),
        p95=round(p95 / 1000, 3),
        p99=round(p99 / 1000, 3),
    )


def _price(usd: float, judged: int, interval: tuple[float, float] | None) -> Interval | None:
    if interval is None:
        return None
    low, high = interval
    # Without a success the interval begins at 0, but for what floating point leaves of it.
    return Interval(low=usd / judged / high, high=usd / judged / low if low > 1e-12 else None)


def grains(since: int, until: int, now: int) -> list[Grain]:
    """The grains that a window may be shown in, the finest first: those of few points, and of which all is kept."""
    span = until - since
    fit = [grain for grain, length in LENGTH_MS.items() if span <= MOST_POINTS * length]
    if since < now - MINUTES_KEPT_MS and Grain.MINUTE in fit:
        fit.remove(Grain.MINUTE)
    return fit or [Grain.DAY]


def step_ms(grain: Grain, since: int, until: int) -> int:
    """How long each point's stretch is: of the grain, or of as many days as it takes for few points."""
    days = -(-(until - since) // (MOST_POINTS * LENGTH_MS[grain]))
    return LENGTH_MS[grain] * max(1, days)


def stretch(grain: Grain, step: int, at: int) -> int:
    """When the stretch that contains `at` began."""
    return start_of(grain, at) if step == LENGTH_MS[grain] else at - at % step


def instant(name: str, text: str, now: int) -> int:
    """Milliseconds of `24h` (before now: w, d, h, m, s), a day, or an RFC 3339 instant. Raises InvalidField."""
    if match := _AGO.fullmatch(text):
        return max(0, now - int(match[1]) * _UNITS_MS[match[2]])
    try:
        found = parse_rfc3339(text)
    except (ValueError, OverflowError):
        found = -1
    if not 0 <= found <= MAX_INSTANT:
        wanted = "write `24h`, `7d`, `2026-11-20` or `2026-11-20T08:00:00Z`"
        raise InvalidField(f"`{name}`: {text[:50]!r} is no time; {wanted}.")
    return found
