"""Spans: what events say about them, in every spelling."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.domain.event import NewEvent, new_event
from agentrunner.domain.span import SPAN_TYPES, Begin, End, read


@pytest.mark.parametrize(
    ("type", "payload", "expected"),
    [
        ("span.start", {"spanId": "s", "name": "plan"}, Begin("s", None, "plan", "span", {})),
        (
            "span.start",
            {"spanId": "s", "parentSpanId": "p", "name": "n", "kind": "llm", "attrs": {"a": 1}},
            Begin("s", "p", "n", "llm", {"a": 1}),
        ),
        ("span.end", {"spanId": "s", "status": "error"}, End("s", "", "error", {})),
        ("tool.called", {"toolCallId": "t", "toolName": "Read"}, Begin("t", None, "Read", "tool", {})),
        ("tool.called", {"call_id": "t", "name": "Read", "input": {}}, Begin("t", None, "Read", "tool", {})),
        ("tool.called", {"tool": "Read"}, Begin(None, None, "Read", "tool", {})),
        ("tool.result", {"tool": "Read"}, End(None, "Read", "ok", {})),
        ("tool.result", {"call_id": "t", "is_error": True}, End("t", "", "error", {})),
        ("tool.result", {"toolCallId": 7, "error": "no file"}, End("7", "", "error", {})),
        ("tool.called", {}, None),
        ("span.start", {"name": "without an id"}, None),
        ("log", {"spanId": "s"}, None),
    ],
)
def test_spellings(type: str, payload: dict[str, Any], expected: Begin | End | None) -> None:
    """Every spelling of the reporters and of our own parsers is understood."""
    assert read(new_event(type, payload)) == expected


_JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda x: st.lists(x, max_size=3))


@given(st.sampled_from(sorted(SPAN_TYPES)), st.dictionaries(st.sampled_from(["spanId", "id", "name", "tool"]), _JSON))
def test_any_payload(type: str, payload: dict[str, Any]) -> None:
    """No payload raises, and no text of it is longer than the bound or contains NUL."""
    found = read(new_event(type, payload))
    if found is not None:
        assert all("\x00" not in text and len(text) <= 500 for text in (found.span_id or "", found.name))


def test_no_object() -> None:
    """A payload that is no object, or no JSON, says nothing."""
    assert read(new_event("span.start", [1])) is None
    assert read(NewEvent(type="span.start", payload=b"{")) is None  # type: ignore[arg-type]
