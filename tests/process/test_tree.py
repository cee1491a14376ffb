"""Trees on this host's mechanisms: whatever an agent does to hide, all of it is frozen, killed and proven gone."""

import os
import signal
import time

import pytest

from agentrunner.process import procfs, tree
from agentrunner.process.adopt import State
from process.given import MECHANISMS, PYTHON, Runs, fact, facts, lines, members, tell
from waiting import until

# Each prints the pids of what it leaves beside itself, then stays.
HIDING = {
    "child": "sleep 60 & echo $!; wait",
    "own session": "setsid sleep 60 & echo $!; wait",
    "ignores TERM": "trap '' TERM INT; sleep 60 & echo $!; while :; do sleep 60; done",
    "group of its own": "set -m; sleep 60 & echo $!; wait",
}
DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        os.environ.clear()
        os.execve("/bin/sleep", ["sleep", "60"], {})
    os._exit(0)
os.wait()
time.sleep(60)
"""
every_mechanism = pytest.mark.parametrize("mechanism", MECHANISMS)


@every_mechanism
@pytest.mark.parametrize("script", HIDING.values(), ids=HIDING.keys())
def test_a_stop_ends_the_whole_tree(runs: Runs, mechanism: str, script: str) -> None:
    """Nothing is left when the exit record is there, however its processes are arranged."""
    directory = runs.start(["sh", "-c", script], tree=mechanism)
    until(lambda: lines(directory))
    left = [int(line) for line in lines(directory)]
    tell(directory, "stop", rev=1)
    record = until(directory.exit)
    assert record.stopped
    assert record.tree == mechanism
    assert [pid for pid in left if procfs.is_alive(pid)] == []
    assert members(directory) == []


@every_mechanism
def test_a_daemon_without_the_mark_is_ended(runs: Runs, mechanism: str) -> None:
    """Forked twice, in its own session, its environment cleared: still a descendant of the subreaper."""
    directory = runs.start([*PYTHON, DAEMON], tree=mechanism)
    until(lambda: lines(directory))
    daemon = int(lines(directory)[0])
    until(lambda: procfs.read(f"/proc/{daemon}/cmdline").startswith(b"sleep"))
    tell(directory, "stop", rev=1, grace_s=0)
    until(directory.exit)
    assert not procfs.is_alive(daemon)


@every_mechanism
def test_what_is_left_at_a_normal_end_is_killed_and_counted(runs: Runs, mechanism: str) -> None:
    """The agent ended well and left something behind: `leftover` says so and it is gone."""
    directory, record = runs.run(["sh", "-c", "setsid sleep 60 >/dev/null 2>&1 & echo $!"], tree=mechanism)
    assert (record.exit_code, record.leftover) == (0, 1)
    assert not procfs.is_alive(int(lines(directory)[0]))


@every_mechanism
def test_pause_and_resume(runs: Runs, mechanism: str) -> None:
    """A paused tree is still by the kernel's word, its shells in other sessions too, and goes on afterwards."""
    script = "setsid sh -c 'while :; do echo x; sleep 0.01; done' & wait"
    directory = runs.start(["sh", "-c", script], tree=mechanism)
    until(lambda: lines(directory))
    tell(directory, "pause", rev=3)
    paused = until(lambda: fact(directory, "paused"))
    assert paused.fields["rev"] == 3
    assert tell(directory, "status")["frozen"]
    before = tell(directory, "status")["sizes"]["out"]
    assert paused.at_out == before
    with pytest.raises(AssertionError):
        until(lambda: tell(directory, "status")["sizes"]["out"] > before, timeout=0.15)
    tell(directory, "resume", rev=4)
    until(lambda: tell(directory, "status")["sizes"]["out"] > before)
    assert not tell(directory, "status")["frozen"]


