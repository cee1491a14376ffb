"""Attempts for tests: real zygotes, real shims, real agents, and nothing of them left at the end."""

import os
import signal
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentrunner.process import procfs, tree
from agentrunner.process.adopt import ExitRecord, Proc, RunDirectory, ShimLink, Spec, State
from agentrunner.process.journal import Fact, read_facts
from agentrunner.process.launch import ZygoteLink
from waiting import until

PYTHON = (sys.executable, "-I", "-S", "-c")
MECHANISMS = ("cgroup2", "cgroup1", "walk")


def usable(mechanism: str) -> bool:
    """Whether this host offers it; what it does not offer cannot be tested here."""
    try:
        tree.probe(mechanism)
    except OSError:
        return False
    return True


class Attempt:
    """One run directory whose shim was asked for, with what tests want to know of it."""

    def __init__(self, directory: RunDirectory, shim: int) -> None:
        self.directory = directory
        self.path = directory.path
        self.shim = shim

    def proc(self, timeout: float = 10.0) -> Proc:
        """Who runs there, once the gate is passed."""
        return until(self.directory.proc, timeout)

    def ended(self, timeout: float = 15.0) -> ExitRecord:
        """How it ended, once it has."""
        return until(self.directory.exit, timeout, every=0.002)

    def facts(self) -> list[Fact]:
        """The journal of this moment."""
        return read_facts(self.path, 0)[0]

    def fact(self, name: str, timeout: float = 10.0, **fields: Any) -> Fact:
        """The first fact of that name with those fields, once it is there."""

        def found() -> list[Fact]:
            return [f for f in self.facts() if f.name == name and fields.items() <= f.fields.items()]

        return until(found, timeout)[0]

    def tell(self, cmd: str, epoch: int = 1, **fields: Any) -> dict[str, Any]:
        """One command to the shim."""
        link = ShimLink(self.path)
        try:
            return link.send({"cmd": cmd, "epoch": epoch, **fields})
        finally:
            link.close()

    @contextmanager
    def connect(self) -> Iterator[socket.socket]:
        """A bare connection to `ctl`."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(5)
                connection.connect(f"/proc/self/fd/{descriptor}/ctl")
                yield connection
        finally:
            os.close(descriptor)

    def output(self, stream: str = "out") -> bytes:
        """What is spooled; nothing where there is no spool yet."""
        path = self.path / stream
        return path.read_bytes() if path.exists() else b""

    def says(self, text: bytes, timeout: float = 10.0) -> None:
        """Wait until the agent has written this."""
        until(lambda: text in self.output(), timeout)

    def tree(self) -> set[int]:
        """The living processes that carry this attempt's mark."""
        proc = self.proc()
        entry = f"AGENTRUNNER_ATTEMPT={proc.instance}/{proc.uid}".encode()
        return {pid for pid in _pids() if _carries(pid, entry) and procfs.is_alive(pid)}

    def kill_shim(self) -> None:
        """SIGKILL to the shim, proven to be it; returns once it is gone."""
        descriptor = self.directory.open_shim()
        assert descriptor is not None
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        os.close(descriptor)
        until(lambda: not is_running(self.shim))


class Host:
    """A worker's state directory with its zygote."""

    def __init__(self, state_dir: Path, idle_s: float = 60.0) -> None:
        self.state_dir = state_dir
        self.instance = uuid.uuid4().hex
        self.zygote = ZygoteLink(state_dir, idle_s)
        self.attempts: list[Attempt] = []

    @property
    def runs(self) -> Path:
        """This instance's run directories."""
        return self.state_dir / "runs" / self.instance

    def spec(self, *argv: str, **fields: Any) -> Spec:
        """A spec with little grace and a small environment."""
        given = {
            "instance": self.instance,
            "uid": uuid.uuid4().hex,
            "backend": "command",
            "run": 7,
            "attempt": 1,
            "epoch": 1,
            "argv": list(argv),
            "env": {"PATH": os.environ["PATH"]},
            "cwd": str(self.state_dir),
            "grace_s": 3.0,
        }
        return Spec(**{**given, **fields})

    def prepare(self, *argv: str, **fields: Any) -> RunDirectory:
        """A run directory that nobody was asked to start."""
        return RunDirectory.create(self.runs, self.spec(*argv, **fields))

    def spawn(self, directory: RunDirectory) -> Attempt:
        """Ask for its shim."""
        attempt = Attempt(directory, self.zygote.spawn(directory.path))
        self.attempts.append(attempt)
        return attempt

    def start(self, *argv: str, **fields: Any) -> Attempt:
        """A shim with its agent, on their way."""
        return self.spawn(self.prepare(*argv, **fields))

    def shell(self, script: str, **fields: Any) -> Attempt:
        """A shell as agent."""
        return self.start("/bin/sh", "-c", script, **fields)

    def python(self, script: str, *arguments: str, **fields: Any) -> Attempt:
        """A Python program as agent."""
        return self.start(*PYTHON, script, *arguments, **fields)

    def end_attempts(self) -> None:
        """End what a test has left, by every means, and prove that it has."""
        for attempt in self.attempts:
            if attempt.directory.proc() is None:
                kill(attempt.shim)
            elif attempt.directory.state() is State.ALIVE:
                try:
                    attempt.tell("stop", epoch=1 << 40, rev=1 << 40, grace_s=0)
                    attempt.ended()
                except OSError:
                    until(lambda done=attempt: done.directory.state() is not State.ALIVE)
            if attempt.directory.proc() is not None and attempt.directory.state() is State.SHIM_LOST:
                attempt.directory.kill_leftovers()
            until(lambda done=attempt: not is_running(done.shim))
        self.attempts.clear()

    def close(self) -> None:
        """End the attempts, then the zygote."""
        self.end_attempts()
        pid = self.zygote.pid
        self.zygote.close()
        if pid:
            kill(pid)


@contextmanager
def host_in(state_dir: Path, idle_s: float = 60.0) -> Iterator[Host]:
    """A host that leaves nothing."""
    host = Host(state_dir, idle_s)
    try:
        yield host
    finally:
        host.close()


def kill(pid: int) -> None:
    """SIGKILL a process that a test has started, and wait until it is gone."""
    started = procfs.start_time(pid)
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if procfs.start_time(pid) == started:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        os.close(descriptor)
    until(lambda: not is_running(pid))


def is_running(pid: int) -> bool:
    """Whether there is such a process that can still act."""
    return procfs.is_alive(pid)


def passed(seconds: float) -> None:
    """Let time pass where time itself is what is tested."""
    deadline = time.monotonic() + seconds
    until(lambda: time.monotonic() >= deadline, seconds + 5, every=0.05)


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _carries(pid: int, entry: bytes) -> bool:
    try:
        return entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
