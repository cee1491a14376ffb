"""Outcomes: how the end of an attempt is said to the server."""

from pathlib import Path
from typing import Any

from agentrunner.agents.base import Ending, Verdict
from agentrunner.domain.control import Offsets, Outcome
from agentrunner.domain.sample import Used
from agentrunner.domain.state import Reason, Status
from agentrunner.process.adopt import ExitRecord


def never_started(stored: Offsets) -> Outcome:
    """Stopped before anything was executed."""
    return Outcome(status=Status.STOPPED, reason=Reason.STOPPED_BY_USER, sizes=stored, details={"started": False})


def refused(stored: Offsets, reason: Reason, message: str) -> Outcome:
    """It cannot be started on this worker."""
    return Outcome(status=Status.FAILED, reason=reason, message=message[:10_000], sizes=stored)


def copied(stored: Offsets, directory: Path) -> Outcome:
    """The run directory is a copy of another: whatever runs elsewhere is not ours to touch."""
    message = f"{directory} is a copy of a run directory: nothing was signalled. Remove the copy, then retry."
    return Outcome(status=Status.FAILED, reason=Reason.WORKER_LOST, message=message, sizes=stored, final=True)


def vanished(stored: Offsets) -> Outcome:
    """It was executed, and its run directory is no more: starting it again would be starting it twice."""
    message = "The directory of this run was removed while it was active, and with it whatever had not been recorded."
    return Outcome(status=Status.FAILED, reason=Reason.SHIM_LOST, message=message, sizes=stored, final=True)


def lost(sizes: Offsets) -> Outcome:
    """The shim is gone without an exit record; its tree was killed and proven empty."""
    message = "The process that supervised this run was killed; everything it had started was ended."
    return Outcome(status=Status.FAILED, reason=Reason.SHIM_LOST, message=message, sizes=sizes)


def rebooted(sizes: Offsets) -> Outcome:
    """The host restarted under the run."""
    message = "The host restarted while the run was active."
    return Outcome(status=Status.FAILED, reason=Reason.HOST_REBOOTED, message=message, sizes=sizes)


def exited(record: ExitRecord, verdict: Verdict, sizes: Offsets) -> Outcome:
    """The agent ended and the shim has written how; the backend has judged it."""
    if record.limit == "deadline":
        verdict = Verdict(Status.FAILED, Reason.WORKER_LOST, "No server answered its worker for a lease.")
    return Outcome(
        status=verdict.status,
        reason=verdict.reason,
        message=verdict.message,
        exit_code=record.exit_code,
        signal=record.signal,
        sizes=sizes,
        details=_details(record),
        used=Used(cpu_us=record.used.cpu_us, memory_peak_bytes=record.used.memory_peak_bytes),
    )


def ending(record: ExitRecord) -> Ending:
    """What a backend is told of the end."""
    return Ending(
        exit_code=record.exit_code,
        signal=record.signal,
        stopped=record.stopped,
        limit=record.limit,
        spawn_error=record.spawn_error,
    )


def _details(record: ExitRecord) -> dict[str, Any]:
    known = {"leftover": record.leftover, "step": record.step, "tree": record.tree, "dropped": record.dropped}
    return {name: value for name, value in known.items() if value}
