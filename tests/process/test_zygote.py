"""The zygote: small, survives its worker, is succeeded by another build, and goes when nobody needs it."""

import fcntl
import os
import signal
import socket
from pathlib import Path

import pytest

from agentrunner.process import procfs, zygote
from agentrunner.process.launch import ZygoteLink, build
from process.given import Runs, fact, lines, tell
from waiting import until


def pss_kb(pid: int) -> int:
    """Proportional memory of a process, proc(5) smaps_rollup."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


def test_runs_outlive_the_zygote(runs: Runs) -> None:
    """Its death changes nothing for them, and the next one is started by asking."""
    directory = runs.start(["sh", "-c", "sleep 0.3; exit 4"])
    first = runs.zygote.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: not runs.zygote.is_connected())
    _, record = runs.run(["sh", "-c", "exit 5"])
    assert record.exit_code == 5
    assert runs.zygote.pid != first
    assert until(directory.exit).exit_code == 4


def test_it_outlives_its_worker_and_serves_the_next(runs: Runs) -> None:
    """As long as it has shims."""
    directory = runs.start(["sleep", "60"])
    pid = runs.zygote.pid
    runs.zygote.close()
    next_link = ZygoteLink(runs.state, idle_s=0.3)
    next_link.ensure()
    assert next_link.pid == pid
    next_link.close()
    tell(directory, "stop", rev=1, grace_s=0)
    until(directory.exit)
    until(lambda: not procfs.is_alive(pid))


def test_it_ends_when_it_is_idle(runs: Runs) -> None:
    """Without worker and shim."""
    runs.zygote.ensure()
    pid = runs.zygote.pid
    runs.zygote.close()
    until(lambda: not procfs.is_alive(pid), timeout=3)


def test_another_build_gets_another_zygote(runs: Runs) -> None:
    """The old one keeps its shims and is asked no more; it ends with the last of them, not a minute later."""
    older, newer = ZygoteLink(runs.state, idle_s=60), ZygoteLink(runs.state, idle_s=0.3)
    older._build = "older"
    directory = runs.create(["sh", "-c", "echo begun; read wait; exit 3"], stdin="pipe")
    older.spawn(directory.path)
    until(lambda: lines(directory))
    old = older.pid
    older.close()
    newer.ensure()
    assert newer.pid != old
    assert procfs.is_alive(old)
    tell(directory, "input", id=1, text="go on")
    assert until(directory.exit).exit_code == 3
    until(lambda: not procfs.is_alive(old), timeout=3)
    assert newer.is_connected()
    newer.close()


def test_another_build_without_shims_ends_at_once(runs: Runs) -> None:
    """Nobody will ask it again."""
    older, newer = ZygoteLink(runs.state, idle_s=60), ZygoteLink(runs.state, idle_s=0.3)
    older._build = "older"
    older.ensure()
    old = older.pid
    older.close()
    newer.ensure()
    until(lambda: not procfs.is_alive(old), timeout=3)
    newer.close()


def test_one_that_hangs_is_killed_and_succeeded(runs: Runs) -> None:
    """Its runs go on without it; the run that it was asked for meanwhile is started once, by the next one."""
    link = ZygoteLink(runs.state, idle_s=0.3, answer_s=0.3)
    live = runs.create(["sh", "-c", "read wait; exit 4"], stdin="pipe")
    link.spawn(live.path)
    until(lambda: fact(live, "started"))
    hung = link.pid
    os.kill(hung, signal.SIGSTOP)
    until(lambda: procfs.state_of(hung) == "T")
    asked = runs.create(["sh", "-c", f"echo x >> {runs.state}/executed"])
    with pytest.raises(OSError, match="timed out"):
        link.spawn(asked.path)
    link.spawn(asked.path)
    assert link.pid != hung
    until(lambda: not procfs.is_alive(hung))
    assert until(asked.exit).exit_code == 0
    assert (runs.state / "executed").read_text() == "x\n"
    tell(live, "input", id=1, text="go on")
    assert until(live.exit).exit_code == 4
    link.close()


def test_one_that_hangs_before_it_listens_is_killed_too(runs: Runs) -> None:
    """It holds the lock that its successor waits for; its name is in the file."""
    runs.zygote.ensure()
    hung = runs.zygote.pid
    lock = os.open(runs.state / "zygote.lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert os.pread(lock, 100, 0).split()[0] == str(hung).encode()
    runs.zygote._build = "newer"
    assert runs.zygote._wait(0.0) is False
    assert runs.zygote._kill_starting()
    until(lambda: not procfs.is_alive(hung))
    os.close(lock)
    runs.zygote.ensure()
    assert runs.zygote.pid != hung


def test_nobody_else_is_killed(runs: Runs) -> None:
    """A process that is no zygote, or the zygote of another directory, is not touched, whatever a file says."""
    runs.zygote.ensure()
    elsewhere = runs.state.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "zygote.lock").write_text(f"{runs.zygote.pid} build\n")
    assert not ZygoteLink(elsewhere)._kill_starting()
    (runs.state / "zygote.lock").write_text(f"{os.getpid()} build\n")
    assert not runs.zygote._kill_starting()
    assert runs.zygote.is_connected()


def test_the_build_covers_every_module_that_is_loaded() -> None:
    """Whatever a zygote imports of ours is part of its hash."""
    here = Path(zygote.__file__).parent
    loaded = set()
    for name in zygote.STAND_ALONE:
        text = (here / f"{name}.py").read_text()
        loaded |= {path.stem for path in here.glob("*.py") if f"process.{path.stem} import" in text}
        for line in text.splitlines():
            if line.strip().startswith("from agentrunner.process import "):
                loaded |= {word.strip() for word in line.partition(" import ")[2].split(",")}
    assert loaded - set(zygote.STAND_ALONE) == set()
    assert len(build()) == 16


def test_nonsense_does_not_end_it(runs: Runs) -> None:
    """A client that sends it is cut; runs of others go on."""
    runs.zygote.ensure()
    pid = runs.zygote.pid
    for line in (b"x\n", b"[]\n", b'{"op":"spawn"}\n', b"\xff\n"):
        directory = os.open(runs.state, os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(f"/proc/self/fd/{directory}/zygote.sock")
            client.recv(1000)
            client.sendall(line)
            assert client.recv(1000) == b""
        os.close(directory)
    _, record = runs.run(["true"])
    assert (record.exit_code, runs.zygote.pid) == (0, pid)


def test_a_client_that_does_not_wait_for_its_answer_does_not_end_it(runs: Runs) -> None:
    """A worker may be killed at any moment; what it asked for is done all the same."""
    runs.zygote.ensure()
    pid, asked = runs.zygote.pid, runs.create(["true"])
    directory = os.open(runs.state, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as client, socket.socket(socket.AF_UNIX) as silent:
        client.connect(f"/proc/self/fd/{directory}/zygote.sock")
        assert client.recv(1000)
        os.kill(pid, signal.SIGSTOP)
        until(lambda: procfs.state_of(pid) == "T")
        silent.connect(f"/proc/self/fd/{directory}/zygote.sock")
        client.sendall(b'{"op":"spawn","dir":"%s"}\n' % os.fsencode(asked.path))
    os.close(directory)
    os.kill(pid, signal.SIGCONT)
    assert until(asked.exit).exit_code == 0
    assert runs.zygote.is_connected()
    assert procfs.is_alive(pid)


def test_shims_are_small_and_named(runs: Runs) -> None:
    """At most 1.3 MB each among fifty, and by the name of their run in `ps`."""
    directories = [runs.start(["sleep", "60"]) for _ in range(50)]
    shims = [directory.proc().shim_pid for directory in directories]  # type: ignore[union-attr]
    assert sum(pss_kb(pid) for pid in shims) / len(shims) <= 1.3 * 1024
    assert procfs.read(f"/proc/{shims[0]}/cmdline").rstrip(b"\0") == b"agentrunner-shim 7"
    assert procfs.read(f"/proc/{shims[0]}/comm").strip() == b"agentrunner-shi"
    assert fact(directories[0], "started") is not None


def test_its_environment_is_scrubbed(runs: Runs) -> None:
    """Nothing of the worker's environment is in it, nor is it attached to anything."""
    runs.zygote.ensure()
    names = {entry.partition(b"=")[0] for entry in procfs.read(f"/proc/{runs.zygote.pid}/environ").split(b"\0")}
    assert names <= {b"PATH", b"LANG", b""}
    assert os.getsid(runs.zygote.pid) != os.getsid(0)
    links = {os.readlink(f"/proc/{runs.zygote.pid}/fd/{number}") for number in (0, 1, 2)}
    assert links == {"/dev/null", str(runs.state / "zygote.log")}
