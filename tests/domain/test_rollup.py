"""Roll-ups: sums that do not depend on order, percentiles within their promise, Wilson's interval."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.domain.rollup import (
    LENGTH_MS,
    Grain,
    Histogram,
    Tally,
    bucket_of,
    edge,
    one,
    start_of,
    success_rate,
    wilson,
)

_COUNT = st.integers(0, 10**12)
_HISTOGRAM = st.dictionaries(st.integers(0, 300), st.integers(1, 10**6), max_size=8).map(Histogram)
_TALLY = st.builds(Tally, runs=_COUNT, duration_ms=_COUNT, durations=_HISTOGRAM, cost_micro=_COUNT, last_seen=_COUNT)


@given(_TALLY, _TALLY, _TALLY)
def test_order_does_not_matter(a: Tally, b: Tally, c: Tally) -> None:
    """Adding is commutative and associative, and an empty tally changes nothing."""
    assert a.plus(b) == b.plus(a)
    assert a.plus(b).plus(c) == a.plus(b.plus(c))
    assert a.plus(Tally()) == Tally().plus(a) == a


@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=60), st.floats(0.01, 1))
def test_percentile(values: list[int], share: float) -> None:
    """A percentile lies in the bucket of the value that is really there: within a tenth of it."""
    histogram = Histogram()
    for value in values:
        histogram = histogram.plus(one(value))
    real = sorted(values)[math.ceil(share * len(values)) - 1]
    found = histogram.percentile(share)
    assert found is not None
    assert edge(bucket_of(real)) <= found <= edge(bucket_of(real) + 1) + 1e-6


@given(st.integers(0, 10**12))
def test_bucket(ms: int) -> None:
    """Every duration lies between the edges of its bucket."""
    bucket = bucket_of(ms)
    assert edge(bucket) <= ms * (1 + 1e-9) + 1e-9
    assert ms <= edge(bucket + 1) * (1 + 1e-9)


def test_nothing_counted() -> None:
    """No runs, no figures."""
    assert Histogram().percentile(0.5) is None
    assert success_rate(Tally(runs=3, stopped=3)) is None
    assert wilson(0, 0) is None


@given(st.sampled_from([Grain.MINUTE, Grain.HOUR, Grain.DAY]), st.integers(0, 10**13))
def test_stretches(grain: Grain, at: int) -> None:
    """An instant lies in the stretch that begins at a whole unit before it."""
    start = start_of(grain, at)
    assert start <= at < start + LENGTH_MS[grain]
    assert start % LENGTH_MS[grain] == 0
    assert start_of(Grain.EVER, at) == 0


def test_wilson() -> None:
    """The interval of 8 successes in 10 is the one in the literature (Newcombe 1998, method 3)."""
    found = wilson(81, 263)
    assert found is not None
    assert found == pytest.approx((0.2553, 0.3662), abs=5e-4)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_contains_the_share(pair: tuple[int, int]) -> None:
    """The interval contains the share it is about and stays within 0 and 1."""
    successes, trials = pair
    found = wilson(successes, trials)
    assert found is not None
    low, high = found
    assert 0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1
