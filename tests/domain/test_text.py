"""What is in an event for a person who looks for it."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.domain.text import contains, kept_as_is


@pytest.mark.parametrize(
    ("sought", "payload", "is_in"),
    [
        ("error", {"stream": "stdout", "lines": ["ok", "An ERROR here"]}, True),
        ("stdout", {"stream": "stdout", "lines": []}, True),
        ("lines", {"stream": "stdout", "lines": ["a"]}, False),
        ("one\ntwo", {"lines": ["line one", "two"]}, True),
        ("src/app.py", {"name": "Edit", "input": {"file": "src/App.py", "n": [1, {"x": None}]}}, True),
        ("42", {"exit": 42}, True),
        ("true", {"ok": True}, False),
        ("grün", {"text": "ROT-GRÜN"}, True),
        ('say "hi"', {"text": 'say "Hi"'}, True),
        ("tool.called", {}, True),
        ("nothing", None, False),
    ],
)
def test_what_is_in_it(sought: str, payload: Any, is_in: bool) -> None:
    """Texts and numbers at any depth, and the type; no names of fields."""
    assert contains(sought, "Tool.called", json.dumps(payload).encode()) is is_in
    assert contains(sought, "Tool.called", json.dumps(payload, ensure_ascii=False).encode()) is is_in


def test_what_is_nested_deep() -> None:
    """It is read, or taken as the text that it is."""
    assert contains("deep", "t", b"[" * 500 + b'"deep"' + b"]" * 500)
    assert contains("deep", "t", b"[" * 100_000 + b'"deep"' + b"]" * 100_000)


@given(st.text(max_size=30), st.text(max_size=10), st.text(max_size=10))
def test_what_stands_as_it_is(sought: str, before: str, after: str) -> None:
    """The part that the database looks for is in the JSON of every text that contains what is sought."""
    part = kept_as_is(sought)
    assert part in sought
    assert part in json.dumps(before + sought + after)
    assert part in msgspec.json.encode(before + sought + after).decode()
