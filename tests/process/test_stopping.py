"""The steps of a stop."""

import time

from agentrunner.process.stopping import Stopping
from process.given import Runs, facts, lines, tell
from waiting import until


def steps(grace_s: float, is_frozen: bool = False) -> list[str]:
    """What becomes due, in order."""
    stopping = Stopping()
    stopping.begin(grace_s, is_frozen)
    found: list[str] = []
    until(lambda: found.extend(stopping.due()) or stopping.left() is None)
    return found


def test_the_order() -> None:
    """A frozen tree is not asked to be interrupted; without grace it is killed."""
    assert steps(0.06) == ["interrupt", "terminate", "kill"]
    assert steps(0.06, is_frozen=True) == ["terminate", "kill"]
    assert steps(0) == ["kill"]


def test_a_second_stop_can_only_be_quicker() -> None:
    """Never slower, never again from the beginning."""
    stopping = Stopping()
    stopping.begin(10, is_frozen=False)
    assert stopping.due() == ["interrupt"]
    stopping.begin(20, is_frozen=False)
    assert stopping.due() == []
    stopping.begin(0, is_frozen=False)
    assert stopping.due() == ["kill"]
    stopping.begin(0, is_frozen=False)
    assert (stopping.due(), stopping.left()) == ([], None)


def test_the_result_says_which_step_worked(runs: Runs) -> None:
    """SIGINT to the agent, SIGTERM to all, SIGKILL to who ignores both."""
    scripts = {
        "interrupt": "trap 'exit 2' INT; echo x; while :; do sleep 0.02; done",
        "terminate": "trap '' INT; trap 'exit 3' TERM; echo x; while :; do sleep 0.02; done",
        "kill": "trap '' INT TERM; echo x; while :; do sleep 0.02; done",
    }
    for step, script in scripts.items():
        directory = runs.start(["sh", "-c", script])
        until(lambda started=directory: lines(started))
        tell(directory, "stop", rev=1)
        assert until(directory.exit).step == step


def test_a_shell_that_waits_for_its_child_can_clean_up(runs: Runs) -> None:
    """SIGTERM reaches the child too, so that the shell's trap runs within the grace."""
    script = "trap '' INT; trap 'echo clean; exit 3' TERM; echo x; (trap - INT TERM; exec sleep 60); wait"
    directory = runs.start(["sh", "-c", script], grace_s=3)
    until(lambda: lines(directory))
    tell(directory, "stop", rev=1)
    record = until(directory.exit)
    assert (record.exit_code, lines(directory)) == (3, ["x", "clean"])


def test_a_stop_is_hastened(runs: Runs) -> None:
    """An attempt that is over for the server is ended at once, although it was asked politely before."""
    directory = runs.start(["sh", "-c", "trap '' INT TERM; echo x; while :; do sleep 0.02; done"], grace_s=60)
    until(lambda: lines(directory))
    tell(directory, "stop", rev=1)
    began = time.monotonic()
    tell(directory, "stop", rev=1, grace_s=0)
    until(directory.exit)
    assert time.monotonic() - began < 5
    assert [found.fields["signal"] for found in facts(directory) if found.name == "signal"] == ["SIGINT"]
