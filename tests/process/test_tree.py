"""Trees on this host's mechanisms: whatever an agent does to hide, all of it is frozen, killed and proven gone."""

import os
import signal
import time

import pytest

from agentrunner.process import procfs, tree
from agentrunner.process.adopt import State
from process.given import MECHANISMS, PYTHON, REFUSED, Runs, every_mechanism, fact, facts, lines, members, tell
from waiting import until

END_STOP, END_PAUSED, END_ALONE = "stop", "stop while paused", "ends by itself"
PREPARED = """
import ctypes, os, signal, sys, time
def say(): os.write(1, b"%d\\n" % os.getpid())
def stay():
    while True: time.sleep(60)
def forked(what):
    pid = os.fork()
    if pid == 0:
        try: what()
        finally: os._exit(0)
    return pid
def ready(): os.write(1, b"ready\\n")
"""


def program(text: str) -> list[str]:
    """A Python program that prints the pids of what it makes, then `ready`."""
    return [*PYTHON, PREPARED + text]


DOUBLE_FORK = program("""
def grandchild(): say(); stay()
os.waitpid(forked(lambda: forked(grandchild)), 0)
time.sleep(0.1); ready(); stay()
""")
OWN_SESSION = program("""
def child(): os.setsid(); say(); stay()
forked(child); time.sleep(0.1); ready(); stay()
""")
DAEMON = program("""
def daemon():
    os.chdir("/"); os.umask(0); say()
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2): os.dup2(null, number)
    stay()
def session(): os.setsid(); forked(daemon)
os.waitpid(forked(session), 0)
time.sleep(0.1); ready(); stay()
""")
NO_TRACE = program("""
def hidden():
    say(); os.setsid(); os.closerange(0, 4096)
    os.execve("/bin/sleep", ["[kworker/0:1]", "60"], {})
os.waitpid(forked(lambda: forked(hidden)), 0)
time.sleep(0.2); ready(); stay()
""")
RENAMED = program("""
def child():
    say(); ctypes.CDLL(None).prctl(15, b"systemd (x) R 1", 0, 0, 0); os.setpgid(0, 0); stay()
forked(child); time.sleep(0.1); ready(); stay()
""")
STORM = program("""
def hop():
    os.setsid()
    while True:
        if os.fork(): os._exit(0)
for _ in range(4): forked(hop)
time.sleep(0.1); ready(); stay()
""")
IGNORES = program("""
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
forked(lambda: (say(), stay())); time.sleep(0.1); say(); ready(); stay()
""")
LEFTOVER = program("""
def daemon(): say(); os.setsid(); os.closerange(0, 3); stay()
for _ in range(3): os.waitpid(forked(lambda: forked(daemon)), 0)
time.sleep(0.2); ready()
""")
OWN_REAPER = program("""
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
def grandchild(): os.setsid(); say(); stay()
os.waitpid(forked(lambda: forked(grandchild)), 0)
time.sleep(0.1); ready(); stay()
""")
STOPPED = program("""
def child(): say(); os.setsid(); os.kill(os.getpid(), signal.SIGSTOP); stay()
forked(child); time.sleep(0.1); ready(); stay()
""")

# How an agent hides or resists, the program, how it comes to its end, what that end has to say.
TABLE: list[tuple[str, list[str], str, dict[str, object]]] = [
    ("child", ["sh", "-c", "sleep 60 & echo $!; echo ready; wait"], END_STOP, {}),
    ("group of its own", ["sh", "-c", "set -m; sleep 60 & echo $!; echo ready; wait"], END_STOP, {}),
    ("double fork", DOUBLE_FORK, END_STOP, {}),
    ("setsid", OWN_SESSION, END_STOP, {}),
    ("daemonise", DAEMON, END_STOP, {}),
    ("no descriptors, no environment, another name", NO_TRACE, END_STOP, {}),
    ("renamed", RENAMED, END_STOP, {}),
    ("a subreaper of its own", OWN_REAPER, END_STOP, {}),
    ("stopped child", STOPPED, END_STOP, {}),
    ("fork storm", STORM, END_STOP, {}),
    ("every signal ignored", IGNORES, END_STOP, {"step": "kill", "signal": 9}),
    ("stop while paused", DAEMON, END_PAUSED, {}),
    ("stop while paused, every signal ignored", IGNORES, END_PAUSED, {"step": "kill", "signal": 9}),
    ("leftover after exit", LEFTOVER, END_ALONE, {"exit_code": 0, "leftover": 3, "stopped": False}),
]


@every_mechanism
@pytest.mark.parametrize(("argv", "end", "said"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_nothing_is_left_of_a_tree(
    runs: Runs, mechanism: str, argv: list[str], end: str, said: dict[str, object]
) -> None:
    """When the exit record is there, every process is gone, however it hid, and so is what the mechanism made."""
    directory = runs.create(argv, tree=mechanism, grace_s=0.3)
    runs.zygote.spawn(directory.path)
    until(lambda: "ready" in lines(directory))
    if end == END_PAUSED:
        tell(directory, "pause", rev=1)
        until(lambda: fact(directory, "paused"))
        assert tell(directory, "status")["frozen"]
    if end != END_ALONE:
        tell(directory, "stop", rev=2)
    record = until(directory.exit, timeout=20)
    assert [pid for line in lines(directory) if line.isdigit() and procfs.is_alive(pid := int(line))] == []
    assert members(directory) == []
    expected: dict[str, object] = {"tree": mechanism, "stopped": True, "limit": None, **said}
    assert {name: getattr(record, name) for name in expected} == expected
    proc = directory.proc()
    assert proc is not None
    group = tree.make(proc.tree, proc.tree_base, proc.instance, directory.path.name).path
    assert not group or until(lambda: not os.path.exists(group))


def test_walking_is_always_possible() -> None:
    """It needs no privilege and nothing of the host."""
    assert "walk" in MECHANISMS
    assert all(REFUSED.values())


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
