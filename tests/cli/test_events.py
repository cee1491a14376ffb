"""Events as lines."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.cli.events import Timeline
from agentrunner.cli.output import Output
from agentrunner.domain.event import EventType, EventView

CREATED = "2025-11-21T02:00:00.000Z"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = ["lines", "stream", "text", "role", "name", "input", "output", "ok", "usd", "message", "input_tokens"]
PAYLOADS = JSON | st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5)


def lines(type: str, payload: Any = None, **fields: Any) -> list[str]:
    """The lines of an event at two and a half seconds, behind a pipe."""
    view = EventView(id=1, run_id=1, seq=1, attempt=1, ts="2025-11-21T02:00:02.500Z", type=type, level="info",
                     payload=msgspec.Raw(msgspec.json.encode({} if payload is None else payload)))  # fmt: skip
    return Timeline(Output({}), CREATED).text(msgspec.structs.replace(view, **fields)).splitlines()


@pytest.mark.parametrize(
    ("type", "payload", "expected"),
    [
        ("log", {"stream": "stdout", "offset": 0, "lines": ["a", "b"]}, ["    2.50s │ a", "          │ b"]),
        ("message", {"role": "assistant", "text": "Hi\nthere\n"}, ["    2.50s ● Hi", "            there"]),
        ("message", {"role": "user", "text": "Hi"}, ["    2.50s » Hi"]),
        ("thinking", {"text": ""}, []),
        ("tool.called", {"name": "Bash", "input": {"command": "ls -l"}}, ['    2.50s ▸ Bash command="ls -l"']),
        ("tool.called", {"toolName": "ReadFile", "path": "a"}, ["    2.50s ▸ ReadFile"]),
        ("tool.result", {"ok": False, "output": "no"}, ["    2.50s ✗ no"]),
        ("usage", {"input_tokens": 3, "output_tokens": 4}, ["    2.50s ∑ 3 in, 4 out"]),
        ("cost", {"usd": 0.25}, ["    2.50s ∑ $0.2500"]),
        ("error", {"message": "refused", "kind": "auth"}, ["    2.50s ✗ refused"]),
        ("run.started", {"pid": 7, "start_time": 9}, ["    2.50s run.started pid=7"]),
        ("span.start", {"a": [1]}, ["    2.50s span.start a=[1]"]),
        ("message.delta", {"text": "x"}, []),
    ],
)  # fmt: skip
def test_how_events_look(type: str, payload: Any, expected: list[str]) -> None:
    """When, a mark, and what matters to a person."""
    assert lines(type, payload) == expected


def test_long_answers_of_tools_are_cut_and_counted() -> None:
    """`--json` has them whole."""
    shown = lines("tool.result", {"ok": True, "output": "\n".join(map(str, range(100)))})
    assert len(shown) == 6
    assert shown[-1].strip() == "… 95 more lines"


def test_what_came_late_says_so() -> None:
    """It changed nothing any more."""
    assert lines("custom.type", {}, late=True) == ["    2.50s custom.type (late)"]


@given(st.sampled_from([*EventType, "custom.type", "run.custom"]), PAYLOADS)
def test_no_payload_breaks_it(type: str, payload: Any) -> None:
    """Reporters may send anything under any type."""
    assert all(isinstance(line, str) for line in lines(type, payload))
