"""The start gate, with its shim killed at every step of it."""

import json
import os
import stat
from pathlib import Path

import pytest

from agentrunner.process import procfs
from agentrunner.process.adopt import RunDirectory, Settled, State
from process.attempts import Host, is_running, kill
from waiting import until

TOUCH = ("/bin/sh", "-c", 'echo once >>"$0"')


def stalled(directory: RunDirectory, point: str) -> None:
    """Wait until the shim stands at that point."""
    until((directory.path / f"stalled-{point}").exists)


@pytest.mark.parametrize("point", ["locked", "start", "forked"])
def test_a_shim_killed_before_proc_json_has_executed_nothing(host: Host, tmp_path: Path, point: str) -> None:
    """Its directory is proven never to have executed, and the attempt goes on once, in the next directory."""
    marker = tmp_path / "marker"
    attempt = host.start(*TOUCH, str(marker), stall=point)
    stalled(attempt.directory, point)
    assert attempt.directory.settle() is Settled.UNDECIDED
    kill(attempt.shim)
    assert until(lambda: (s := attempt.directory.settle()) is not Settled.UNDECIDED and s) is Settled.NEVER_WILL
    spec = attempt.directory.spec()
    again = host.spawn(RunDirectory.create(host.runs, host.spec(*TOUCH, str(marker), uid=spec.uid)))
    assert again.path.name == f"{spec.uid}.2"
    assert again.ended().exit_code == 0
    assert marker.read_text() == "once\n"
    assert attempt.directory.settle() is Settled.NEVER_WILL


def test_a_shim_killed_behind_proc_json_counts_as_executed(host: Host, tmp_path: Path) -> None:
    """The child ends at the end of its pipe without executing, and the attempt is `shim_lost`, never started again."""
    marker = tmp_path / "marker"
    attempt = host.start(*TOUCH, str(marker), stall="proc")
    stalled(attempt.directory, "proc")
    child = attempt.proc().pid
    assert attempt.directory.settle() is Settled.STARTED
    assert attempt.directory.state() is State.ALIVE
    kill(attempt.shim)
    until(lambda: not is_running(child))
    assert attempt.directory.settle() is Settled.STARTED
    assert attempt.directory.state() is State.SHIM_LOST
    attempt.directory.kill_leftovers()
    assert not marker.exists()


def test_asking_many_times_starts_once(host: Host, tmp_path: Path) -> None:
    """Shims that come too late find the gate closed and leave the first alone."""
    marker = tmp_path / "marker"
    directory = host.prepare("/bin/sh", "-c", 'echo once >>"$0"; read line', str(marker), stdin="pipe")
    attempts = [host.spawn(directory) for _ in range(5)]
    first = attempts[0].proc().shim_pid
    until(lambda: [a.shim for a in attempts if is_running(a.shim)] == [first])
    until(marker.exists)
    assert directory.state() is State.ALIVE
    assert marker.read_text() == "once\n"


def test_a_gate_that_the_worker_closed_stays_closed(host: Host, tmp_path: Path) -> None:
    """A spawn that arrives late executes nothing."""
    marker = tmp_path / "marker"
    directory = host.prepare(*TOUCH, str(marker))
    assert directory.settle() is Settled.NEVER_WILL
    late = host.spawn(directory)
    until(lambda: not is_running(late.shim))
    assert directory.settle() is Settled.NEVER_WILL
    assert (marker.exists(), directory.proc(), directory.exit()) == (False, None, None)


def test_proc_json_names_everybody(host: Host) -> None:
    """Pids with start times, the boot, and the lock's device and inode."""
    attempt = host.shell("read line", stdin="pipe")
    proc = attempt.proc()
    lock = (attempt.path / "lock").stat()
    assert (proc.instance, proc.uid) == (host.instance, attempt.directory.spec().uid)
    assert (proc.lock_device, proc.lock_inode) == (lock.st_dev, lock.st_ino)
    assert (proc.shim_pid, proc.shim_start) == (attempt.shim, procfs.start_time(attempt.shim))
    assert (proc.start_time, proc.boot_id) == (procfs.start_time(proc.pid), procfs.boot_id())
    assert json.loads((attempt.path / "proc.json").read_text())["layout"] == 1


