"""Events: what is built here and how it shows."""

from typing import Any

import msgspec
import pytest

from agentrunner.domain.event import Event, EventType, NewEvent, new_event, view
from agentrunner.domain.instant import MAX_INSTANT


def test_a_new_event_has_its_payload_as_json() -> None:
    """None becomes an empty object."""
    assert bytes(new_event("x").payload) == b"{}"
    event = new_event(EventType.LIMIT, {"a": 1}, level="warning", ts=5)
    assert (event.type, bytes(event.payload), event.level, event.ts) == ("limit", b'{"a":1}', "warning", 5)


def test_the_payload_is_kept_as_it_came() -> None:
    """Not decoded, so not changed: spaces and the order of names stay."""
    event = msgspec.json.decode(b'{"type": "a.b", "payload": {"z" : 1,  "a":2.50}}', type=NewEvent)
    assert bytes(event.payload).strip() == b'{"z" : 1,  "a":2.50}'


def test_the_wire_form() -> None:
    """`late` shows only where it is true."""
    stored = Event(id=1, run_id=2, seq=3, attempt=1, ts=0, type="log", level="info", payload=msgspec.Raw(b'{"a":1}'))
    sent = msgspec.json.decode(msgspec.json.encode(view(stored)))
    assert sent == {
        "id": 1,
        "run_id": 2,
        "seq": 3,
        "attempt": 1,
        "ts": "1970-01-01T00:00:00.000Z",
        "type": "log",
        "level": "info",
        "payload": {"a": 1},
    }
    flagged = msgspec.structs.replace(stored, late=True)
    assert msgspec.json.decode(msgspec.json.encode(view(flagged)))["late"] is True


@pytest.mark.parametrize(
    "fields",
    [
        {"ts": -1},
        {"ts": MAX_INSTANT + 1},
        {"client_seq": -1},
        {"client_seq": 2**63},
        {"producer": "p" * 201},
        {"level": "fatal"},
    ],
)
def test_what_a_reporter_cannot_send(fields: dict[str, Any]) -> None:
    """Numbers that no database column or date can hold are refused at the door."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode({"type": "x", **fields}), type=NewEvent)


def test_types_are_dotted_words() -> None:
    """One form for all, each once."""
    assert len({kind.value for kind in EventType}) == len(EventType)
    assert all(part.isidentifier() for kind in EventType for part in kind.value.split("."))
