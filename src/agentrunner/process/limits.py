"""What a child gives up before it executes, and which limits this host can enforce. Stand-alone."""

from __future__ import annotations

import ctypes
import os
import resource
import signal

_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 15, 36, 38
_libc = ctypes.CDLL(None, use_errno=True)
_USUAL_FILES = 1024


def give_up(parent: int) -> None:
    """Die with the parent, gain no privileges, have the usual soft limit of open files.

    Ends the process where the parent has died already, for then no signal will come.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    usual = _USUAL_FILES if hard == resource.RLIM_INFINITY else min(_USUAL_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (usual, hard))


def become_subreaper() -> None:
    """Orphans below this process become its children."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def set_title(title: str) -> None:
    """What `ps` shows: the thread name holds 15 bytes."""
    _libc.prctl(_PR_SET_NAME, title.encode()[:15], 0, 0, 0)


def punch(descriptor: int, start: int, length: int) -> bool:
    """Give disk blocks back; offsets stay valid. FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE."""
    offset, size = ctypes.c_long(start), ctypes.c_long(length)
    return length > 0 and _libc.fallocate(descriptor, 3, offset, size) == 0


def enforceable() -> dict[str, str | None]:
    """Each limit of a run: None where this host enforces it, else why not."""
    why = "limits of memory, CPU and processes need delegated cgroup controllers, which this worker does not use"
    own = dict.fromkeys(("wall_s", "idle_s", "start_s", "output_mb"))
    return {**own, "memory_mb": why, "cpu": why, "pids": why}
