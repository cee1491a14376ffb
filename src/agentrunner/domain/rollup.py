"""Roll-ups: what is kept of finished runs per version, project and stretch of time, so that no read counts runs.

Every figure is a whole number, and adding is all that ever happens to one: a roll-up that is rebuilt from the runs is
equal to the one that grew with them, in whatever order they ended.
"""

import math
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from agentrunner.domain.run import Run, Usage
from agentrunner.domain.state import Status

_GROWTH = math.log(1.1)
"""Buckets grow by a tenth, so a percentile is right within 5 %."""
MICRO = 1_000_000


class Grain(StrEnum):
    """How long a stretch is."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    EVER = "ever"


LENGTH_MS = {Grain.MINUTE: 60_000, Grain.HOUR: 3_600_000, Grain.DAY: 86_400_000}


def start_of(grain: Grain, at: int) -> int:
    """When the stretch that contains `at` began, in milliseconds; stretches begin at whole units of UTC."""
    return 0 if grain is Grain.EVER else at - at % LENGTH_MS[grain]


class Histogram(msgspec.Struct, frozen=True):
    """How often durations fell into buckets of growing width: bucket -> how many."""

    counts: dict[int, int] = {}

    def plus(self, other: "Histogram") -> "Histogram":
        """Both together."""
        if not other.counts:
            return self
        counts = dict(self.counts)
        for bucket, n in other.counts.items():
            counts[bucket] = counts.get(bucket, 0) + n
        return Histogram(counts)

    def percentile(self, share: float) -> float | None:
        """The milliseconds below which `share` (0 to 1) of the durations lie, within 5 %; None where there are none."""
        found = self.percentiles((share,))
        return None if found is None else found[0]

    def percentiles(self, shares: Sequence[float]) -> list[float] | None:
        """The same for several shares, the lowest first, in one pass."""
        total = sum(self.counts.values())
        if not total:
            return None
        found: list[float] = []
        seen = 0
        for bucket, n in sorted(self.counts.items()):
            while len(found) < len(shares) and seen + n >= shares[len(found)] * total:
                low, high = edge(bucket), edge(bucket + 1)
                found.append(low + (high - low) * max(shares[len(found)] * total - seen, 0.0) / n)
            seen += n
        assert len(found) == len(shares), "a share above 1"
        return found


def bucket_of(ms: int) -> int:
    """The bucket of a duration; 0 ms is in bucket 0."""
    return int(math.log1p(max(ms, 0)) / _GROWTH)


def edge(bucket: int) -> float:
    """Where a bucket begins, in milliseconds."""
    return math.expm1(bucket * _GROWTH)


def one(ms: int | None) -> Histogram:
    """One duration; none for None."""
    return Histogram() if ms is None else Histogram({bucket_of(ms): 1})


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted of some finished runs; times in milliseconds, cost in millionths of a dollar.

    `timed` runs have a duration, `waited` runs a wait between creation and start. `last_seen` is the latest end.
    """

    runs: int = 0
    completed: int = 0
    failed: int = 0
    stopped: int = 0
    timed: int = 0
    duration_ms: int = 0
    durations: Histogram = Histogram()
    waited: int = 0
    wait_ms: int = 0
    waits: Histogram = Histogram()
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    cost_micro: int = 0
    last_seen: int = 0

    def plus(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(**{name: _PLUS.get(name, _add)(getattr(self, name), getattr(other, name)) for name in FIELDS})

    @property
    def usage(self) -> Usage:
        """The tokens."""
        return Usage(
            input_tokens=self.input_tokens,
            cache_read_tokens=self.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens,
            output_tokens=self.output_tokens,
        )


FIELDS = Tally.__struct_fields__


def _add(mine: Any, others: Any) -> Any:
    return mine.plus(others) if isinstance(mine, Histogram) else mine + others


_PLUS = {"last_seen": max}


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them together."""
    found = Tally()
    for tally in tallies:
        found = found.plus(tally)
    return found


def tally(run: Run) -> Tally:
    """What a finished run adds."""
    assert run.ended_at is not None
    duration = None if run.started_at is None else max(run.ended_at - run.started_at, 0)
    wait = None if run.started_at is None or run.backend == "external" else max(run.started_at - run.created_at, 0)
    return Tally(
        runs=1,
        completed=int(run.status is Status.COMPLETED),
        failed=int(run.status is Status.FAILED),
        stopped=int(run.status is Status.STOPPED),
        timed=int(duration is not None),
        duration_ms=duration or 0,
        durations=one(duration),
        waited=int(wait is not None),
        wait_ms=wait or 0,
        waits=one(wait),
        cost_micro=round((run.cost_usd or 0.0) * MICRO),
        last_seen=run.ended_at,
        **msgspec.structs.asdict(run.usage),
    )


def success_rate(found: Tally) -> float | None:
    """The share of completed among the completed and failed runs; a run that somebody stopped says nothing."""
    judged = found.completed + found.failed
    return found.completed / judged if judged else None


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float] | None:
    """The Wilson score interval of a share (95 % by default); None without trials.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference (1927).
    """
    if trials == 0:
        return None
    share = successes / trials
    square = z * z
    centre = share + square / (2 * trials)
    margin = z * math.sqrt(share * (1 - share) / trials + square / (4 * trials * trials))
    scale = 1 + square / trials
    return max(0.0, (centre - margin) / scale), min(1.0, (centre + margin) / scale)