def test_only_the_owner_may_look(host: Host) -> None:
    """The directory is 0700 and what holds secrets or output is 0600."""
    attempt = host.shell("echo x; echo y >&2", stdin="prompt", prompt="secret")
    attempt.ended()
    assert stat.S_IMODE(attempt.path.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in attempt.path.iterdir() if path.is_file()}
    assert {"spec.json", "prompt", "out", "err", "idx", "journal", "exit", "proc.json"} <= modes.keys()
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize(
    ("argv", "fields", "message"),
    [
        pytest.param(["no-such-program"], {}, "No such file or directory: no-such-program", id="not-in-path"),
        pytest.param(["/no/such/program"], {}, "No such file or directory: /no/such/program", id="no-such-path"),
        pytest.param(["/etc/passwd"], {}, "Permission denied: /etc/passwd", id="not-executable"),
        pytest.param(["/"], {}, "Permission denied: /", id="a-directory"),
        pytest.param(["true"], {"cwd": "/no/such/place"}, "No such file or directory: /no/such/place", id="no-cwd"),
        pytest.param(["true"], {"cwd": "/etc/passwd"}, "Not a directory: /etc/passwd", id="cwd-a-file"),
        pytest.param(["true", "x" * (1 << 18)], {}, "Argument list too long: true", id="too-big"),
    ],
)
def test_what_cannot_execute_says_why(host: Host, argv: list[str], fields: dict[str, str], message: str) -> None:
    """The exit record has the system's message, and neither exit code nor signal."""
    record = host.start(*argv, **fields).ended()
    assert record.spawn_error == message
    assert (record.exit_code, record.signal, record.stopped, record.limit) == (None, None, False, None)


def test_the_agent_gets_a_clean_process(host: Host) -> None:
    """No descriptor but 0 to 2, a session of its own, signals as a shell would give them, no new privileges."""
    script = (
        "import os; status = dict(line.split(':\\t') for line in open('/proc/self/status').read().splitlines());"
        "print(sorted(set(os.listdir('/proc/self/fd')) - {'3'}), os.getpid() == os.getsid(0), status['NoNewPrivs'],"
        "int(status['SigBlk'], 16), int(status['SigIgn'], 16) & 0x7fffffff & ~(1 << 12 | 1 << 24))"
    )
    attempt = host.python(script)
    assert attempt.ended().exit_code == 0, attempt.output("err")
    # CPython itself ignores SIGPIPE and SIGXFSZ; no other is ignored.
    assert attempt.output().decode() == "['0', '1', '2'] True 1 0 0\n"


def test_kill_0_does_not_reach_the_shim(host: Host) -> None:
    """The agent's process group is its own."""
    attempt = host.shell("kill -9 0")
    assert attempt.ended().signal == 9


def test_the_environment_is_the_specs_with_the_mark(host: Host) -> None:
    """Nothing of the worker, the zygote or the shim is in it, and the mark cannot be overridden."""
    attempt = host.start("/usr/bin/env", env={"PATH": "/bin", "A": "ü\n=", "AGENTRUNNER_ATTEMPT": "forged"})
    attempt.ended()
    uid = attempt.directory.spec().uid
    lines = sorted(attempt.output().decode().replace("\n=", "|=").splitlines())
    assert lines == sorted(["PATH=/bin", "A=ü|=", f"AGENTRUNNER_ATTEMPT={host.instance}/{uid}"])


def test_files_get_the_mode_of_the_workers_umask(host: Host, tmp_path: Path) -> None:
    """What an agent makes is not narrowed by the shim's own caution."""
    before = os.umask(0)
    os.umask(before)
    host.shell(f"touch {tmp_path}/made").ended()
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o666 & ~before
