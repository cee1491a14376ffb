"""Control groups: where they are mounted, which of them this process may make, and how they are made and removed.

Stand-alone. cgroups(7), kernel documentation cgroup-v2.rst and cgroup-v1/.
"""

from __future__ import annotations

import os
import time

from agentrunner.process import procfs

CONTROLLERS = ("memory", "cpu", "pids")
_MKDIR_TRIES = 100
_DELEGATED = ("user.delegate", "trusted.delegate")
"""Attributes by which systemd marks a group that it leaves to others; systemd.resource-control(5)."""


def mounts(kind: str, option: str = "") -> list[str]:
    """Where file systems of a kind are mounted; mountinfo of proc(5)."""
    found = []
    for line in procfs.read("/proc/self/mountinfo").decode().splitlines():
        left, _, right = line.partition(" - ")
        fields = right.split()
        if fields[0] == kind and (not option or option in fields[2].split(",")):
            found.append(left.split()[4])
    return found


def own_group(controller: str = "") -> str:
    """The group of this process in the hierarchy of a version 1 controller, or of version 2; empty for the root."""
    for line in procfs.read("/proc/self/cgroup").decode().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return path.rstrip("/")
    return ""


def tried(base: str, needed: str) -> str:
    """`base`, after a group was made there, to see that it can be and has a file. Raises OSError where not."""
    trial = f"{base}/agentrunner-probe-{os.getpid()}-{time.monotonic_ns()}"
    os.mkdir(trial)
    try:
        if not os.path.exists(f"{trial}/{needed}"):
            raise OSError(f"the kernel offers no {needed}")
        if os.access(f"{trial}/cgroup.procs", os.W_OK):
            return base
        raise OSError("cgroup.procs is not writable")
    finally:
        os.rmdir(trial)


def base1(controller: str, needed: str) -> str:
    """Where groups of a version 1 controller can be made. Raises OSError."""
    found = mounts("cgroup", controller)
    if not found:
        raise OSError("not mounted")
    return tried(found[0] + own_group(controller), needed)


def base2() -> str:
    """Where version 2 groups can be made, with controllers if possible. Raises OSError.

    A group that has processes of its own hands no controller down, except the root. So it is the group above that of
    this process where that was delegated (systemd: `Delegate=yes` with `DelegateSubgroup=`), else its own.
    """
    found = mounts("cgroup2")
    if not found:
        raise OSError("not mounted")
    own = own_group()
    above = found[0] + own.rpartition("/")[0]
    if own and _is_delegated(above) and hand_down(above) >= set(CONTROLLERS):
        return tried(above, "cgroup.kill")
    return tried(found[0] + own, "cgroup.kill")


def hand_down(group: str, wanted: tuple[str, ...] = CONTROLLERS) -> set[str]:
    """Switch controllers on for the groups below one; answers which of those wanted are."""
    for name in wanted:
        try:
            procfs.write(f"{group}/cgroup.subtree_control", f"+{name}")
        except OSError:
            continue
    try:
        return set(procfs.read(f"{group}/cgroup.subtree_control").decode().split()) & set(wanted)
    except OSError:
        return set()


def _is_delegated(group: str) -> bool:
    for name in _DELEGATED:
        try:
            if os.getxattr(group, name) == b"1":
                return True
        except OSError:
            continue
    return False


def instance_group(base: str, instance: str) -> str:
    """Where all groups of one instance are."""
    return f"{base}/agentrunner-{instance}"


def make(path: str) -> None:
    """Make a group and the one above it, whether or not they are there. Raises OSError."""
    parent = path.rpartition("/")[0]
    for _ in range(_MKDIR_TRIES):
        for group in (parent, path):
            try:
                os.mkdir(group)
            except FileExistsError:
                continue
            except FileNotFoundError:
                # The instance's last run has just ended and removed the parent.
                break
        else:
            return
    raise OSError(f"{path} cannot be made")


def remove(path: str) -> bool:
    """Remove a group with those below it, and the one above where it is empty now; False where it is in use."""
    gone = True
    for group in reversed(below(path)):
        gone = _rmdir(group) and gone
    _rmdir(path.rpartition("/")[0])
    return gone


def _rmdir(path: str) -> bool:
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def below(path: str) -> list[str]:
    """A group and those below it, which an agent may have made; outer ones first."""
    found = [path]
    for group in found:
        try:
            # A directory without others has two links, and nearly all have none: no need to look at every file.
            if os.stat(group).st_nlink > 2:
                found += [f"{group}/{name}" for name in os.listdir(group) if os.path.isdir(f"{group}/{name}")]
        except OSError:
            continue
    return found


def members(path: str) -> list[int]:
    """The processes of a group and of those below it."""
    found: list[int] = []
    for group in below(path):
        try:
            found += [int(line) for line in procfs.read(f"{group}/cgroup.procs").split()]
        except OSError:
            continue
    return found


def number(path: str, name: str = "") -> int | None:
    """The number in a control file, or that behind a name in one; None where there is none (`max`, no such file)."""
    try:
        text = procfs.read(path).decode()
    except OSError:
        return None
    for line in text.splitlines():
        words = line.split()
        if words and (not name or words[0] == name) and words[-1].isdigit():
            return int(words[-1])
    return None
