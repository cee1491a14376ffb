"""A run that has an owner ends with it."""

import subprocess

from agentrunner.process import procfs
from agentrunner.process.limits import Deadline
from process.given import Runs, facts, is_gone, members
from waiting import until


def owner() -> "subprocess.Popen[bytes]":
    """A process that does nothing."""
    return subprocess.Popen(["sleep", "60"])


def test_the_tree_ends_with_its_owner(runs: Runs) -> None:
    """At once, all of it, and the record says why."""
    with owner() as process:
        named = [process.pid, procfs.start_time(process.pid)]
        directory = runs.start(["sh", "-c", "setsid sleep 60 & exec sleep 60"], owner=named)
        until(lambda: len(members(directory)) == 2)
        pids = {pid: procfs.start_time(pid) for pid in members(directory)}
        process.kill()
    record = until(directory.exit, timeout=5)
    assert (record.limit, record.step, record.signal) == ("deadline", "kill", 9)
    assert all(is_gone(pid, started) for pid, started in pids.items())
    assert [found.name for found in facts(directory)][-2:] == ["deadline", "exited"]


def test_a_dead_owner_starts_nothing(runs: Runs) -> None:
    """Neither one whose number is free nor one whose number is somebody else's by now."""
    with owner() as process:
        started = procfs.start_time(process.pid)
        _, taken = runs.run(["touch", str(runs.state / "ran")], owner=[process.pid, started - 1])
        process.kill()
    _, free = runs.run(["touch", str(runs.state / "ran")], owner=[process.pid, started])
    assert (taken.limit, free.limit) == ("deadline", "deadline")
    assert not (runs.state / "ran").exists()


def test_a_living_owner_is_no_deadline() -> None:
    """Until it is said that it is dead; then for good."""
    with owner() as process:
        deadline = Deadline(None, [process.pid, procfs.start_time(process.pid)])
        assert deadline.owner >= 0
        assert deadline.left() is None
        deadline.pass_now()
        assert (deadline.left(), deadline.owner) == (0.0, -1)
        deadline.clear()
        assert deadline.left() is None
        process.kill()
