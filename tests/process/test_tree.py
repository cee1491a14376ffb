"""The whole tree means the whole tree: every mechanism against everything that tries to get away."""

import os
import signal
from pathlib import Path

import pytest

from agentrunner.process import tree
from agentrunner.process.adopt import State
from process.attempts import MECHANISMS, Attempt, Host, usable
from waiting import until

HOST_HAS = {name: usable(name) for name in MECHANISMS}
each_mechanism = pytest.mark.parametrize(
    "mechanism",
    [pytest.param(n, marks=pytest.mark.skipif(not HOST_HAS[n], reason="not offered by this host")) for n in MECHANISMS],
)

# Each makes processes that try to outlive the agent, says "ready", and works on.
DAEMON = """
import os, signal, sys, time
def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.SIG_IGN)
            sys.stdin.close(); sys.stdout.close(); sys.stderr.close()
            signal.pause()
        os._exit(0)
"""
PROGRAMS = {
    "double-fork": DAEMON + "daemon(); daemon(); print('ready', flush=True); signal.pause()",
    "deaf": "import signal\nfor n in (signal.SIGINT, signal.SIGTERM): signal.signal(n, signal.SIG_IGN)\n"
    "print('ready', flush=True)\nwhile True: signal.pause()",
    "fork-hopper": "import os, time\nprint('ready', flush=True)\nfor _ in range(20):\n"
    "    if os.fork() == 0:\n        os.setsid()\n        while True:\n            time.sleep(0.002)\n"
    "            if os.fork(): os._exit(0)\nimport signal; signal.pause()",
    "without-the-mark": "import os, signal\nif os.fork() == 0:\n    os.setsid()\n    os.execve('/bin/sleep', "
    "['sleep', '1000'], {})\nprint('ready', flush=True)\nsignal.pause()",
}


def members(attempt: Attempt) -> set[int]:
    """The agent's living processes, seen from the outside: by mark and by descent from the shim."""
    return {pid for pid in _descendants(attempt.shim)} | attempt.tree()


def _descendants(pid: int) -> set[int]:
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        try:
            children = Path(f"/proc/{(parent := waiting.pop())}/task/{parent}/children").read_text().split()
        except OSError:
            continue
        waiting += [int(child) for child in children if int(child) not in found]
        found |= set(map(int, children))
    return {pid for pid in found if _is_alive(pid)}


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _states(pids: set[int]) -> set[str]:
    return {Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in pids}


@each_mechanism
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_stop_leaves_nothing(host: Host, mechanism: str, program: str) -> None:
    """Daemons, the deaf, those that change their pid all the time: at the exit record all are gone."""
    attempt = host.python(PROGRAMS[program], tree=mechanism, grace_s=0.4)
    attempt.says(b"ready")
    assert attempt.tell("stop", rev=1)["ok"] is True
    seen = members(attempt)
    record = attempt.ended()
    assert record.stopped is True
    assert record.tree == mechanism
    assert [pid for pid in seen | attempt.tree() if _is_alive(pid)] == []


@each_mechanism
def test_a_stop_while_paused_kills(host: Host, mechanism: str) -> None:
    """A frozen tree is thawed so that it can die."""
    attempt = host.python(PROGRAMS["double-fork"], tree=mechanism, grace_s=0.6)
    attempt.says(b"ready")
    attempt.tell("pause", rev=1)
    attempt.fact("paused", rev=1)
    attempt.tell("stop", rev=2)
    assert attempt.ended().stopped is True
    assert attempt.tree() == set()


@each_mechanism
def test_what_outlives_the_agent_is_ended(host: Host, mechanism: str) -> None:
    """The agent exits by itself; its background processes are counted and killed before the exit record is there."""
    attempt = host.python(DAEMON + "daemon(); daemon(); os._exit(3)", tree=mechanism)
    record = attempt.ended()
    assert (record.exit_code, record.leftover, record.step) == (3, 2, None)
    assert attempt.tree() == set()


