"""Process trees: find, freeze and kill everything an attempt has started, whatever it did to hide.

Stand-alone: standard library only, loaded by the zygote by path, so that a shim stays small. Three mechanisms, best
first: `cgroup2` (one write kills or freezes all; kernel documentation cgroup-v2.rst), `cgroup1` (the freezer, where a
frozen process ignores SIGKILL until thawed), `walk` (children of the subreaper, and an environment mark in /proc).
"""

from __future__ import annotations

import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MARK = "AGENTRUNNER_ATTEMPT"
MECHANISMS = ("cgroup2", "cgroup1", "walk")
_PAUSE_S = 0.002
_FREEZE_S = 5.0


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


class Tree:
    """All processes of one attempt. `pids` may be out of date at once; `kill` ends only when there are none."""

    name = ""

    def __init__(self, base: str, instance: str, uid: str) -> None:
        self.base = base
        self.mark = f"{instance}/{uid}"
        self.path = f"{base}/agentrunner-{instance}/{uid}" if base else ""

    def create(self) -> None:
        """Make what the mechanism needs before the first process."""

    def join(self) -> None:
        """Put the calling process into the tree; done by the child before it executes."""

    def pids(self) -> list[int]:
        """The living processes of the tree."""
        raise NotImplementedError

    def freeze(self) -> bool:
        """Stop every process; True once all stand still, False after 5 s."""
        raise NotImplementedError

    def thaw(self) -> None:
        """Let every process go on."""
        raise NotImplementedError

    def is_frozen(self) -> bool:
        """What the kernel says, never what was asked for."""
        raise NotImplementedError

    def kill(self, timeout_s: float, reap: Callable[[], None] | None = None) -> int:
        """Kill until the tree is empty; answers how many were found at first. Raises TimeoutError.

        `reap` is called between rounds, for a caller who is the parent.
        """
        first = len(self.pids())
        deadline = time.monotonic() + timeout_s
        while True:
            self._kill_once()
            if reap is not None:
                reap()
            if not self.pids():
                return first
            if time.monotonic() > deadline:
                raise TimeoutError(f"processes of {self.mark} do not end: {self.pids()[:10]}")
            time.sleep(_PAUSE_S)

    def _kill_once(self) -> None:
        raise NotImplementedError

    def remove(self) -> None:
        """Remove what `create` made; harmless where it is gone."""
        if not self.path:
            return
        for path in (self.path, os.path.dirname(self.path)):
            try:
                os.rmdir(path)
            except OSError:
                return


class _Cgroup(Tree):
    def create(self) -> None:
        os.makedirs(self.path, exist_ok=True)

    def join(self) -> None:
        _write(f"{self.path}/cgroup.procs", "0")

    def pids(self) -> list[int]:
        try:
            found = [int(line) for line in _read(f"{self.path}/cgroup.procs").split()]
        except OSError:
            return []
        return [pid for pid in found if is_alive(pid)]


class Cgroup2(_Cgroup):
    """cgroup v2: `cgroup.kill` and `cgroup.freeze` need no controller."""

    name = "cgroup2"

    def freeze(self) -> bool:
        _write(f"{self.path}/cgroup.freeze", "1")
        return _wait(self.is_frozen)

    def thaw(self) -> None:
        _write(f"{self.path}/cgroup.freeze", "0")

    def is_frozen(self) -> bool:
        try:
            return "frozen 1" in _read(f"{self.path}/cgroup.events")
        except OSError:
            return False

    def _kill_once(self) -> None:
        try:
            _write(f"{self.path}/cgroup.kill", "1")
        except OSError:
            return


class Cgroup1(_Cgroup):
    """The cgroup v1 freezer: frozen processes take SIGKILL only when thawed."""

    name = "cgroup1"

    def freeze(self) -> bool:
        _write(f"{self.path}/freezer.state", "FROZEN")
        return _wait(self.is_frozen)

    def thaw(self) -> None:
        _write(f"{self.path}/freezer.state", "THAWED")

    def is_frozen(self) -> bool:
        try:
            return _read(f"{self.path}/freezer.state").strip() == "FROZEN"
        except OSError:
            return False

    def _kill_once(self) -> None:
        try:
            # Frozen first, so that no process can fork between the listing and the signal.
            _write(f"{self.path}/freezer.state", "FROZEN")
            _wait(self.is_frozen)
            for pid in self.pids():
                _signal(pid, signal.SIGKILL)
            self.thaw()
        except OSError:
            return


