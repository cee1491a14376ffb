"""Runs as the programs see them that report here: a name they chose, the status they said, how it ended.

Three words are understood (`running`, `completed`, `error`); every other is kept as it was said while the run goes on.
"""

import re
from typing import Any

import msgspec

from agentrunner.domain.event import Event, EventType
from agentrunner.domain.run import Run
from agentrunner.domain.state import Status

RUNNING = "running"
COMPLETED = "completed"
ERROR = "error"
OURS = re.compile(r"ar-([1-9][0-9]{0,17})$(?!\n)")
"""The name of a run that has none of its own: `ar-` and its id. No reporter may choose such a one."""
MAX_NAME = 200
MAX_ERROR = 10_000
_SAID = {Status.COMPLETED: COMPLETED, Status.FAILED: ERROR, Status.STOPPED: ERROR}


class NewReport(msgspec.Struct, frozen=True, kw_only=True):
    """A run that a program begins to report; what it leaves away is chosen here. `started_at` in milliseconds."""

    name: str | None = None
    title: str | None = None
    started_at: int | None = None
    status: str | None = None


class Amendment(msgspec.Struct, frozen=True, kw_only=True):
    """What a program changes of the run it reports; None leaves a thing as it is, `metadata` is replaced whole."""

    title: str | None = None
    status: str | None = None
    error: str | None = None
    metadata: dict[str, Any] | None = None


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What the program itself said of a run's status, word for word, and of its error."""

    status: str = RUNNING
    error: str | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A run, and what was said of it; nothing of one that runs here or came in by another way."""

    run: Run
    said: Said | None = None

    @property
    def name(self) -> str:
        """What the run is called."""
        return name_of(self.run)

    @property
    def is_over(self) -> bool:
        """True for a run that has ended, and stays so."""
        return self.run.status.is_terminal

    @property
    def status(self) -> str:
        """How it ended; before that the word of the program, `running` where it said none."""
        if self.is_over:
            return _SAID[self.run.status]
        return RUNNING if self.said is None or self.said.status in (COMPLETED, ERROR) else self.said.status

    @property
    def error(self) -> str | None:
        """Why it failed."""
        if self.said is not None and self.said.error is not None:
            return self.said.error
        if self.run.status is Status.STOPPED:
            return self.run.message or "stopped"
        if self.run.status is Status.FAILED:
            return self.run.message or (self.run.reason.value if self.run.reason and self.said is None else None)
        return None

    @property
    def metadata(self) -> dict[str, Any]:
        """The run's metadata; of one whose status the three words cannot tell, `state` says it."""
        told = {Status.RUNNING: RUNNING, Status.COMPLETED: COMPLETED, Status.FAILED: ERROR}
        if self.run.status in told:
            return self.run.metadata
        return {"state": self.run.status.value, **self.run.metadata}


def name_of(run: Run) -> str:
    """What a run is called here: the name its program chose, else `ar-` and its id."""
    return run.external_id or f"ar-{run.id}"


class Extra(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What a reporter says of an event beside the rest: labels, and its own word where the stored type is ours."""

    agent_id: str | None = None
    task_id: str | None = None
    type: str | None = None


NOTHING = Extra()
_extra = msgspec.json.Decoder(Extra)


def extra_of(event: Event) -> Extra:
    """What was said beside the rest."""
    return NOTHING if event.extra is None else _extra.decode(event.extra)


def with_word(extra: str | None, word: str) -> str:
    """The JSON text of an event's `extra` that keeps the type which the reporter gave it."""
    known = NOTHING if extra is None else _extra.decode(extra)
    return msgspec.json.encode(msgspec.structs.replace(known, type=word)).decode()


def word_of(event: Event, run: Run) -> str | None:
    """The type of an event as reporters know it; None for one that only the server's own timeline has."""
    if event.extra is not None and (word := extra_of(event).type) is not None:
        return word
    if run.backend != "external":
        return _ENDS.get(event.type, event.type)
    return None if event.seq == 1 else event.type


_ENDS = {EventType.RUN_FAILED.value: "run.error", EventType.RUN_STOPPED.value: "run.error"}


def message_of(payload: object) -> str | None:
    """Why a run failed, as the payload of its last event says: `message`, else `error`."""
    if not isinstance(payload, dict):
        return None
    value = payload.get("message") or payload.get("error")
    if value is None or isinstance(value, bool):
        return None
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text[:MAX_ERROR].replace("\x00", "\N{REPLACEMENT CHARACTER}")
