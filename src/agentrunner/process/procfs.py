"""Processes as /proc shows them, proc(5). Stand-alone.

`os.open` and `os.read` throughout, never `open`: a buffered file costs a shim 200 KB of memory of its own, because the
objects behind it are shared with the zygote until they are first used.
"""

from __future__ import annotations

import os

_STAT_PARENT, _STAT_TIMES, _STAT_START = 1, slice(11, 15), 19
"""Places behind the name, which ends at the last `)`: fields 4, 14 to 17 and 22."""


def read(path: str) -> bytes:
    """A whole small file. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = b""
        while part := os.read(descriptor, 16384):
            data += part
        return data
    finally:
        os.close(descriptor)


def write(path: str, text: str) -> None:
    """Write to a file that is there, in one call, as control files need it. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def boot_id() -> str:
    """Random at each start of the host."""
    return read("/proc/sys/kernel/random/boot_id").decode().strip()


def state_of(pid: int) -> str:
    """One letter; X where there is no such process."""
    stat = _stat(pid)
    return stat[0].decode() if stat else "X"


def is_alive(pid: int) -> bool:
    """True while a process can still act: a zombie cannot."""
    return state_of(pid) not in "ZX"


def start_time(pid: int) -> int:
    """When a process started, in clock ticks since boot; -1 where there is none."""
    stat = _stat(pid)
    return int(stat[_STAT_START]) if stat else -1


def times(pid: int) -> list[int]:
    """CPU time in clock ticks: its own in user and system mode, then the same of children it has collected."""
    return [int(field) for field in _stat(pid)[_STAT_TIMES]]


def living() -> dict[int, int]:
    """Every process that can still act, with its parent."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (stat := _stat(int(name))) and stat[0] not in b"ZX":
            found[int(name)] = int(stat[_STAT_PARENT])
    return found


def descendants(of: set[int], parents: dict[int, int]) -> set[int]:
    """Everything below some processes, in a table of parents; they themselves are left out."""
    found: set[int] = set()
    wave = of
    while wave:
        wave = {pid for pid, parent in parents.items() if parent in wave} - found - of
        found |= wave
    return found


def has_in_environment(pid: int, entry: bytes) -> bool:
    """Whether a process was started with `NAME=VALUE`; False where that may not be seen."""
    try:
        return entry in read(f"/proc/{pid}/environ").split(b"\0")
    except OSError:
        return False


def _stat(pid: int) -> list[bytes]:
    try:
        return read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return []
