"""Figures on the wire: sums, intervals, and how fine a window is shown."""

import pytest

from agentrunner.domain.errors import InvalidField
from agentrunner.domain.rollup import LENGTH_MS, Grain, Histogram, Tally, one, total
from agentrunner.domain.stats import MOST_POINTS, Adding, added, figures, grains, instant, step_ms, stretch

_DAY = LENGTH_MS[Grain.DAY]
_HOUR = LENGTH_MS[Grain.HOUR]
_NOW = 1_763_690_400_000


def test_adding_is_the_sum() -> None:
    """A sum that grows in place is what making new sums gives."""
    tallies = [
        Tally(runs=1, completed=1, timed=1, duration_ms=ms, durations=one(ms), waits=one(5), cost_micro=3, last_seen=ms)
        for ms in (10, 10, 7000)
    ]
    assert added(tallies) == total(tallies)
    assert Adding().tally == Tally()


def test_cost_per_success() -> None:
    """What all runs cost by those that completed; its interval follows from that of the rate, and contains it."""
    found = figures(Tally(runs=10, completed=8, failed=2, cost_micro=4_000_000))
    assert (found.success_rate, found.cost_usd, found.cost_per_success_usd) == (0.8, 4.0, 0.5)
    assert found.success_interval is not None
    assert (round(found.success_interval.low, 3), round(found.success_interval.high or 0, 3)) == (0.490, 0.943)
    interval = found.cost_per_success_interval_usd
    assert interval is not None
    assert interval.low == pytest.approx(0.4 / 0.943318, rel=1e-4)
    assert interval.high == pytest.approx(0.4 / 0.490162, rel=1e-4)


def test_nothing_is_said_of_no_run() -> None:
    """Null, never 0 or a division by it; without a success no price and no upper end."""
    nothing = figures(Tally())
    assert (nothing.success_rate, nothing.success_interval, nothing.duration_s, nothing.wait_s) == (None,) * 4
    assert (nothing.cost_per_success_usd, nothing.cost_per_success_interval_usd, nothing.last_seen) == (None,) * 3
    failed = figures(Tally(runs=3, failed=3, cost_micro=3_000_000))
    assert failed.cost_per_success_usd is None
    assert failed.cost_per_success_interval_usd is not None
    assert failed.cost_per_success_interval_usd.high is None
    assert failed.cost_per_success_interval_usd.low > 1.0


def test_percentiles_in_one_pass() -> None:
    """Several at once are what each is alone."""
    found = Histogram({3: 1, 40: 7, 90: 2})
    shares = (0.05, 0.5, 0.8, 0.95, 1.0)
    assert found.percentiles(shares) == [found.percentile(share) for share in shares]
    assert Histogram().percentiles(shares) is None


@pytest.mark.parametrize(
    ("since", "length", "finest"),
    [
        (_NOW - _HOUR, _HOUR, Grain.MINUTE),
        (_NOW - 24 * _HOUR, 24 * _HOUR, Grain.HOUR),
        (_NOW - 3 * _DAY, _HOUR, Grain.HOUR),
        (_NOW - 16 * _DAY, 16 * _DAY, Grain.HOUR),
        (_NOW - 17 * _DAY, 17 * _DAY, Grain.DAY),
        (0, 20_000 * _DAY, Grain.DAY),
    ],
)
def test_grains(since: int, length: int, finest: Grain) -> None:
    """The finest of which everything is kept and that makes at most 400 points."""
    found = grains(since, since + length, _NOW)
    assert found[0] is finest
    assert found == [grain for grain in LENGTH_MS if LENGTH_MS[grain] >= LENGTH_MS[finest]]
    step = step_ms(finest, since, since + length)
    assert length / step <= MOST_POINTS
    assert step % LENGTH_MS[finest] == 0
    assert stretch(finest, step, since + 1) <= since + 1 < stretch(finest, step, since + 1) + step


def test_instant() -> None:
    """A time before now, a day, an instant; nothing else."""
    assert instant("since", "24h", _NOW) == _NOW - _DAY
    assert instant("since", "2w", _NOW) == _NOW - 14 * _DAY
    assert instant("since", "999999999w", _NOW) == 0
    assert instant("since", "2025-11-21", _NOW) == 1_763_683_200_000
    assert instant("since", "2025-11-21T02:00:00Z", _NOW) == _NOW
    for text in ("", "24", "1969-01-01", "9999-12-31T23:59:59-23:00", "tomorrow", "-1h"):
        with pytest.raises(InvalidField, match="`since`"):
            instant("since", text, _NOW)