class Walk(Tree):
    """No privilege needed: everything below the calling subreaper, and everything that carries the mark."""

    name = "walk"

    def pids(self) -> list[int]:
        found = set(_descendants(os.getpid())) if _is_subreaper() else set()
        wanted = f"{MARK}={self.mark}".encode()
        me = os.getpid()
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) not in found and int(name) != me and _is_marked(name, wanted):
                found.add(int(name))
        return sorted(pid for pid in found if is_alive(pid))

    def freeze(self) -> bool:
        deadline = time.monotonic() + _FREEZE_S
        while time.monotonic() < deadline:
            moving = [pid for pid in self.pids() if state_of(pid) not in "TtZX"]
            if not moving:
                return True
            for pid in moving:
                _signal(pid, signal.SIGSTOP)
            time.sleep(_PAUSE_S)
        return False

    def thaw(self) -> None:
        for pid in self.pids():
            _signal(pid, signal.SIGCONT)

    def is_frozen(self) -> bool:
        found = self.pids()
        return bool(found) and all(state_of(pid) in "TtZX" for pid in found)

    def _kill_once(self) -> None:
        for pid in self.pids():
            _signal(pid, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    """True while a process can still act: a zombie cannot."""
    return state_of(pid) not in "ZX"


def state_of(pid: int) -> str:
    """One letter of proc(5) `stat`; X where there is no such process."""
    try:
        return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def start_time(pid: int) -> int:
    """When a process started, in clock ticks since boot; -1 where there is none."""
    try:
        return int(_read(f"/proc/{pid}/stat").rpartition(")")[2].split()[19])
    except OSError:
        return -1


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        try:
            threads = os.listdir(f"/proc/{parent}/task")
        except OSError:
            continue
        for thread in threads:
            try:
                children = [int(text) for text in _read(f"/proc/{parent}/task/{thread}/children").split()]
            except OSError:
                continue
            found += children
            waiting += children
    return found


_subreaper = False


def note_subreaper() -> None:
    """The calling process is the subreaper of what it starts: its descendants are the tree."""
    global _subreaper
    _subreaper = True


def _is_subreaper() -> bool:
    return _subreaper


def _is_marked(pid: str, wanted: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return wanted in file.read().split(b"\0")
    except OSError:
        return False


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _wait(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _FREEZE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.0005)
    return True


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _mounts(kind: str, option: str = "") -> list[str]:
    """Where file systems of a kind are mounted; mountinfo of proc(5)."""
    found = []
    for line in _read("/proc/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        fields = right.split()
        if fields[0] == kind and (not option or option in fields[2].split(",")):
            found.append(left.split()[4])
    return found


def _own_group(controller: str) -> str:
    for line in _read("/proc/self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return path.rstrip("/")
    return ""


def _base2() -> str:
    return _tried(_mounts("cgroup2"), _own_group(""), "cgroup.kill")


def _base1() -> str:
    return _tried(_mounts("cgroup", "freezer"), _own_group("freezer"), "freezer.state")


def _tried(mounts: list[str], own: str, needed: str) -> str:
    """The group of this process under a mount where a group can be made; made once to see that it works."""
    if not mounts:
        raise OSError("not mounted")
    base = mounts[0] + own
    trial = f"{base}/agentrunner-probe-{os.getpid()}"
    os.mkdir(trial)
    try:
        if not os.path.exists(f"{trial}/{needed}"):
            raise OSError(f"the kernel offers no {needed}")
        if os.access(f"{trial}/cgroup.procs", os.W_OK):
            return base
        raise OSError("cgroup.procs is not writable")
    finally:
        os.rmdir(trial)


_BASES: dict[str, Callable[[], str]] = {"cgroup2": _base2, "cgroup1": _base1, "walk": lambda: ""}
