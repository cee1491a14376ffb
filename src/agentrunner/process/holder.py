"""Lock files that name their holder: one process at a time, and a proof of which one.

The proof is boot id, pid and start time, so a holder that must go is killed only if it is provably still that process.
"""

import fcntl
import json
import os
import signal
import time
from pathlib import Path

from agentrunner.process.procfs import boot_id, start_time

__all__ = ["Held", "boot_id", "is_held", "start_time", "take"]


class Held(OSError):
    """Somebody else holds the lock."""


def take(path: Path, succeed_s: float = 0.0) -> int:
    """Lock a file for the life of the answered descriptor and write this process's name into it.

    A holder that still has it after `succeed_s` seconds is killed and succeeded, if it is provably the process that the
    file names. With 0 nobody is killed. Raises Held.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not _lock(descriptor, succeed_s):
        os.close(descriptor)
        raise Held(f"{path} is held by another process")
    me = os.getpid()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps({"pid": me, "start_time": start_time(me), "boot_id": boot_id()}).encode(), 0)
    return descriptor


def _lock(descriptor: int, succeed_s: float) -> bool:
    if _wait(descriptor, succeed_s):
        return True
    return succeed_s > 0 and _kill_holder(descriptor) and _wait(descriptor, 5.0)


def _wait(descriptor: int, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not _try_lock(descriptor):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _kill_holder(descriptor: int) -> bool:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        pid, started, boot = int(holder["pid"]), int(holder["start_time"]), holder["boot_id"]
        pidfd = os.pidfd_open(pid)
    except (ValueError, KeyError, TypeError, OSError):
        return False
    try:
        if boot != boot_id() or start_time(pid) != started:
            return False
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        return True
    finally:
        os.close(pidfd)
    return True


def is_held(path: Path) -> bool:
    """True while some process holds the lock; makes nothing."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(descriptor)
    finally:
        os.close(descriptor)
