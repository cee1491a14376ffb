"""Amounts as people read them."""

import pytest

from agentrunner.cli import amounts
from agentrunner.domain.run import Usage


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0 s"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (7800, "2 h 10 min"),
        (352_800, "4 d 02 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    """The finer unit goes as the amount grows."""
    assert amounts.duration(seconds) == text


def test_time_between_two_instants() -> None:
    """Until now where there is no end, nothing where there is no beginning."""
    start, end, now = "2025-11-21T02:00:00.000Z", "2025-11-21T02:00:12.000Z", 1_763_690_460_000
    assert amounts.between(start, end, now) == "12 s"
    assert amounts.between(start, None, now) == "1 min 00 s"
    assert amounts.between(None, None, now) == ""


def test_tokens_and_money() -> None:
    """Nothing is said about nothing."""
    used = Usage(input_tokens=200, cache_read_tokens=1000, output_tokens=56)
    assert amounts.tokens(used) == "1,200 in (1,000 cached), 56 out"
    assert amounts.tokens(Usage()) == ""
    assert [amounts.money(usd) for usd in (None, 0.01234, 1234.5)] == ["", "$0.0123", "$1,234.50"]


def test_memory() -> None:
    """The unit grows with the amount."""
    assert [amounts.memory(size) for size in (2048, 45 << 20, 3 << 29)] == ["2 KiB", "45 MiB", "1.5 GiB"]
