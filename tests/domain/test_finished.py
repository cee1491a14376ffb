"""What reported words mean."""

import pytest

from agentrunner.domain.finished import ending_of, word_of
from agentrunner.domain.state import TRANSITIONS, Cause, Reason, Status


@pytest.mark.parametrize(
    ("status", "cause", "word"),
    [
        ("completed", Cause.COMPLETED, "completed"),
        (" Success ", Cause.COMPLETED, "completed"),
        ("failed", Cause.FAILED, "failed"),
        ("error", Cause.FAILED, "failed"),
        ("TIMEOUT", Cause.FAILED, "timeout"),
        ("cancelled", Cause.STOPPED, "cancelled"),
    ],
)
def test_endings(status: str, cause: Cause, word: str) -> None:
    """Each known word ends a reported run; `failed`, `error` and `timeout` are failures, with a reason."""
    ending = ending_of(status)
    assert ending is not None
    assert ending[0] is cause
    assert (ending[1] is not None) == (cause is not Cause.COMPLETED)
    assert word_of(TRANSITIONS[Status.RUNNING, cause], ending[1]) == word


@pytest.mark.parametrize("status", ["", "running", "pending", "weird", "complete d"])
def test_other_words_end_nothing(status: str) -> None:
    """A word that nobody knows says no end."""
    assert ending_of(status) is None


def test_every_status_has_a_word() -> None:
    """So that no run of ours is without one on the surface."""
    words = [word_of(status, None) for status in Status]
    assert words == ["pending", "running", "running", "completed", "failed", "cancelled"]
    assert word_of(Status.FAILED, Reason.IDLE_TIMEOUT) == "timeout"