@each_mechanism
def test_a_killed_shim_leaves_nothing(host: Host, mechanism: str) -> None:
    """The agent dies with its shim, and what it had started is found by the worker and proven gone."""
    attempt = host.python(PROGRAMS["double-fork"], tree=mechanism)
    attempt.says(b"ready")
    seen = members(attempt)
    assert len(seen) == 3
    attempt.kill_shim()
    assert until(lambda: (s := attempt.directory.state()) is not State.ALIVE and s) is State.SHIM_LOST
    attempt.directory.kill_leftovers()
    assert [pid for pid in seen if _is_alive(pid)] == []
    assert attempt.tree() == set()


@each_mechanism
def test_a_pause_stops_every_process(host: Host, mechanism: str) -> None:
    """Nothing is written between `paused` and `resumed`, by whatever process of the tree."""
    script = "setsid sh -c 'while :; do echo a; done' & while :; do echo b; done"
    attempt = host.shell(script, tree=mechanism, spool_cap_bytes=1 << 30)
    attempt.says(b"a\n")
    attempt.says(b"b\n")
    attempt.tell("pause", rev=1)
    paused = attempt.fact("paused", rev=1)
    assert len(attempt.output()) == paused.at_out
    assert attempt.tell("status")["frozen"] is True
    attempt.tell("resume", rev=2)
    resumed = attempt.fact("resumed", rev=2)
    assert resumed.at_out == paused.at_out
    until(lambda: len(attempt.output()) > paused.at_out)
    attempt.tell("stop", rev=3, grace_s=0)
    attempt.ended()


@each_mechanism
def test_no_group_is_left(host: Host, mechanism: str) -> None:
    """The attempt's cgroup goes with it; nothing of it is left in any hierarchy."""
    attempt = host.shell("true", tree=mechanism)
    attempt.ended()
    until(lambda: not _groups(attempt.directory.spec().uid))


def _groups(uid: str) -> list[str]:
    return [path for path, _, _ in os.walk("/sys/fs/cgroup") if uid in path]


def test_the_best_mechanism_is_chosen_and_the_others_say_why_not() -> None:
    """The order is cgroup2, cgroup1, walk; what is better and refused has a reason."""
    found = tree.probe()
    better = MECHANISMS[: MECHANISMS.index(found.name)]
    assert list(found.refused) == list(better)
    assert all(found.refused.values())
    assert [name for name in better if HOST_HAS[name]] == []


def test_walk_needs_nothing() -> None:
    """Without any cgroup there is still a way."""
    assert tree.probe("walk").name == "walk"


def test_an_unknown_mechanism_is_refused() -> None:
    """A typing error is no silent choice."""
    with pytest.raises((ValueError, OSError), match="cgroup3"):
        tree.probe("cgroup3")


def test_the_agent_alone_gets_the_first_word(host: Host) -> None:
    """An interrupt goes to the agent, which may end its children itself; nobody is killed that ends in time."""
    script = "trap 'echo bye; exit 5' INT; echo ready; while :; do sleep 0.01; done"
    attempt = host.shell(script)
    attempt.says(b"ready")
    attempt.tell("stop", rev=1)
    record = attempt.ended()
    assert (record.exit_code, record.step, record.stopped) == (5, "interrupt", True)
    assert attempt.output().endswith(b"bye\n")


def test_who_ignores_the_interrupt_gets_the_second_word(host: Host) -> None:
    """Terminate comes within the grace; the exit record says that it worked."""
    script = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
    attempt = host.python(script, grace_s=0.6)
    attempt.says(b"ready")
    attempt.tell("stop", rev=1)
    record = attempt.ended()
    assert (record.signal, record.step) == (signal.SIGTERM, "terminate")
    assert [fact.fields["signal"] for fact in attempt.facts() if fact.name == "signal"][:2] == ["SIGINT", "SIGTERM"]
