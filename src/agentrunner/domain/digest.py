"""One hash of what an agent said: two timelines have the same where they tell the same, however their output arrived.

Left out are ids, numbers, times and attempts, and what the runner itself writes about a run. Neighbouring `log` events
of a stream are one, since their borders depend on when the bytes came. Standard error is hashed apart from everything
else: where an agent writes into files, nothing says what of the two streams came first.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from agentrunner.domain.event import EventType

_STDERR = "stderr"
_OF_THE_RUNNER = frozenset(
    {EventType.INPUT_RECEIVED, EventType.INPUT_DELIVERED, EventType.LIMIT, EventType.OUTPUT_DROPPED}
)
_OF_THE_SHIM = frozenset({"unkillable", "input_undelivered"})
"""Kinds of `error` that come from the journal, not from the agent."""
_encode = msgspec.json.Encoder(order="deterministic").encode


class Said(Protocol):
    """What is hashed of an event; stored ones, those on the wire and those on their way in have it alike."""

    @property
    def type(self) -> str:
        """The event's type."""
        ...

    @property
    def level(self) -> str:
        """Its level."""
        ...

    @property
    def payload(self) -> msgspec.Raw:
        """Its payload, JSON text."""
        ...


class Digest:
    """Takes events in order, of one attempt; holds no more than one of them."""

    def __init__(self) -> None:
        self._streams: dict[bool, _Stream] = {False: _Stream(), True: _Stream()}

    def add(self, event: Said) -> None:
        """The next event."""
        if event.type.startswith("run.") or event.type in _OF_THE_RUNNER:
            return
        payload = msgspec.json.decode(event.payload)
        fields = payload if isinstance(payload, dict) else {}
        if event.type == EventType.ERROR and fields.get("kind") in _OF_THE_SHIM:
            return
        stream = self._streams[fields.get("stream") == _STDERR]
        if event.type == EventType.LOG and isinstance(fields.get("lines"), list):
            stream.add_lines(event.level, fields)
        else:
            stream.add_event(event.type, event.level, payload)

    def hex(self) -> str:
        """The hash of what was added so far: 64 hexadecimal digits."""
        return hashlib.sha256(b"".join(self._streams[name].digest() for name in (False, True))).hexdigest()


def digest(events: Iterable[Said]) -> str:
    """The hash of a whole timeline of one attempt."""
    made = Digest()
    for event in events:
        made.add(event)
    return made.hex()


class _Stream:
    """The events of one stream. Each token goes in with its length, so that no two sequences read the same."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._lines_of: tuple[str, Any] | None = None

    def add_event(self, type: str, level: str, payload: Any) -> None:
        self._lines_of = None
        self._put(b"event", _encode([type, level, payload]))

    def add_lines(self, level: str, fields: dict[str, Any]) -> None:
        """Lines of a `log` event; those that follow others of the same kind go on where these ended."""
        kind = (level, fields.get("stream"))
        if kind != self._lines_of:
            self._lines_of = kind
            self._put(b"log", _encode([*kind, fields.get("offset")]))
        for line in fields["lines"]:
            self._put(b"line", _encode(line))

    def digest(self) -> bytes:
        return self._hash.digest()

    def _put(self, kind: bytes, data: bytes) -> None:
        self._hash.update(b"%b %d " % (kind, len(data)) + data)
