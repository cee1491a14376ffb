"""Traces: sums by kind, the chain that counts, and programs that err."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agentrunner.domain.span import Span
from agentrunner.domain.trace import LONGEST_MS, Trace, summarize
from agentrunner.domain.usage import UsageSum


def _span(span_id: str, start: int, end: int | None, parent: str | None = None, **more: Any) -> Span:
    given = {"name": span_id, "kind": "k", "status": "ok", "attrs": {}, **more}
    return Span(run_id=1, span_id=span_id, parent_id=parent, started_at=start, ended_at=end, **given)


def test_nothing() -> None:
    """Without spans everything is zero."""
    assert summarize([], {}, 99) == Trace()


def test_the_critical_path_is_the_time_that_the_longest_chain_covers() -> None:
    """A child within its parent adds nothing, one that outlasts it what is beyond."""
    spans = [_span("a", 0, 100), _span("b", 10, 60, "a"), _span("c", 90, 130, "a"), _span("d", 200, 220)]
    found = summarize(spans, {}, 0)
    assert (found.total_ms, found.critical_ms) == (220, 130)


def test_a_circle_of_parents_ends() -> None:
    """A span that is its own descendant is counted and never followed, however the circle is reached."""
    circle = [_span("a", 0, 10, "c"), _span("b", 0, 10, "a"), _span("c", 0, 10, "b"), _span("me", 0, 9, "me")]
    found = summarize([*circle, _span("root", 0, 5)], {}, 0)
    assert found.critical_ms == 5
    assert sum(each.spans for each in found.hotspots) == 5


def test_a_chain_of_ten_thousand() -> None:
    """No recursion: a chain may be as long as a run has spans."""
    chain = [_span("0", 0, 1)] + [_span(str(n), n, n + 1, str(n - 1)) for n in range(1, 10_000)]
    assert summarize(chain, {}, 0).critical_ms == 10_000


def test_strange_spans_are_counted_and_left_out() -> None:
    """An end before the beginning, and more than a day."""
    found = summarize([_span("back", 50, 40), _span("long", 0, LONGEST_MS + 1), _span("fine", 0, 7)], {}, 0)
    assert (found.strange, [each.span_id for each in found.slowest], found.hotspots[0].duration_ms) == (2, ["fine"], 7)


def test_concurrent_children() -> None:
    """They may take longer together than their parent, whose own time is then nothing."""
    spans = [_span("p", 0, 10, kind="agent"), _span("x", 0, 9, "p"), _span("y", 0, 9, "p")]
    found = summarize(spans, {}, 0)
    assert found.overfull == 1
    assert {each.kind: (each.duration_ms, each.self_ms) for each in found.hotspots} == {"agent": (10, 0), "k": (18, 18)}


def test_usage_by_kind() -> None:
    """Tokens and cost of the spans of a kind; nothing where nothing is known."""
    spans = [_span("a", 0, 1, kind="llm"), _span("b", 0, 2, kind="llm", status="error"), _span("c", 0, 3)]
    usage = {"a": UsageSum(total_tokens=5, cost_usd=1.0), "b": UsageSum(total_tokens=7), "gone": UsageSum()}
    llm, other = sorted(summarize(spans, usage, 0).hotspots, key=lambda each: each.kind == "k")
    assert (llm.total_tokens, llm.cost_usd, llm.errors, llm.spans) == (12, 1.0, 1, 2)
    assert (other.total_tokens, other.cost_usd) == (None, None)


def test_open_spans() -> None:
    """What lasts has no duration; the whole lasts until now where nothing has ended."""
    found = summarize([_span("a", 10, None, status=None)], {}, 50)
    assert (found.total_ms, found.critical_ms, found.slowest) == (40, 0, [])


_ids = st.sampled_from("abcdef")
_spans = st.lists(
    st.builds(_span, _ids, st.integers(0, 50), st.none() | st.integers(0, 80), st.none() | _ids),
    unique_by=lambda each: each.span_id,
    min_size=1,
)


@given(_spans)
def test_whatever_comes(spans: list[Span]) -> None:
    """The chain is never longer than the whole, own time never more than time, and each span is in one kind."""
    found = summarize(spans, {}, 100)
    assert 0 <= found.critical_ms
    if all(span.ended_at is not None and span.ended_at >= span.started_at for span in spans):
        assert found.critical_ms <= found.total_ms
    assert sum(each.spans for each in found.hotspots) == len(spans)
    assert all(0 <= each.self_ms <= each.duration_ms for each in found.hotspots)
