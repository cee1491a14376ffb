"""What this host can do, looked at piece by piece."""

import os
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

from agentrunner.agents.base import Found
from agentrunner.app.backends import backends
from agentrunner.config import Settings
from agentrunner.domain.check import Check
from agentrunner.process import limits, tree
from agentrunner.process.adopt import foreign

_ENOUGH_FILES = 4096
_ENOUGH_WATCHES = 8192
_WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")


def checks(settings: Settings) -> Iterator[Check]:
    """Every check of this host; those of the server are the caller's."""
    yield from _programs()
    yield _tree(settings)
    yield _limits()
    yield _directory(settings.data_path)
    yield from _foreign(settings.data_path)
    yield _files()
    yield _watches()


def _programs() -> Iterator[Check]:
    for backend in backends():
        yield _program(backend.name, backend.find(os.environ))


def _program(name: str, found: Found) -> Check:
    if not found.available:
        return Check(name=f"backend {name}", status="warn", detail="its program is not there", advice=found.advice)
    words = [word for word in (found.program, found.version) if word]
    return Check(name=f"backend {name}", status="ok", detail=", ".join(words) or "built in")


def _tree(settings: Settings) -> Check:
    name = "process trees"
    try:
        probe = tree.probe(settings.tree or None)
    except (OSError, ValueError) as error:
        return Check(
            name=name, status="fail", detail=str(error), advice="Unset AGENTRUNNER_TREE to use the best there is."
        )
    refused = "; ".join(f"{mechanism} not: {why}" for mechanism, why in probe.refused.items())
    detail = probe.name + (f" ({refused})" if refused else "")
    if probe.name != "walk":
        return Check(name=name, status="ok", detail=detail)
    advice = "Give this user a writable cgroup (systemd: Delegate=yes): pausing and killing become one write."
    return Check(name=name, status="warn", detail=detail, advice=advice)


def _limits() -> Check:
    refused = {name: why for name, why in limits.enforceable().items() if why is not None}
    enforced = [name for name, why in limits.enforceable().items() if why is None]
    detail = "enforced: " + ", ".join(sorted(enforced))
    if not refused:
        return Check(name="limits", status="ok", detail=detail)
    whys = "; ".join(sorted(set(refused.values())))
    return Check(name="limits", status="warn", detail=f"{detail}; not: {', '.join(sorted(refused))}", advice=whys)


def _directory(path: Path) -> Check:
    name = "data directory"
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return Check(name=name, status="ok", detail=f"{path} will be made by `agentrunner up`")
    if mode & 0o077:
        advice = f"chmod 700 {path}"
        return Check(name=name, status="warn", detail=f"{path} can be read by other users ({mode:o})", advice=advice)
    free = os.statvfs(path)
    gib = free.f_bavail * free.f_frsize / (1 << 30)
    detail = f"{path}, {gib:.1f} GiB free"
    if gib >= 1:
        return Check(name=name, status="ok", detail=detail)
    return Check(name=name, status="warn", detail=detail, advice="Make room: output is lost once the disk is full.")


def _foreign(path: Path) -> Iterator[Check]:
    """Live runs of more than one database under one data directory."""
    live = foreign(path / "runs", "")
    if len({found.parent for found in live}) < 2:
        return
    detail = f"live runs of more than one database, for example {live[0]} and {live[-1]}"
    advice = "A worker touches only the runs of the database it serves; end the others where they were started."
    yield Check(name="run directories", status="warn", detail=detail, advice=advice)


def _files() -> Check:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = hard == resource.RLIM_INFINITY or hard >= _ENOUGH_FILES
    advice = None if enough else f"Raise the hard limit of open files (`ulimit -Hn`) to {_ENOUGH_FILES} or more."
    return Check(
        name="open files", status="ok" if enough else "warn", detail=f"{soft} soft, {hard} hard", advice=advice
    )


def _watches() -> Check:
    try:
        allowed = int(_WATCHES.read_text())
    except (OSError, ValueError):
        return Check(
            name="inotify", status="warn", detail="not offered by this kernel", advice="Live output comes late."
        )
    enough = allowed >= _ENOUGH_WATCHES
    advice = None if enough else f"sysctl fs.inotify.max_user_watches={_ENOUGH_WATCHES}"
    return Check(name="inotify", status="ok" if enough else "warn", detail=f"{allowed} watches a user", advice=advice)
