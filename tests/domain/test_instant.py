"""Instants and their form on the wire."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.domain.instant import MAX_INSTANT, optional_rfc3339, parse_rfc3339, rfc3339

FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@given(st.integers(0, MAX_INSTANT))
def test_round_trip(ms: int) -> None:
    """Every millisecond until the year 10000 comes back, in one form."""
    text = rfc3339(ms)
    assert FORM.fullmatch(text)
    assert parse_rfc3339(text) == ms


@given(st.integers(0, MAX_INSTANT), st.integers(0, MAX_INSTANT))
def test_texts_sort_like_instants(one: int, other: int) -> None:
    """Who sorts by text sorts by time."""
    assert (one < other) == (rfc3339(one) < rfc3339(other))


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2025-11-21T02:00:00.123Z", 1763690400123),
        ("2025-11-21T03:00:00.123+01:00", 1763690400123),
        ("2025-11-21T02:00:00.123", 1763690400123),
        ("2025-11-21 02:00:00", 1763690400000),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_offsets_are_accepted_and_none_means_utc(text: str, ms: int) -> None:
    """What other programs write is understood."""
    assert parse_rfc3339(text) == ms


@pytest.mark.parametrize("text", ["", "yesterday", "2025-13-01T00:00:00Z", "1763690400123x"])
def test_anything_else_is_refused(text: str) -> None:
    """No guessing."""
    with pytest.raises(ValueError, match=r".+"):
        parse_rfc3339(text)


def test_none_stays_none() -> None:
    """An instant that is not there."""
    assert optional_rfc3339(None) is None
    assert optional_rfc3339(1763690400123) == "2025-11-21T02:00:00.123Z"
