"""What became of a run: one line, a colour, an exit code. Pure."""

from agentrunner.cli import amounts
from agentrunner.cli.failures import INTERRUPTED
from agentrunner.domain.run import RunView
from agentrunner.domain.state import REASONS, Hold, Status

COLOURS = {
    Status.QUEUED: "blue",
    Status.RUNNING: "cyan",
    Status.PAUSED: "yellow",
    Status.COMPLETED: "green",
    Status.FAILED: "red",
    Status.STOPPED: "magenta",
}


def exit_code(run: RunView) -> int:
    """0 or the program's own code where it completed, its code or 128 + signal or 1 where it failed, 130 stopped."""
    if run.status is Status.STOPPED:
        return INTERRUPTED
    if run.status is Status.COMPLETED:
        return run.exit_code or 0
    if run.exit_code:
        return run.exit_code
    return 128 + run.signal if run.signal else 1


def state(run: RunView) -> str:
    """The status with what is finer: `RUNNING working`, `QUEUED operator`, `FAILED exit_nonzero`."""
    finer = run.hold or run.phase or (run.reason if run.status is Status.FAILED else None)
    return f"{run.status} {finer}" if finer else str(run.status)


def result(run: RunView, now_ms: int) -> str:
    """One line about a finished run: how it ended, after how long, at what price, and what to do about a failure."""
    parts = [f"Run {run.id} {run.status.lower()}{_why(run)}"]
    if took := amounts.between(run.started_at, run.ended_at, now_ms):
        parts.append(f" after {took}")
    price = ", ".join(filter(None, (amounts.tokens(run.usage), amounts.money(run.cost_usd))))
    if price:
        parts.append(f" ({price})")
    advice = what_to_do(run)
    return "".join(parts) + (f". {advice}" if advice else ".")


def what_to_do(run: RunView) -> str | None:
    """What the reason of a failure asks a person to do."""
    if run.status is Status.FAILED and run.reason is not None:
        return REASONS[run.reason].what_to_do
    if run.hold is Hold.OPERATOR:
        return f"`agentrunner resume {run.id}` lets it start."
    return None


def _why(run: RunView) -> str:
    if run.status is not Status.FAILED:
        return ""
    if run.exit_code:
        return f" ({run.reason}: exit code {run.exit_code})"
    return f" ({run.reason}: {run.message})" if run.message else f" ({run.reason})"
