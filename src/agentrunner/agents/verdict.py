"""How an attempt ended, as far as it does not depend on the program: the rules that every backend shares."""

import signal

from agentrunner.agents.base import Ending, Verdict
from agentrunner.domain.state import Reason, Status

LIMIT_REASONS: dict[str, Reason] = {
    "wall": Reason.WALL_TIMEOUT,
    "idle": Reason.IDLE_TIMEOUT,
    "start": Reason.START_TIMEOUT,
    "memory": Reason.OOM_KILLED,
    "oom": Reason.OOM_KILLED,
    "deadline": Reason.WORKER_LOST,
}
"""The reason for each limit by its name without its unit; any other limit is `limit_exceeded`."""


def judge_exit(ending: Ending) -> Verdict:
    """The verdict on a program whose only word is its exit status."""
    return imposed(ending) or of_status(ending)


def imposed(ending: Ending) -> Verdict | None:
    """The verdict where not the program but somebody else decided: it never ran, was stopped, or hit a limit.

    A stop outranks a limit: what a person asked for is why it ended, even if the grace period ran into a limit.
    """
    if ending.spawn_error is not None:
        return Verdict(Status.FAILED, Reason.SPAWN_ERROR, f"The program could not be started: {ending.spawn_error}")
    if ending.stopped:
        return Verdict(Status.STOPPED, Reason.STOPPED_BY_USER)
    if ending.limit is not None:
        return Verdict(Status.FAILED, _limit_reason(ending.limit), f"The limit `{ending.limit}` ended the run.")
    return None


def of_status(ending: Ending) -> Verdict:
    """The verdict by exit code or signal alone."""
    if ending.signal is not None:
        return Verdict(Status.FAILED, Reason.SIGNAL, f"The program was killed by {signal_name(ending.signal)}.")
    if ending.exit_code is None:
        return Verdict(Status.FAILED, Reason.SHIM_LOST, "Nobody saw how the program ended.")
    if ending.exit_code == 0:
        return Verdict(Status.COMPLETED)
    return Verdict(Status.FAILED, Reason.EXIT_NONZERO, f"The program exited with code {ending.exit_code}.")


def signal_name(number: int) -> str:
    """`SIGKILL` for 9; `signal 62` where it has no name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _limit_reason(limit: str) -> Reason:
    name = limit.removesuffix("_s").removesuffix("_mb").removesuffix("_timeout")
    return LIMIT_REASONS.get(name, Reason.LIMIT_EXCEEDED)
