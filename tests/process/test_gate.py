"""The start gate: never twice, never stuck, whoever is killed at whatever step."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from agentrunner.process import procfs
from agentrunner.process.adopt import RunDirectory, Settled, State
from mounts import small_disk
from process.given import PYTHON, Runs, fact, facts, output
from waiting import until


def agent(runs: Runs) -> list[str]:
    """Appends a line to a file each time it is executed."""
    return ["sh", "-c", f"echo x >> {runs.state}/executed; exec sleep 60"]


def executed(runs: Runs) -> int:
    """How often."""
    path = runs.state / "executed"
    return len(path.read_text().splitlines()) if path.exists() else 0


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    return not procfs.is_alive(pid)


def stalled(runs: Runs, point: str) -> tuple[RunDirectory, int]:
    """A shim that waits at a point, and its pid."""
    directory = runs.create(agent(runs), stall=point)
    pid = runs.zygote.spawn(directory.path)
    until((directory.path / f"stalled-{point}").exists)
    return directory, pid


def settled(directory: RunDirectory) -> Settled:
    """The gate's last word."""
    return until(lambda: (found := directory.settle()) is not Settled.UNDECIDED and found)


@pytest.mark.parametrize("point", ["locked", "start", "forked"])
def test_a_shim_killed_before_proc_json_never_executes(runs: Runs, point: str) -> None:
    """Nothing ran and nothing will, so the attempt goes on in the next directory, exactly once."""
    directory, pid = stalled(runs, point)
    assert directory.settle() is Settled.UNDECIDED
    os.kill(pid, signal.SIGKILL)
    assert settled(directory) is Settled.NEVER_WILL
    late = runs.zygote.spawn(directory.path)
    second = RunDirectory.create(runs.root, directory.spec())
    runs.directories.append(second)
    assert second.path.name == f"{directory.path.name}.2"
    assert RunDirectory.latest(runs.root, directory.path.name).path == second.path  # type: ignore[union-attr]
    assert directory.proc() is None
    assert executed(runs) == 0
    if point == "locked":
        # The late shim has come as far as the point where its spec lets it wait for ever.
        os.kill(late, signal.SIGKILL)
    until(partial(gone, late))


def test_a_shim_killed_behind_proc_json_is_lost(runs: Runs) -> None:
    """The directory counts as executed, and the child that waited at the gate ends without executing."""
    directory, pid = stalled(runs, "proc")
    assert directory.settle() is Settled.STARTED
    proc = directory.proc()
    assert proc is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: directory.state() is State.SHIM_LOST)
    until(lambda: not procfs.is_alive(proc.pid))
    assert executed(runs) == 0


@pytest.mark.parametrize("point", ["locked", "start", "forked", "proc"])
def test_the_zygote_killed_changes_nothing(runs: Runs, point: str) -> None:
    """The shim goes on by itself: still undecided, or started."""
    directory, pid = stalled(runs, point)
    os.kill(runs.zygote.pid, signal.SIGKILL)
    until(lambda: not runs.zygote.is_connected())
    expected = Settled.STARTED if point == "proc" else Settled.UNDECIDED
    assert directory.settle() is expected
    os.kill(pid, signal.SIGKILL)
    assert settled(directory) in (Settled.NEVER_WILL, Settled.STARTED)


def test_the_worker_closes_the_gate_first(runs: Runs) -> None:
    """A spawn that comes late finds it closed."""
    directory = runs.create(agent(runs))
    assert directory.settle() is Settled.NEVER_WILL
    pid = runs.zygote.spawn(directory.path)
    until(partial(gone, pid))
    assert directory.proc() is None
    assert executed(runs) == 0


def test_the_gate_closes_without_an_inode(runs: Runs, tmp_path: Path) -> None:
    """A directory is made with all that closing needs: on a full disk nothing waits for room to be told to stop."""
    spec = runs.create(agent(runs)).spec()
    for inodes in range(4, 12):
        with small_disk(tmp_path / "small", 64, inodes) as root:
            try:
                directory = RunDirectory.create(root, spec)
            except OSError:
                assert list(root.iterdir()) == []
                continue
            assert directory.settle() is Settled.NEVER_WILL
            late = runs.zygote.spawn(directory.path)
            until(partial(gone, late))
            assert directory.settle() is Settled.NEVER_WILL
    assert executed(runs) == 0


