"""Usage reports: every spelling, what cannot be true, and sums that do not depend on the order."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.domain.event import NewEvent, new_event
from agentrunner.domain.usage import USAGE_REPORT, UsageReport, read, total


def _read(payload: Any) -> UsageReport | None:
    return read(new_event(USAGE_REPORT, payload), 7)


def test_spellings() -> None:
    """Camel case and snake case say the same."""
    camel = {"reportId": "r", "spanId": "s", "inputTokens": 1, "outputTokens": 2, "totalTokens": 3, "costUsd": 0.5}
    snake = {
        "report_id": "r",
        "span_id": "s",
        "input_tokens": 1,
        "output_tokens": 2,
        "total_tokens": 3,
        "cost_usd": 0.5,
    }
    assert _read(camel) == _read(snake)
    found = _read(camel)
    assert found == UsageReport(
        report_id="r", seq=7, span_id="s", input_tokens=1, output_tokens=2, total_tokens=3, cost_usd=0.5
    )


@pytest.mark.parametrize("payload", [None, [], "x", 5])
def test_what_says_nothing(payload: Any) -> None:
    """A payload that is no object reports nothing; an empty one, and one of another type, neither count nor fail."""
    assert _read(payload if payload is not None else []) is None
    assert read(new_event("other", {"inputTokens": 1}), 1) is None
    assert read(NewEvent(type=USAGE_REPORT, payload=msgspec.Raw(b'{"inputTokens":1e999}')), 1) is None
    assert _read({}) == UsageReport(report_id="#7", seq=7)


def test_confidence_comes_back_as_it_was() -> None:
    """A word or a number."""
    for value in ("high", 0.5, 1):
        found = _read({"confidence": value})
        assert found is not None
        assert found.confidence is not None
        assert msgspec.json.decode(found.confidence) == value
    found = _read({"confidence": True})
    assert found is not None
    assert found.confidence is None


_reports = st.lists(
    st.builds(
        UsageReport,
        report_id=st.just("r"),
        seq=st.integers(1, 100),
        span_id=st.sampled_from(["", "a", "b", "c"]),
        input_tokens=st.none() | st.integers(0, 100),
        output_tokens=st.none() | st.integers(0, 100),
        cost_usd=st.none() | st.integers(0, 8).map(float),
    ),
    unique_by=lambda each: each.seq,
)


@given(_reports, st.randoms())
def test_the_order_does_not_matter(found: list[UsageReport], chance: Any) -> None:
    """Only `seq` does: the last of each span counts, a report for the run stands for all."""
    shuffled = list(found)
    chance.shuffle(shuffled)
    used = total(shuffled)
    assert used == total(found)
    last = {each.span_id: each for each in sorted(found, key=lambda each: each.seq)}
    counted = [last[""]] if "" in last else list(last.values())
    assert used.totals.input_tokens == sum(each.input_tokens or 0 for each in counted)
    known = [each.cost_usd for each in counted if each.cost_usd is not None]
    assert used.totals.cost_usd == (sum(known) if known else None)
    assert used.by_span.keys() == last.keys() - {""}
