"""Events: immutable records in a run's timeline, numbered `seq` = 1, 2, 3 … per run without gaps."""

from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from agentrunner.domain.instant import MAX_INSTANT, rfc3339

Level = Literal["debug", "info", "warning", "error"]

MAX_LOG_BYTES = 64 * 1024
"""Lines that arrive together are joined into one `log` event of up to this size."""
MAX_LINE_BYTES = 1024 * 1024
"""A longer line is cut here, flagged and counted."""


class EventType(StrEnum):
    """The types that Agent Runner itself writes; reporters may send any dotted type."""

    RUN_CREATED = "run.created"
    RUN_CLAIMED = "run.claimed"
    RUN_STARTED = "run.started"
    RUN_PAUSED = "run.paused"
    RUN_RESUMED = "run.resumed"
    RUN_STOP_REQUESTED = "run.stop_requested"
    RUN_STOPPED = "run.stopped"
    RUN_COMPLETED = "run.completed"
    RUN_FAILED = "run.failed"
    RUN_RETRIED = "run.retried"
    RUN_ADOPTED = "run.adopted"
    RUN_LOST = "run.lost"
    SESSION_STARTED = "session.started"
    TURN_STARTED = "turn.started"
    TURN_FINISHED = "turn.finished"
    MESSAGE = "message"
    MESSAGE_DELTA = "message.delta"
    THINKING = "thinking"
    TOOL_CALLED = "tool.called"
    TOOL_OUTPUT = "tool.output"
    TOOL_RESULT = "tool.result"
    DECISION_REQUESTED = "decision.requested"
    DECISION_RESOLVED = "decision.resolved"
    INPUT_RECEIVED = "input.received"
    INPUT_DELIVERED = "input.delivered"
    USAGE = "usage"
    COST = "cost"
    RETRY = "retry"
    ERROR = "error"
    LIMIT = "limit"
    ARTIFACT_CREATED = "artifact.created"
    DIFF = "diff"
    LOG = "log"
    OUTPUT_TRUNCATED = "output.truncated"
    OUTPUT_DROPPED = "output.dropped"
    RAW = "raw"


TURN_TYPES = frozenset({EventType.TURN_STARTED.value, "agent.thinking", "plan.generated", "executing"})
"""Types that say the agent has begun its next turn; the last three are the steps of the simulated agent."""


class NewEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event on its way in: everything but what the store decides.

    `ts` is in milliseconds; None means the time of storing. `payload` is JSON text, kept as it is.
    `producer` and `client_seq` together name an event of a reporter once and for all.
    """

    type: str
    payload: msgspec.Raw = msgspec.Raw(b"{}")
    level: Level = "info"
    ts: Annotated[int, Meta(ge=0, le=MAX_INSTANT)] | None = None
    producer: Annotated[str, Meta(max_length=200)] | None = None
    client_seq: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None


class SurfaceEvent(NewEvent, frozen=True, kw_only=True):
    """An event that came in by a document's surface, which may name any level.

    `extra` is JSON text of what that surface shows beside the rest.
    """

    level: str = "info"  # type: ignore[assignment]
    extra: str | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event as stored; `ts` in milliseconds. `late` marks what arrived after its attempt had ended.

    `extra` is JSON text of what a surface was told beside the rest.
    """

    id: int
    run_id: int
    seq: int
    attempt: int
    ts: int
    type: str
    level: str
    payload: msgspec.Raw
    late: bool = False
    extra: str | None = None


class EventView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event on the wire."""

    id: int
    run_id: int
    seq: int
    attempt: int
    ts: str
    type: str
    level: str
    payload: msgspec.Raw
    late: bool = False
    extra: dict[str, Any] | None = None


def view(event: Event) -> EventView:
    """The wire form of a stored event."""
    return EventView(
        id=event.id,
        run_id=event.run_id,
        seq=event.seq,
        attempt=event.attempt,
        ts=rfc3339(event.ts),
        type=event.type,
        level=event.level,
        payload=event.payload,
        late=event.late,
        extra=None if event.extra is None else msgspec.json.decode(event.extra),
    )


def new_event(type: str, payload: object = None, *, level: Level = "info", ts: int | None = None) -> NewEvent:
    """An event with `payload` encoded to JSON (None becomes an empty object)."""
    raw = msgspec.Raw(msgspec.json.encode({} if payload is None else payload))
    return NewEvent(type=type, payload=raw, level=level, ts=ts)
