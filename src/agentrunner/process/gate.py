"""The start gate: nothing is ever started twice, whoever is killed when. Stand-alone.

The shim holds `lock` for life, makes `start` where nobody has, forks a child that waits on a pipe, renames `proc.json`
into place and only then releases the child; the end of the pipe is for the child to end without executing anything.
"""

from __future__ import annotations

import fcntl
import os

from agentrunner.process import facts, kernel, procfs
from agentrunner.process.kernel import signals
from agentrunner.process.tree import MARK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from agentrunner.process.tree import Tree

LAYOUT = 2
_SETTABLE = tuple(number for number in range(1, 65) if number not in (signals.SIGKILL, signals.SIGSTOP, 32, 33))
"""Every signal but those that cannot be set and the C library's own two."""
_LAST_DESCRIPTOR = 2**31 - 1


class Closed(Exception):
    """This directory was executed, or given up, by somebody else."""


class Gate:
    """One run directory's gate, passed by making it. Raises Closed, or OSError where the disk refuses."""

    def __init__(self, directory: int, spec: dict[str, Any]) -> None:
        self._directory = directory
        self._spec = spec
        self._lock = os.open("lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=directory)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Closed from error
        self.stall("locked")
        try:
            # A second name of `lock` is as exclusive as O_EXCL and a fifth of the price of a new file.
            os.link("lock", "start", src_dir_fd=directory, dst_dir_fd=directory)
        except FileExistsError as error:
            raise Closed from error
        self.stall("start")

    def stall(self, point: str) -> None:
        """Wait for ever at a point that a test names, to be killed there; production specs name none."""
        if self._spec.get("stall") == point:
            os.close(os.open(f"stalled-{point}", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=self._directory))
            while True:
                signals.pause()

    def record(self, agent: int, tree: Tree) -> None:
        """Write `proc.json`: from here on this directory counts as executed. `agent` is 0 where nothing was forked.

        Raises OSError.
        """
        lock, me = os.fstat(self._lock), os.getpid()
        content = {
            "layout": LAYOUT,
            "instance": self._spec["instance"],
            "uid": self._spec["uid"],
            "boot_id": procfs.boot_id(),
            "shim_pid": me,
            "shim_start": procfs.start_time(me),
            "pid": agent,
            "start_time": procfs.start_time(agent) if agent else -1,
            "lock_device": lock.st_dev,
            "lock_inode": lock.st_ino,
            "tree": tree.name,
            "tree_base": tree.base,
            "groups": [] if tree.resources is None else tree.resources.groups,
        }
        facts.write_whole(self._directory, "proc.json", content)


class Start:
    """The fork. `error_read` ends when the agent executes, or says before that why it cannot."""

    def __init__(self, gate: Gate, spec: dict[str, Any], tree: Tree, ends: list[int], umask: int) -> None:
        self.pid = 0
        shim = os.getpid()
        go_read, self._go_write = os.pipe2(os.O_CLOEXEC)
        self.error_read, error_write = os.pipe2(os.O_CLOEXEC)
        try:
            self.pid, joins = tree.fork()
            if self.pid == 0:
                child = _Child(spec, tree, ends, umask, shim)
                child.joins = joins
                _become_agent(child, go_read, error_write)
        finally:
            for descriptor in (*ends, go_read, error_write):
                os.close(descriptor)
        self.pidfd = os.pidfd_open(self.pid)
        gate.stall("forked")

    def release(self) -> None:
        """Let the child execute."""
        os.write(self._go_write, b"!")
        os.close(self._go_write)


class _Child:
    """What the child needs to know."""

    def __init__(self, spec: dict[str, Any], tree: Tree, ends: list[int], umask: int, shim: int) -> None:
        self.argv: list[str] = spec["argv"]
        # The mark last: whatever the run's own environment says, this attempt's processes carry this attempt's mark.
        self.environment: dict[str, str] = {**spec["env"], MARK: tree.mark}
        self.cwd: str = spec["cwd"]
        self.tree = tree
        self.ends = ends
        self.umask = umask
        self.shim = shim
        self.joins = True


def _become_agent(child: _Child, go_read: int, error_write: int) -> None:
    """The child: never returns."""
    where = child.argv[0]
    try:
        _leave_the_shim(child, go_read, error_write)
        if child.joins:
            child.tree.join()
        if child.tree.resources is not None:
            child.tree.resources.join(child.tree.path)
        if not os.read(go_read, 1):
            os._exit(0)
        where = child.cwd
        os.chdir(child.cwd)
        where = child.argv[0]
        _execute(child)
    except OSError as failure:
        os.write(error_write, f"{failure.strerror or failure}: {where}".encode(errors="replace")[:4096])
    except BaseException as failure:
        os.write(error_write, f"{failure!r}: {where}".encode(errors="replace")[:4096])
    finally:
        os._exit(127)


def _leave_the_shim(child: _Child, go_read: int, error_write: int) -> None:
    """A session of its own, default signals, and no descriptor but 0 to 2 and the gate's."""
    os.setsid()
    signals.set_wakeup_fd(-1)
    # All of them: a shell that starts the worker in the background has it ignore SIGINT and SIGQUIT.
    for number in _SETTABLE:
        signals.signal(number, signals.SIG_DFL)
    signals.pthread_sigmask(signals.SIG_SETMASK, ())
    for target, end in enumerate(child.ends):
        os.dup2(end, target)
    first, second = sorted((go_read, error_write))
    os.closerange(3, first)
    os.closerange(first + 1, second)
    os.closerange(second + 1, _LAST_DESCRIPTOR)
    os.umask(child.umask)
    kernel.give_up(child.shim)


def _execute(child: _Child) -> None:
    """Like execvpe(3), without the detour through os.environ. Raises OSError."""
    program = child.argv[0]
    if "/" in program:
        os.execve(program, child.argv, child.environment)
    failure: OSError = FileNotFoundError(2, os.strerror(2))
    for folder in child.environment.get("PATH", os.defpath).split(":"):
        try:
            os.execve(f"{folder or '.'}/{program}", child.argv, child.environment)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as error:
            failure = error
    raise failure
