"""Facts of the shim's journal as events of the timeline."""

from collections.abc import Callable
from typing import Any

from agentrunner.domain.event import EventType, NewEvent, new_event
from agentrunner.process.journal import Fact


def event_of(fact: Fact) -> NewEvent | None:
    """The event of a fact, or None for one that only the exit record repeats (signals sent, the exit itself)."""
    made = _EVENTS.get(fact.name)
    return None if made is None else made(fact)


def _plain(type: EventType) -> Callable[[Fact], NewEvent]:
    return lambda fact: new_event(type, fact.fields, ts=fact.ts)


def _wish(type: EventType) -> Callable[[Fact], NewEvent]:
    return lambda fact: new_event(type, {"revision": fact.fields.get("rev", 0)}, ts=fact.ts)


def _limit(fact: Fact) -> NewEvent:
    return new_event(EventType.LIMIT, fact.fields, level="warning", ts=fact.ts)


def _cap(state: str) -> Callable[[Fact], NewEvent]:
    payload: dict[str, Any] = {"limit": "spool_cap", "state": state}
    return lambda fact: new_event(EventType.LIMIT, payload, level="warning", ts=fact.ts)


def _deadline(fact: Fact) -> NewEvent:
    payload = {"limit": "lease", "message": "No worker moved the deadline on, so the run ended itself."}
    return new_event(EventType.LIMIT, payload, level="warning", ts=fact.ts)


def _dropped(fact: Fact) -> NewEvent:
    return new_event(EventType.OUTPUT_DROPPED, fact.fields, level="warning", ts=fact.ts)


def _unkillable(fact: Fact) -> NewEvent:
    message = "Processes of the run do not end although they were killed; the run ends when they do."
    payload = {"kind": "unkillable", "message": message, **fact.fields}
    return new_event(EventType.ERROR, payload, level="error", ts=fact.ts)


def _undelivered(fact: Fact) -> NewEvent:
    message = f"Input {fact.fields.get('id')} did not wholly reach the agent: it reads no input any more."
    payload = {"kind": "input_undelivered", "message": message, **fact.fields}
    return new_event(EventType.ERROR, payload, level="warning", ts=fact.ts)


_EVENTS: dict[str, Callable[[Fact], NewEvent]] = {
    "started": _plain(EventType.RUN_STARTED),
    "paused": _wish(EventType.RUN_PAUSED),
    "resumed": _wish(EventType.RUN_RESUMED),
    "input_delivered": _plain(EventType.INPUT_DELIVERED),
    "limit": _limit,
    "frozen": _cap("frozen"),
    "thawed": _cap("thawed"),
    "output_dropped": _dropped,
    "unkillable": _unkillable,
    "input_undelivered": _undelivered,
    "deadline": _deadline,
}
