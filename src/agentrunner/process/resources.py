"""Limits of memory, CPU and processes, kept by the kernel for a whole tree. Stand-alone.

Each is set where this host lets it: by a version 2 controller that is handed down to us, else in a group of the
version 1 hierarchy. Trees may be found and frozen by other means than those that limit them.
"""

from __future__ import annotations

import os
import select
import time

from agentrunner.process import cgroups, procfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentrunner.process.facts import Journal

_CONTROLLERS = {"memory_mb": "memory", "cpu": "cpu", "pids": "pids"}
LIMITS = tuple(_CONTROLLERS)
_NEEDED = {"memory": "memory.limit_in_bytes", "cpu": "cpu.cfs_quota_us", "pids": "pids.max"}
_PERIOD_US, _LEAST_QUOTA_US = 100_000, 1000
_MIB = 1 << 20
_PIDS_S = 1.0
"""Version 1 tells nobody that a process was refused: a run with that limit is looked at now and then."""
_LATER_S = (0.0, 0.005, 0.02, 0.1, 0.5)
_MOST_LOOKS = 16
_IN_V2 = "cgroup v2 hands it down to no group of ours"


class Probe:
    """For each limit the version and the base of the groups that keep it, or why there are none."""

    def __init__(self, bases: Mapping[str, tuple[int, str]], refused: Mapping[str, str]) -> None:
        self.bases = bases
        self.refused = refused


def probe() -> Probe:
    """What this host lets this process limit; tried out, not guessed."""
    bases: dict[str, tuple[int, str]] = {}
    refused: dict[str, str] = {}
    second, why_not, handed = "", _IN_V2, set[str]()
    try:
        second = cgroups.base2()
        handed = cgroups.hand_down(second)
    except OSError as error:
        why_not = f"cgroup v2: {error.strerror or error}"
    for limit, controller in _CONTROLLERS.items():
        if controller in handed:
            bases[limit] = (2, second)
            continue
        try:
            bases[limit] = (1, cgroups.base1(controller, _NEEDED[controller]))
        except OSError as error:
            refused[limit] = f"the {controller} controller cannot be used ({why_not}; v1: {error.strerror or error})"
    return Probe(bases, refused)


_known: list[Probe] = []


def known(anew: bool = False) -> Probe:
    """The probe, made once: shims share that of their zygote; `anew` where it has become wrong."""
    if anew:
        _known.clear()
    if not _known:
        _known.append(probe())
    return _known[0]


