"""Facts of the journal as events."""

import msgspec
import pytest

from agentrunner.process.journal import Fact
from agentrunner.worker.facts import event_of


def fact(name: str, **fields: object) -> Fact:
    """A fact as it is read."""
    return Fact(name, 1234, 5, 6, 100, fields)


@pytest.mark.parametrize(
    ("made", "type", "payload"),
    [
        (fact("started", pid=3, tree="walk"), "run.started", {"pid": 3, "tree": "walk"}),
        (fact("paused", rev=4), "run.paused", {"revision": 4}),
        (fact("resumed", rev=5), "run.resumed", {"revision": 5}),
        (fact("input_delivered", id=9), "input.delivered", {"id": 9}),
        (fact("limit", limit="wall_s"), "limit", {"limit": "wall_s"}),
        (fact("frozen", cause="cap"), "limit", {"limit": "spool_cap", "state": "frozen"}),
        (fact("thawed", cause="cap"), "limit", {"limit": "spool_cap", "state": "thawed"}),
        (fact("output_dropped", stream="out", bytes=7), "output.dropped", {"stream": "out", "bytes": 7}),
    ],
    ids=lambda value: value.name if isinstance(value, Fact) else "",
)
def test_a_fact_is_an_event(made: Fact, type: str, payload: dict[str, object]) -> None:
    """With the time at which it became true, not the one at which it was read."""
    event = event_of(made)
    assert event is not None
    assert (event.type, event.ts, msgspec.json.decode(event.payload)) == (type, 1234, payload)


def test_the_deadline_is_explained() -> None:
    """A person sees why a run ended itself."""
    event = event_of(fact("deadline"))
    assert event is not None
    assert (event.type, event.level) == ("limit", "warning")
    assert "deadline" in msgspec.json.decode(event.payload)["message"]


@pytest.mark.parametrize("name", ["unkillable", "input_undelivered"])
def test_what_went_wrong_is_said(name: str) -> None:
    """With its kind, a sentence, and the fact's own fields."""
    event = event_of(fact(name, id=7))
    assert event is not None
    payload = msgspec.json.decode(event.payload)
    assert (event.type, payload["kind"], payload["id"]) == ("error", name, 7)
    assert payload["message"].endswith(".")


@pytest.mark.parametrize("name", ["signal", "exited", "input", "unreadable", "of the future"])
def test_other_facts_are_no_events(name: str) -> None:
    """The exit record repeats them, or they are for the worker alone; an unknown one harms nobody."""
    assert event_of(fact(name)) is None
