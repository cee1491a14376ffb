"""Process trees: find, freeze and kill everything an attempt has started, whatever it did to hide.

Stand-alone. Three mechanisms, best first: `cgroup2` (one write kills or freezes all; kernel documentation
cgroup-v2.rst), `cgroup1` (the freezer, where a frozen process ignores SIGKILL until thawed), `walk` (children of the
subreaper, and an environment mark in /proc).
"""

from __future__ import annotations

import os
import time

from agentrunner.process import cgroups, kernel, procfs, resources
from agentrunner.process.kernel import signals
from agentrunner.process.procfs import start_time

__all__ = ["MARK", "MECHANISMS", "Probe", "Tree", "make", "note_subreaper", "probe", "start_time"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

MARK = "AGENTRUNNER_ATTEMPT"
MECHANISMS = ("cgroup2", "cgroup1", "walk")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.0005, 0.05
_FREEZE_S = 5.0
_PIDFDS = 256


class Probe:
    """The mechanism to use, where its groups are made, and why each better one cannot be used."""

    def __init__(self, name: str, base: str, refused: dict[str, str]) -> None:
        self.name = name
        self.base = base
        self.refused = refused


def probe(forced: str | None = None) -> Probe:
    """The best mechanism this process can use, tried out, not guessed; `forced` names the only one to try.

    Raises ValueError for an unknown name, OSError where the forced one cannot be used.
    """
    if forced and forced not in MECHANISMS:
        raise ValueError(f"AGENTRUNNER_TREE={forced!r}: choose one of {', '.join(MECHANISMS)}")
    refused: dict[str, str] = {}
    for name in (forced,) if forced else MECHANISMS:
        try:
            return Probe(name, _BASES[name](), refused)
        except OSError as error:
            refused[name] = error.strerror or str(error)
    raise OSError(f"the tree mechanism {forced} cannot be used here: {refused[str(forced)]}")


def make(name: str, base: str, instance: str, uid: str) -> Tree:
    """The tree of one attempt; nothing is created yet. `base` is a probe's."""
    kind = {"cgroup2": Cgroup2, "cgroup1": Cgroup1, "walk": Walk}[name]
    return kind(base, instance, uid)


def set_up(spec: Mapping[str, Any], uid: str, probes: Mapping[str, Probe | None]) -> Tree:
    """Create the tree that a spec asks for, with its limits: by the zygote's probe, where that is wrong by a new one.

    Raises OSError, with nothing left.
    """
    forced = spec.get("tree")
    limits = {name: spec[name] for name in resources.LIMITS if spec.get(name) is not None}
    failure = OSError()
    for known in (probes.get(forced or ""), None):
        found = known or probe(forced)
        made = make(found.name, found.base, spec["instance"], uid)
        try:
            made.create()
            made.limit(limits, anew=known is None)
            return made
        except OSError as error:
            made.remove()
            failure = error
    raise failure


class Tree:
    """All processes of one attempt. `pids` may be out of date at once; `is_empty` is proof."""

    name = ""

    def __init__(self, base: str, instance: str, uid: str) -> None:
        self.base = base
        self.instance, self.uid = instance, uid
        self.resources: resources.Resources | None = None
        self.mark = f"{instance}/{uid}"
        self.path = f"{cgroups.instance_group(base, instance)}/{uid}" if base else ""

    def create(self) -> None:
        """Make what the mechanism needs before the first process. Raises OSError."""

    def limit(self, limits: Mapping[str, float], anew: bool = False) -> None:
        """Limit what all processes together may use (resources); before the first of them. Raises OSError."""
        if limits:
            self.resources = resources.Resources(resources.known(anew), self.instance, self.uid, limits)
            self.resources.create()

    def fork(self) -> tuple[int, bool]:
        """Fork: the pid, 0 in the child, and whether the child still has to join."""
        return os.fork(), True

    def join(self) -> None:
        """Put the calling process into the tree; done by the child before it executes."""

    def pids(self) -> list[int]:
        """The living processes of the tree."""
        raise NotImplementedError

    def is_empty(self) -> bool:
        """True once no process of the tree can act any more."""
        return not self.pids()

    def freeze(self, timeout_s: float = _FREEZE_S) -> bool:
        """Stop every process; True once all stand still, False where one still moves after the time."""
        raise NotImplementedError

    def thaw(self) -> None:
        """Let every process go on."""
        raise NotImplementedError

    def is_frozen(self) -> bool:
        """What the kernel says, never what was asked for."""
        raise NotImplementedError

    def signal(self, number: int) -> int:
        """Signal every process; answers how many got it."""
        return _signal_listed(self.pids, number)

    def used(self) -> dict[str, int]:
        """CPU time of all that ever were in it, in microseconds, and the most memory, in bytes; for its subreaper.

        Memory is that of all together where the kernel counts it, else of the largest process alone.
        """
        cpu_us, largest = kernel.spent_by_children()
        together = None if self.resources is None else self.resources.memory_peak()
        return {"cpu_us": self.cpu_us() or cpu_us, "memory_peak_bytes": together or largest}

    def cpu_us(self) -> int | None:
        """The same time as the kernel counts it for the tree; None where it does not."""
        return None

    def kill(self, timeout_s: float) -> int:
        """Kill until the tree is empty; answers how many were found at first. Raises TimeoutError."""
        first = len(self.pids())
        deadline, pause = time.monotonic() + timeout_s, _FIRST_PAUSE_S
        while True:
            self.kill_once()
            if self.is_empty():
                return first
            if time.monotonic() > deadline:
                raise TimeoutError(f"processes of {self.mark} do not end: {self.pids()[:10]}")
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def kill_once(self) -> None:
        """Send SIGKILL to all, frozen or not; a process that forks meanwhile may need another round."""
        raise NotImplementedError

    def remove(self) -> None:
        """Remove what `create` made; harmless where it is gone or in use."""
        if self.resources is not None:
            self.resources.remove()
        if self.path:
            cgroups.remove(self.path)


class _Cgroup(Tree):
    def create(self) -> None:
        cgroups.make(self.path)

    def join(self) -> None:
        procfs.write(f"{self.path}/cgroup.procs", "0")

    def pids(self) -> list[int]:
        return [pid for pid in cgroups.members(self.path) if procfs.is_alive(pid)]


class Cgroup2(_Cgroup):
    """cgroup v2: `cgroup.kill` and `cgroup.freeze` need no controller and reach groups below."""

    name = "cgroup2"

    def fork(self) -> tuple[int, bool]:
        directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return kernel.fork_into(directory), False
        except OSError:
            return super().fork()
        finally:
            os.close(directory)

    def is_empty(self) -> bool:
        return self._has("populated 0", missing=True)

    def freeze(self, timeout_s: float = _FREEZE_S) -> bool:
        procfs.write(f"{self.path}/cgroup.freeze", "1")
        return _wait(self.is_frozen, timeout_s)

    def thaw(self) -> None:
        procfs.write(f"{self.path}/cgroup.freeze", "0")

    def is_frozen(self) -> bool:
        return self._has("frozen 1", missing=False)

    def cpu_us(self) -> int | None:
        return cgroups.number(f"{self.path}/cpu.stat", "usage_usec")

    def _has(self, words: str, missing: bool) -> bool:
        try:
            return words.encode() in procfs.read(f"{self.path}/cgroup.events")
        except FileNotFoundError:
            return missing

    def kill_once(self) -> None:
        try:
            procfs.write(f"{self.path}/cgroup.kill", "1")
        except FileNotFoundError:
            return


class Cgroup1(_Cgroup):
    """The cgroup v1 freezer: frozen processes take SIGKILL only when thawed."""

    name = "cgroup1"

    def freeze(self, timeout_s: float = _FREEZE_S) -> bool:
        procfs.write(f"{self.path}/freezer.state", "FROZEN")
        return _wait(self.is_frozen, timeout_s)

    def thaw(self) -> None:
        procfs.write(f"{self.path}/freezer.state", "THAWED")

    def is_frozen(self) -> bool:
        try:
            return procfs.read(f"{self.path}/freezer.state").strip() == b"FROZEN"
        except FileNotFoundError:
            return False

    def kill_once(self) -> None:
        try:
            # Frozen first, so that no process can fork between the listing and the signal.
            self.freeze(0.25)
            self.signal(signals.SIGKILL)
            self.thaw()
        except FileNotFoundError:
            return


class Walk(Tree):
    """No privilege needed: everything below the calling subreaper, everything marked, everything below that.

    A process that hides its mark is found by its ancestors, one that hides its ancestors by its mark; below a living
    subreaper nothing can hide.
    """

    name = "walk"

    def pids(self) -> list[int]:
        parents, me = procfs.living(), os.getpid()
        found = procfs.descendants({me}, parents) if _is_subreaper() else set()
        entry = f"{MARK}={self.mark}".encode()
        found |= {pid for pid in parents.keys() - found - {me} if procfs.has_in_environment(pid, entry)}
        return sorted((found | procfs.descendants(found, parents)) - {me})

    def freeze(self, timeout_s: float = _FREEZE_S) -> bool:
        deadline = time.monotonic() + timeout_s
        while True:
            self.signal(signals.SIGSTOP)
            if self.is_frozen():
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(_FIRST_PAUSE_S)

    def thaw(self) -> None:
        self.signal(signals.SIGCONT)

    def is_frozen(self) -> bool:
        found = self.pids()
        return bool(found) and all(procfs.state_of(pid) in "TtZX" for pid in found)

    def kill_once(self) -> None:
        self.signal(signals.SIGKILL)


_subreaper = False


def note_subreaper(on: bool = True) -> None:
    """The calling process is the subreaper of what it starts: its descendants are the tree."""
    global _subreaper
    _subreaper = on


def _is_subreaper() -> bool:
    return _subreaper


def kill_children() -> int:
    """Kill everything below this process, in a tree's group or not; answers how many there were."""
    me = {os.getpid()}
    return _signal_listed(lambda: list(procfs.descendants(me, procfs.living())), signals.SIGKILL)


def _signal_listed(listed: Callable[[], list[int]], number: int) -> int:
    """Signal through pidfds, and only who is still listed after his was opened: then a pid is nobody else's yet."""
    sent = 0
    waiting = listed()
    while waiting:
        batch, waiting = waiting[:_PIDFDS], waiting[_PIDFDS:]
        opened = {pid: descriptor for pid in batch if (descriptor := _pidfd(pid)) >= 0}
        still = set(listed())
        for pid, descriptor in opened.items():
            sent += pid in still and _send(descriptor, number)
            os.close(descriptor)
    return sent


def _pidfd(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return -1


def _send(descriptor: int, number: int) -> bool:
    try:
        signals.pidfd_send_signal(descriptor, number)
    except OSError:
        return False
    return True


def _wait(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_FIRST_PAUSE_S)
    return True


_BASES: dict[str, Callable[[], str]] = {
    "cgroup2": cgroups.base2,
    "cgroup1": lambda: cgroups.base1("freezer", "freezer.state"),
    "walk": lambda: "",
}
