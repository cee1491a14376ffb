"""System calls that the standard library does not have, or has only wrapped. Stand-alone.

`signals` is what lies under `signal`, whose enumerations would be made and looked up in every shim.
Numbers: prctl(2), fallocate(2), fcntl(2) F_NOTIFY.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import ctypes
import fcntl
import os
import resource

from agentrunner.process import procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

signals: Any = _signal
_PDEATHSIG, _DUMPABLE, _NAME, _CHILD_SUBREAPER, _NO_NEW_PRIVS = 1, 4, 15, 36, 38
_PUNCH_HOLE_KEEP_SIZE, _KEEP_SIZE = 3, 1
_DN_MODIFY = 2
_STAT_ARG_START = 45
_USUAL_FILES = 1024
_NAME_BYTES = 15
_SYS_CLONE3, _CLONE_INTO_CGROUP = 435, 0x200000000
_libc = ctypes.CDLL(None)
_python = ctypes.PyDLL(None, use_errno=True)
"""Called with the interpreter's lock held, as `os.fork` does it: nothing but this thread exists in the child."""
_prctl, _fallocate, _memmove = _libc.prctl, _libc.fallocate, _libc.memmove


class _CloneArguments(ctypes.Structure):
    """`struct clone_args` of clone(2), version 2."""

    _fields_ = [
        (name, ctypes.c_uint64)
        for name in (
            *("flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls"),
            *("set_tid", "set_tid_size", "cgroup"),
        )
    ]


def fork_into(cgroup: int) -> int:
    """Fork a child that is born in the version 2 cgroup whose directory is open as `cgroup`; 0 in the child.

    Joining later by a write waits for an RCU grace period, some 10 ms on an idle host. Raises OSError where the kernel
    has no clone3 or a filter forbids it.
    """
    arguments = _CloneArguments(flags=_CLONE_INTO_CGROUP, exit_signal=int(signals.SIGCHLD), cgroup=cgroup)
    _python.PyOS_BeforeFork()
    pid = int(_python.syscall(_SYS_CLONE3, ctypes.byref(arguments), ctypes.sizeof(arguments)))
    code = ctypes.get_errno()
    if pid == 0:
        _python.PyOS_AfterFork_Child()
        return 0
    _python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(code, os.strerror(code))
    return pid


def give_up(parent: int) -> None:
    """Die with the parent, gain no privileges, have the usual soft limit of open files.

    Ends the process where the parent has died already, for then no signal will come.
    """
    _prctl(_PDEATHSIG, int(signals.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)
    _prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    usual = _USUAL_FILES if hard == resource.RLIM_INFINITY else min(_USUAL_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (usual, hard))


def become_subreaper(on: bool = True) -> None:
    """Orphans below this process become its children."""
    _prctl(_CHILD_SUBREAPER, int(on), 0, 0, 0)


def spent_by_children() -> tuple[int, int]:
    """Of all processes that this one has collected, and those collected by them: CPU time in microseconds together, and
    the resident bytes of the largest; getrusage(2).
    """
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round((used.ru_utime + used.ru_stime) * 1e6), used.ru_maxrss * 1024


def hide_memory() -> None:
    """Let no process of the same user read this one's memory and environment; forked ones inherit it, executed not."""
    _prctl(_DUMPABLE, 0, 0, 0, 0)


class Title:
    """What `ps` shows of this process and of those it forks: its arguments' memory, written over."""

    def __init__(self) -> None:
        fields = procfs.read("/proc/self/stat").rpartition(b")")[2].split()
        start, end = int(fields[_STAT_ARG_START]), int(fields[_STAT_ARG_START + 1])
        # 0 where the kernel hides the addresses.
        self._length = end - start if start else 0
        self._address = ctypes.c_void_p(start)
        self._arguments = procfs.read("/proc/self/cmdline")
        self._name = procfs.read("/proc/self/comm").strip()

    def set(self, title: str) -> None:
        """Cut to the room that the arguments took; the thread's name holds 15 bytes."""
        self._write(title.encode()[:_NAME_BYTES], title.encode())

    def reset(self) -> None:
        """What it was at first."""
        self._write(self._name, self._arguments)

    def _write(self, name: bytes, arguments: bytes) -> None:
        _prctl(_NAME, name, 0, 0, 0)
        if self._length > 1:
            _memmove(self._address, arguments[: self._length - 1].ljust(self._length, b"\0"), self._length)


def punch(descriptor: int, start: int, length: int) -> bool:
    """Give disk blocks back; offsets and size stay valid. False where the file system cannot."""
    offset, size = ctypes.c_long(start), ctypes.c_long(length)
    return length > 0 and _fallocate(descriptor, _PUNCH_HOLE_KEEP_SIZE, offset, size) == 0


def reserve(descriptor: int, length: int) -> bool:
    """Have disk blocks for the first bytes, so that writing there cannot fail for want of room; size stays as it is."""
    return bool(_fallocate(descriptor, _KEEP_SIZE, ctypes.c_long(0), ctypes.c_long(length)) == 0)


def notify_once(directory: int) -> bool:
    """SIGIO at the next write to a file in this directory; False where the kernel was built without.

    Unlike inotify there is no limit of 128 of these a user.
    """
    try:
        fcntl.fcntl(directory, fcntl.F_NOTIFY, _DN_MODIFY)
    except OSError:
        return False
    return True
