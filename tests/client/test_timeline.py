"""What is taken of a stream's frames: no gap, unless the server says that there is nothing left to give."""

import json
from typing import Any

import pytest

from agentrunner.client.sse import Frame
from agentrunner.client.timeline import Broken, Timeline


def event(seq: int, type: str = "log", **more: Any) -> Frame:
    """The frame of an event."""
    fields = {"id": seq, "run_id": 1, "seq": seq, "attempt": 1, "ts": "2026-01-01T00:00:00.000Z", "type": type}
    return Frame(type, json.dumps({**fields, "level": "info", "payload": {}, **more}), str(seq))


def pruned(first: int) -> Frame:
    """The frame for events that are gone."""
    return Frame("pruned", json.dumps({"pruned_before": first}), "")


def test_a_gap_is_broken() -> None:
    """It is asked for again."""
    timeline = Timeline(3)
    assert timeline.take(event(4)) is not None
    with pytest.raises(Broken, match="event 6 came after 4"):
        timeline.take(event(6))


def test_what_is_gone_is_no_gap() -> None:
    """The next event is the one that the server names, and nothing goes back."""
    timeline = Timeline(3)
    assert timeline.take(pruned(20)) is None
    assert timeline.last == 19
    with pytest.raises(Broken):
        timeline.take(event(21))
    assert timeline.take(event(20)) is not None
    assert timeline.take(pruned(5)) is None
    assert timeline.last == 20


def test_a_reporters_event_of_that_name_is_an_event() -> None:
    """Its frame has no such field."""
    timeline = Timeline()
    assert timeline.take(event(1, "pruned")) is not None
    assert timeline.last == 1
