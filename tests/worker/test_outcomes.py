"""How ends are said to the server."""

from pathlib import Path

from agentrunner.agents.base import Verdict
from agentrunner.domain.control import Offsets
from agentrunner.domain.state import Reason, Status
from agentrunner.process.adopt import ExitRecord, Sizes
from agentrunner.worker import outcomes

SIZES = Offsets(out=3, err=2, journal=1)


def record(**changes: object) -> ExitRecord:
    """An exit record."""
    known = {
        "exit_code": 0,
        "signal": None,
        "spawn_error": None,
        "stopped": False,
        "limit": None,
        "step": None,
        "leftover": 0,
        "sizes": Sizes(3, 2, 1),
        "tree": "walk",
    }
    return ExitRecord(**{**known, **changes})  # type: ignore[arg-type]


def test_the_backend_judges_an_exit() -> None:
    """Its verdict is the outcome, with the facts of the exit record."""
    verdict = Verdict(Status.FAILED, Reason.EXIT_NONZERO, "three")
    outcome = outcomes.exited(record(exit_code=3, leftover=2, step="terminate"), verdict, SIZES)
    assert (outcome.status, outcome.reason, outcome.message) == (Status.FAILED, Reason.EXIT_NONZERO, "three")
    assert (outcome.exit_code, outcome.sizes, outcome.final) == (3, SIZES, False)
    assert outcome.details == {"leftover": 2, "step": "terminate", "tree": "walk"}


def test_a_deadline_is_a_lost_worker() -> None:
    """A shim that ended its tree because nobody moved the deadline: whatever the agent said, the worker was lost."""
    outcome = outcomes.exited(record(limit="deadline", exit_code=None, signal=9), Verdict(Status.COMPLETED), SIZES)
    assert (outcome.status, outcome.reason) == (Status.FAILED, Reason.WORKER_LOST)


def test_a_backend_learns_of_the_end() -> None:
    """Everything that it may judge by."""
    ending = outcomes.ending(record(exit_code=None, signal=9, stopped=True, limit="wall_s", spawn_error="no"))
    found = (ending.exit_code, ending.signal, ending.stopped, ending.limit, ending.spawn_error)
    assert found == (None, 9, True, "wall_s", "no")


def test_where_an_agent_may_live_on_nothing_tries_again() -> None:
    """A copy, and a directory that was removed: another attempt could run beside the first."""
    assert outcomes.copied(SIZES, Path("/data/run")).final
    assert "/data/run" in (outcomes.copied(SIZES, Path("/data/run")).message or "")
    assert outcomes.vanished(SIZES).final


def test_ends_without_an_exit_record() -> None:
    """Each has its own reason and the sizes that are stored."""
    assert outcomes.lost(SIZES).reason is Reason.SHIM_LOST
    assert outcomes.rebooted(SIZES).reason is Reason.HOST_REBOOTED
    never = outcomes.never_started(SIZES)
    assert (never.status, never.reason, never.details) == (Status.STOPPED, Reason.STOPPED_BY_USER, {"started": False})
    refused = outcomes.refused(SIZES, Reason.BACKEND_MISSING, "x" * 20_000)
    assert (refused.sizes, len(refused.message or "")) == (SIZES, 10_000)
