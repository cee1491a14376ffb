"""How figures are written for people on the dashboard of the Agent Metrics surface."""

import pytest

from agentrunner.api.metrics_wire import MetricsCard, cards, hex_id
from agentrunner.engine.overview import Overview, Pair
from agentrunner.store.overview import Sums


def made(
    active: tuple[int, int], days: tuple[Sums, Sums], hours: tuple[Sums, Sums] = (Sums(), Sums())
) -> list[MetricsCard]:
    """The four cards."""
    return cards(Overview(*active, Pair(*days), Pair(*hours)))


@pytest.mark.parametrize(
    ("now", "before", "value", "change", "trend"),
    [
        (0, 0, "0", "+0% from yesterday", "neutral"),
        (7, 0, "7", "+100% from yesterday", "up"),
        (115, 100, "115", "+15% from yesterday", "up"),
        (85, 100, "85", "-15% from yesterday", "down"),
        (1234, 1234, "1,234", "+0% from yesterday", "neutral"),
        (1_234_567, 100, "1,234,567", "+1,234,467% from yesterday", "up"),
    ],
)
def test_counts(now: int, before: int, value: str, change: str, trend: str) -> None:
    """A comma between thousands, also from a million on; a fall keeps its sign."""
    card = made((0, 0), (Sums(runs=now), Sums(runs=before)))[1]
    assert (card.value, card.change, card.trend, card.raw) == (value, change, trend, now)


def test_active_agents() -> None:
    """A difference in numbers, with its sign in both directions."""
    changes = [made(pair, (Sums(), Sums()))[0] for pair in ((42, 37), (37, 42), (3, 3))]
    assert [(card.change, card.trend) for card in changes] == [
        ("+5 from last week", "up"),
        ("-5 from last week", "down"),
        ("+0 from last week", "neutral"),
    ]


@pytest.mark.parametrize(
    ("now", "before", "value", "change", "trend"),
    [
        (Sums(timed=2, duration_ms=6400), Sums(timed=1, duration_ms=3700), "3.2s", "-0.5s from last hour", "down"),
        (Sums(timed=1, duration_ms=3700), Sums(timed=1, duration_ms=3200), "3.7s", "+0.5s from last hour", "up"),
        (Sums(timed=1, duration_ms=3700), Sums(), "3.7s", "+0.0s from last hour", "neutral"),
        (Sums(), Sums(timed=1, duration_ms=3700), "0.0s", "+0.0s from last hour", "neutral"),
        (Sums(timed=1, duration_ms=3199), Sums(timed=1, duration_ms=3200), "3.2s", "+0.0s from last hour", "neutral"),
    ],
)
def test_response_time(now: Sums, before: Sums, value: str, change: str, trend: str) -> None:
    """`down` is better; an hour without runs is compared with none."""
    card = made((0, 0), (Sums(), Sums()), (now, before))[2]
    assert (card.value, card.change, card.trend) == (value, change, trend)


def test_cost() -> None:
    """Dollars with two places, the exact figure beside them."""
    card = made((0, 0), (Sums(cost_micro=123_450_000), Sums(cost_micro=246_900_000)))[3]
    assert (card.value, card.change, card.trend, card.raw) == ("$123.45", "-50% from yesterday", "down", 123.45)
    card = made((0, 0), (Sums(cost_micro=1_234_567_891_000), Sums()))[3]
    assert (card.value, card.raw) == ("$1,234,567.89", 1_234_567.891)


def test_ids() -> None:
    """24 digits, whatever the number."""
    assert (hex_id(1), hex_id(2**63 - 1)) == (f"{'0' * 23}1", "000000007fffffffffffffff")
