"""Durations: every form that programs send, and a clear refusal of the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.domain.duration import MAX_DURATION_MS, go_duration, parse_duration


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        ("5m30s", 330_000),
        ("3.2s", 3_200),
        ("1h", 3_600_000),
        ("100ms", 100),
        ("1500µs", 2),
        (".5s", 500),
        ("330", 330_000),
        (330, 330_000),
        (0.25, 250),
        ("PT5M30S", 330_000),
        ("P1DT2H", 93_600_000),
        ("P1W", 604_800_000),
        (" 0s ", 0),
    ],
)
def test_forms(value: float | str, ms: int) -> None:
    """Go, ISO 8601 and plain seconds give the same milliseconds."""
    assert parse_duration(value) == ms


@pytest.mark.parametrize(
    "value", ["5m30", "", "P", "PT", "-5s", "1y", "1e400", -1, float("nan"), float("inf"), "9" * 99]
)
def test_refused(value: float | str) -> None:
    """What is no duration raises, and says what would be one."""
    with pytest.raises(ValueError, match=r"duration|between 0"):
        parse_duration(value)


@given(st.text(max_size=60) | st.floats() | st.integers())
def test_any_value(value: float | str) -> None:
    """Any value is either refused or a bounded number of milliseconds."""
    try:
        found = parse_duration(value)
    except ValueError:
        return
    assert 0 <= found <= MAX_DURATION_MS


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_composed(hours: int, minutes: int, seconds: int, ms: int) -> None:
    """A composed text is the sum of its parts, in both notations."""
    expected = ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms
    assert parse_duration(f"{hours}h{minutes}m{seconds}s{ms}ms") == expected
    assert parse_duration(f"PT{hours}H{minutes}M{seconds}.{ms:03d}S") == expected


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0s"),
        (1, "1ms"),
        (999, "999ms"),
        (3200, "3.2s"),
        (60_000, "1m0s"),
        (330_000, "5m30s"),
        (3_603_050, "1h0m3.05s"),
    ],
)
def test_written_as_go_does(ms: int, text: str) -> None:
    """The same text as `time.Duration.String` gives."""
    assert go_duration(ms) == text


@given(st.integers(0, MAX_DURATION_MS))
def test_written_and_read(ms: int) -> None:
    """What is written is read as the same duration."""
    assert parse_duration(go_duration(ms)) == ms
