"""Runs that a program reports when they are over: what it says of one, and what its words mean here."""

from typing import Any

import msgspec

from agentrunner.domain.state import Cause, Reason, Status

MOST_AT_ONCE = 10_000
"""How many such runs one request may report."""
AHEAD_MS = 86_400_000
"""A run that says to have begun further in the future has a wrong clock; it counts as begun when it was reported."""
_ENDINGS: dict[str, tuple[Cause, Reason | None]] = {
    **dict.fromkeys(("completed", "success", "succeeded"), (Cause.COMPLETED, None)),
    **dict.fromkeys(("failed", "error"), (Cause.FAILED, Reason.EXIT_NONZERO)),
    **dict.fromkeys(("timeout", "timed_out"), (Cause.FAILED, Reason.WALL_TIMEOUT)),
    **dict.fromkeys(("cancelled", "canceled", "stopped"), (Cause.STOPPED, Reason.STOPPED_BY_USER)),
}
_TIMEOUTS = frozenset({Reason.WALL_TIMEOUT, Reason.IDLE_TIMEOUT, Reason.START_TIMEOUT})
_WORDS = {
    Status.QUEUED: "pending",
    Status.RUNNING: "running",
    Status.PAUSED: "running",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.STOPPED: "cancelled",
}


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """A run as its program reports it.

    `created` is when it began (ms; None: not said), `taken_ms` how long it took, `said` what is only answered back.
    """

    status: str
    created: int | None = None
    taken_ms: int | None = None
    cost_usd: float | None = None
    said: dict[str, Any] = {}


def ending_of(status: str) -> tuple[Cause, Reason | None] | None:
    """How a run with this reported status ended; None for any other word: it is kept, and the run goes on."""
    return _ENDINGS.get(status.strip().lower())


def word_of(status: Status, reason: Reason | None) -> str:
    """A run's status as such programs call it."""
    return "timeout" if reason in _TIMEOUTS and status is Status.FAILED else _WORDS[status]