@every_mechanism
def test_a_paused_run_is_stopped(runs: Runs, mechanism: str) -> None:
    """It is thawed only to die: SIGTERM is there before it runs on."""
    script = "trap 'echo ended; exit 3' TERM; echo ready; while :; do sleep 0.01; done"
    directory = runs.start(["sh", "-c", script], tree=mechanism)
    until(lambda: lines(directory))
    tell(directory, "pause", rev=1)
    until(lambda: fact(directory, "paused"))
    tell(directory, "stop", rev=2)
    record = until(directory.exit)
    assert (record.stopped, record.exit_code, record.step) == (True, 3, "terminate")
    assert lines(directory) == ["ready", "ended"]
    assert "interrupt" not in [found.fields.get("step") for found in facts(directory)]


@every_mechanism
def test_a_killed_shim_leaves_a_tree_that_can_be_ended(runs: Runs, mechanism: str) -> None:
    """The agent dies with its shim; what it started elsewhere is found and ended by the worker."""
    directory = runs.start(["sh", "-c", "setsid sleep 60 & echo $!; wait"], tree=mechanism)
    until(lambda: lines(directory))
    left, proc = int(lines(directory)[0]), directory.proc()
    assert proc is not None
    shim = directory.open_shim()
    assert shim is not None
    signal.pidfd_send_signal(shim, signal.SIGKILL)
    os.close(shim)
    until(lambda: directory.state() is State.SHIM_LOST)
    until(lambda: not procfs.is_alive(proc.pid), timeout=2)
    assert procfs.is_alive(left)
    assert directory.kill_leftovers() >= 1
    assert not procfs.is_alive(left)


@every_mechanism
def test_a_tree_that_forks_all_the_time_is_killed(runs: Runs, mechanism: str) -> None:
    """Each process lives for a moment only and is followed by another."""
    hopper = "import os\nwhile True:\n    if os.fork(): os._exit(0)\n    os.setsid()"
    directory = runs.start(["sh", "-c", f"{PYTHON[0]} -I -S -c '{hopper}' & echo x; sleep 60"], tree=mechanism)
    until(lambda: lines(directory))
    tell(directory, "stop", rev=1, grace_s=0)
    until(directory.exit, timeout=20)
    assert members(directory) == []


def test_the_mark_cannot_be_set_by_the_run(runs: Runs) -> None:
    """What a run's own environment says of the mark does not count."""
    given = {"PATH": os.environ["PATH"], tree.MARK: "somebody/else"}
    directory, _ = runs.run(["sh", "-c", f"echo ${tree.MARK}"], env=given)
    assert lines(directory) == [f"{runs.instance}/{directory.path.name}"]


def test_groups_below_the_tree_are_ended_and_removed(runs: Runs) -> None:
    """An agent that makes a group of its own inside is still in the tree."""
    if "cgroup2" not in MECHANISMS:
        pytest.skip("no cgroup v2 here")
    made = tree.make("cgroup2", tree.probe("cgroup2").base, runs.instance, "nested")
    script = f"mkdir {made.path}/own && echo 0 > {made.path}/own/cgroup.procs && echo in; exec sleep 60"
    made.create()
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", script], dict(os.environ))
    until(lambda: pid in made.pids())
    assert not made.is_empty()
    made.kill_once()
    os.waitpid(pid, 0)
    until(made.is_empty)
    made.remove()
    assert not os.path.exists(made.path)


def test_an_unknown_mechanism_is_refused() -> None:
    """By name, with the choices."""
    with pytest.raises(ValueError, match="cgroup2, cgroup1, walk"):
        tree.probe("magic")


@every_mechanism
def test_kill_and_freeze_are_quick(runs: Runs, mechanism: str) -> None:
    """A tree of four processes in sessions of their own; generous bounds for a busy host."""
    script = "for i in 1 2 3; do setsid sleep 60 & done; echo x; wait"
    directory = runs.start(["sh", "-c", script], tree=mechanism)
    until(lambda: lines(directory) and len(members(directory)) == 4)
    began = time.monotonic()
    tell(directory, "pause", rev=1)
    frozen = time.monotonic() - began
    tell(directory, "stop", rev=2, grace_s=0)
    until(directory.exit, every=0.001)
    assert frozen < 1
    assert time.monotonic() - began < 3
