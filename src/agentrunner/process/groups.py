"""Control groups that nobody needs any more: a shim that was killed at the gate has left its own, empty."""

import os
from pathlib import Path

from agentrunner.process import cgroups, holder, resources, tree


def bases() -> set[str]:
    """Where this host lets groups of attempts be made, for trees and for limits."""
    found = {base for _, base in resources.probe().bases.values()}
    for mechanism in tree.MECHANISMS:
        try:
            found.add(tree.probe(mechanism).base)
        except OSError:
            continue
    return found - {""}


def clear(runs: Path, instance: str) -> list[str]:
    """Remove the empty groups of one instance whose run directory has no shim; answers which.

    Safe while shims come: a shim holds its directory's lock before it makes a group, and the gate lets none make one
    where another has. A group with processes stays, for the kernel removes none; and so does one whose directory is not
    here, for another worker of this host may be starting it.
    """
    cleared = []
    for base in bases():
        top = cgroups.instance_group(base, instance)
        try:
            names = os.listdir(top)
        except FileNotFoundError:
            continue
        for name in names:
            group, lock = f"{top}/{name}", runs / name / "lock"
            if os.path.isdir(group) and lock.exists() and not holder.is_held(lock) and cgroups.remove(group):
                cleared.append(group)
    return cleared