class Resources:
    """The limits of one attempt and the groups that keep them; without limits there is no group."""

    def __init__(self, probe: Probe, instance: str, uid: str, limits: Mapping[str, float]) -> None:
        """`limits`: each that is set, in the unit of its name. Raises OSError for one that nobody keeps here."""
        self.limits = limits
        self._versions: dict[str, int] = {}
        self._groups: dict[str, str] = {}
        for limit in limits:
            if limit not in probe.bases:
                raise OSError(f"limits.{limit} cannot be kept here: {probe.refused[limit]}")
            self._versions[limit], base = probe.bases[limit]
            self._groups[limit] = f"{cgroups.instance_group(base, instance)}/{uid}"

    @property
    def groups(self) -> list[str]:
        """Every group, each once."""
        return sorted(set(self._groups.values()))

    def create(self) -> None:
        """Make the groups and set the limits. Raises OSError, with nothing left."""
        try:
            for limit, group in self._groups.items():
                cgroups.make(group)
                if self._versions[limit] == 2:
                    cgroups.hand_down(group.rpartition("/")[0], (_CONTROLLERS[limit],))
                _SET[limit, self._versions[limit]](group, self.limits[limit])
        except OSError:
            self.remove()
            raise

    def join(self, tree_group: str) -> None:
        """Put the calling process under the limits; done by the child, in its tree's group already, before it executes.

        Raises OSError.
        """
        for group in self.groups:
            if group != tree_group:
                procfs.write(f"{group}/cgroup.procs", "0")

    def watch_memory(self) -> int:
        """A descriptor that becomes readable when memory runs out, for the caller to close; -1 where none is needed.

        Version 2 ends the whole group by itself; version 1 ends one process, and the rest is for the caller to end.
        """
        if self._versions.get("memory_mb") != 1:
            return -1
        group = self._groups["memory_mb"]
        told = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        control = os.open(f"{group}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
        try:
            procfs.write(f"{group}/cgroup.event_control", f"{told} {control}")
        except OSError:
            os.close(told)
            return -1
        finally:
            os.close(control)
        return told

    def oom_kills(self) -> int:
        """How many processes the kernel has killed because the memory limit was reached."""
        file = "memory.oom_control" if self._versions.get("memory_mb") == 1 else "memory.events"
        return self._number("memory_mb", file, "oom_kill") or 0

    def refused_forks(self) -> int:
        """How often the kernel refused a new process because the limit of processes was reached."""
        return self._number("pids", "pids.events", "max") or 0

    def memory_peak(self) -> int | None:
        """The most bytes that were in use at once; None without a limit of memory, or where the kernel counts none."""
        file = "memory.max_usage_in_bytes" if self._versions.get("memory_mb") == 1 else "memory.peak"
        return self._number("memory_mb", file)

    def remove(self) -> None:
        """Remove the groups; harmless where they are gone or in use."""
        for group in self.groups:
            cgroups.remove(group)

    def _number(self, limit: str, file: str, name: str = "") -> int | None:
        group = self._groups.get(limit)
        return None if group is None else cgroups.number(f"{group}/{file}", name)


class Watch:
    """Looks whether limits were hit while an agent lives, and says so in the journal."""

    def __init__(self, resources: Resources | None, journal: Journal, epoll: select.epoll) -> None:
        self._resources = resources = resources or Resources(Probe({}, {}), "", "", {})
        self._journal = journal
        self.descriptor = resources.watch_memory()
        """Readable when memory runs out. -1 where nobody says so."""
        if self.descriptor >= 0:
            epoll.register(self.descriptor, select.EPOLLIN)
        self._look_at = [time.monotonic() + _PIDS_S] if "pids" in resources.limits else []
        self._refused = 0

    def left(self) -> float | None:
        """Seconds until the next look; None where none is due."""
        return max(0.0, self._look_at[0] - time.monotonic()) if self._look_at else None

    def told(self) -> None:
        """Memory has run out: the kernel counts who it kills a moment after it says so, so look now and soon again."""
        os.eventfd_read(self.descriptor)
        now = time.monotonic()
        self._look_at = sorted([*self._look_at, *(now + later for later in _LATER_S)])[-_MOST_LOOKS:]

    def look(self) -> bool:
        """Look, where it is time; True once the memory limit has ended a process."""
        if self.left() != 0.0:
            return False
        now = time.monotonic()
        self._look_at = [at for at in self._look_at if at > now]
        if "pids" in self._resources.limits:
            self.note_refused()
            if not self._look_at:
                self._look_at.append(now + _PIDS_S)
        return self.is_out_of_memory()

    def is_out_of_memory(self) -> bool:
        """True once the kernel has killed for the memory limit."""
        return self._resources.oom_kills() > 0

    def note_refused(self, finally_: bool = False) -> None:
        """Say that processes were refused: at the first, when they have doubled, and at the end."""
        refused = self._resources.refused_forks()
        if refused > (self._refused if finally_ else 2 * self._refused):
            self._refused = refused
            self._journal.note("limit", limit="pids", value=self._resources.limits["pids"], refused=refused)

    def memory(self) -> dict[str, object]:
        """What there is to say where the memory limit was hit: `used` in the unit of the limit."""
        peak = self._resources.memory_peak()
        used = {} if peak is None else {"used": round(peak / _MIB, 1)}
        return {"value": self._resources.limits["memory_mb"], **used, "killed": self._resources.oom_kills()}


def _set_memory1(group: str, value: float) -> None:
    """Swap counts too, where the kernel counts it: a limit that only moves memory to the disk is none."""
    size = str(round(value * _MIB))
    procfs.write(f"{group}/memory.limit_in_bytes", size)
    _write_if_there(f"{group}/memory.memsw.limit_in_bytes", size)


def _set_memory2(group: str, value: float) -> None:
    procfs.write(f"{group}/memory.max", str(round(value * _MIB)))
    _write_if_there(f"{group}/memory.swap.max", "0")
    procfs.write(f"{group}/memory.oom.group", "1")


def _set_cpu1(group: str, value: float) -> None:
    procfs.write(f"{group}/cpu.cfs_period_us", str(_PERIOD_US))
    procfs.write(f"{group}/cpu.cfs_quota_us", str(_quota(value)))


def _set_cpu2(group: str, value: float) -> None:
    procfs.write(f"{group}/cpu.max", f"{_quota(value)} {_PERIOD_US}")


def _set_pids(group: str, value: float) -> None:
    procfs.write(f"{group}/pids.max", str(round(value)))


def _quota(cpus: float) -> int:
    """The least that the kernel takes is a hundredth of a CPU."""
    return max(_LEAST_QUOTA_US, round(cpus * _PERIOD_US))


def _write_if_there(path: str, text: str) -> None:
    if os.path.exists(path):
        procfs.write(path, text)


_SET = {
    ("memory_mb", 1): _set_memory1,
    ("memory_mb", 2): _set_memory2,
    ("cpu", 1): _set_cpu1,
    ("cpu", 2): _set_cpu2,
    ("pids", 1): _set_pids,
    ("pids", 2): _set_pids,
}