def test_asking_many_times_executes_once(runs: Runs) -> None:
    """While it is coming, while it runs, and when it is over."""
    directory = runs.create(["sh", "-c", f"echo x >> {runs.state}/executed"])
    for _ in range(5):
        runs.zygote.spawn(directory.path)
    until(directory.exit)
    late = runs.zygote.spawn(directory.path)
    until(partial(gone, late))
    assert executed(runs) == 1
    assert [found.name for found in facts(directory)].count("started") == 1


def test_the_start_file_is_another_name_of_the_lock(runs: Runs) -> None:
    """As exclusive as a new file, and cheaper."""
    directory = runs.start(["sleep", "60"])
    assert (directory.path / "start").stat().st_ino == (directory.path / "lock").stat().st_ino


FAILURES = {
    "ENOENT": (["/nowhere/program"], {}, "No such file or directory: /nowhere/program"),
    "not on PATH": (["no-such-program"], {}, "No such file or directory: no-such-program"),
    "EACCES": (["/etc/passwd"], {}, "Permission denied: /etc/passwd"),
    "cwd": (["true"], {"cwd": "/nowhere"}, "No such file or directory: /nowhere"),
    "E2BIG": (["true", "x" * (1 << 18)], {}, "Argument list too long: true"),
    "NUL": (["true", "a\0b"], {}, "ValueError('embedded null byte'): true"),
}


@pytest.mark.parametrize(("argv", "fields", "message"), FAILURES.values(), ids=FAILURES.keys())
def test_what_cannot_be_executed_says_why(runs: Runs, argv: list[str], fields: dict[str, str], message: str) -> None:
    """An exit record with the system's words, no exit code and no fact `started`."""
    directory, record = runs.run(argv, **fields)
    assert record.spawn_error == message
    assert (record.exit_code, record.signal) == (None, None)
    assert fact(directory, "started") is None


def test_a_shim_that_cannot_prepare_says_so(runs: Runs) -> None:
    """Instead of leaving a directory that is tried again for ever."""
    directory = runs.create(["true"])
    (directory.path / "journal").mkdir()
    runs.zygote.spawn(directory.path)
    record = until(directory.exit)
    assert record.spawn_error == "the shim: Is a directory"


INSIDE = """
import os, signal
print(sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:4])
print(os.getsid(0) == os.getpid(), oct(os.umask(0)))
status = open("/proc/self/status").read()
found = dict(line.split(":") for line in status.splitlines())
# 32 and 33 are the C library's own, which nobody can set.
print(int(found["SigIgn"], 16) & ~(3 << 31) == 1 << 12 | 1 << 24, int(found["SigBlk"], 16), found["NoNewPrivs"].strip())
"""


def test_the_agent_is_born_clean(runs: Runs) -> None:
    """Descriptors 0 to 2 (3 is its own look), a session of its own, default signals, no new privileges, our umask."""
    before = os.umask(0o027)
    ignored = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGQUIT, signal.SIGUSR1)}
    try:
        directory, _ = runs.run([*PYTHON, INSIDE])
    finally:
        os.umask(before)
        for number, handler in ignored.items():
            signal.signal(number, handler)
    found = output(directory).decode().splitlines()
    assert found[0] == "[0, 1, 2, 3]"
    assert found[1] == "True 0o27"
    # Python itself ignores SIGPIPE (13) and SIGXFSZ (25), and nothing else is.
    assert found[2] == "True 0 1"


def test_an_agent_that_kills_its_group_does_not_reach_the_shim(runs: Runs) -> None:
    """`kill 0` is for the agent's own session."""
    _, record = runs.run(["sh", "-c", "kill -9 0"])
    assert record.signal == signal.SIGKILL
