"""What the processes of attempts use now: CPU time, memory and how many there are.

From control groups where the tree or its limits have one, else summed up from /proc.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from agentrunner.process import cgroups, procfs
from agentrunner.process.adopt import Proc

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time since the start in microseconds; memory in bytes and living processes now.

    Memory is what the kernel charges the group where it counts that, else resident, shared pages counted for each.
    """

    cpu_us: int
    memory_bytes: int
    processes: int


def measure(attempts: Sequence[tuple[Proc, Path]]) -> list[Usage | None]:
    """The usage of each attempt, given by who runs it and its directory; None for one whose shim is gone.

    /proc is gone through once at most, however many there are, and only where a tree has no group.
    """
    parents = cache(procfs.living)
    return [_measure(proc, path.name, parents) for proc, path in attempts]


def _measure(proc: Proc, name: str, parents: Callable[[], dict[int, int]]) -> Usage | None:
    if procfs.start_time(proc.shim_pid) != proc.shim_start:
        return None
    group = f"{cgroups.instance_group(proc.tree_base, proc.instance)}/{name}" if proc.tree_base else ""
    if group:
        pids = [pid for pid in cgroups.members(group) if procfs.is_alive(pid)]
    else:
        # Below a living subreaper nothing can hide.
        pids = sorted(procfs.descendants({proc.shim_pid}, parents()))
    cpu_us = cgroups.number(f"{group}/cpu.stat", "usage_usec") if group else None
    if cpu_us is None:
        cpu_us = _cpu_us(proc.shim_pid, pids)
    return Usage(cpu_us=cpu_us, memory_bytes=_memory([group, *proc.groups], pids), processes=len(pids))


def _memory(groups: Sequence[str], pids: Sequence[int]) -> int:
    for group in filter(None, groups):
        for file in ("memory.current", "memory.usage_in_bytes"):
            if (charged := cgroups.number(f"{group}/{file}")) is not None:
                return charged
    return sum(_resident(pid) for pid in pids)


def _resident(pid: int) -> int:
    try:
        return int(procfs.read(f"/proc/{pid}/statm").split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _cpu_us(shim: int, pids: Sequence[int]) -> int:
    """Of the living and of those they have collected, and of those that the shim, who collects the rest, has."""
    ticks = sum(sum(procfs.times(pid)) for pid in pids) + sum(procfs.times(shim)[2:])
    return ticks * _TICK_US
