"""What this host can do, looked at piece by piece."""

import os
from collections.abc import Iterator

from agentrunner.agents.base import Found
from agentrunner.app import doctor_data, doctor_host
from agentrunner.app.backends import backends
from agentrunner.config import Settings
from agentrunner.domain.check import Check
from agentrunner.process import limits, resources, tree

_ALLOW_LIMITS = (
    "Runs that ask for these are refused. Give this user a cgroup with the controllers memory, cpu and pids: for a "
    "systemd service `Delegate=yes` with `DelegateSubgroup=agentrunner` (systemd 254 or newer)."
)
_TREE_WHY = "Pausing and killing reach every process of an agent in one write, however it hides; else /proc is walked."
_DELEGATE = (
    "systemd-run --user --scope -p Delegate=yes agentrunner up; for a service: Delegate=yes in its unit; "
    "as root in a container: mount cgroup2 writable"
)
_LIMITS_WHY = "A run that asks for a limit which no worker can enforce is refused when it is created."
_PROGRAM_WHY = "Runs of this backend are refused by workers on this host; nobody needs them all."


def checks(settings: Settings) -> Iterator[Check]:
    """Every check of this host; those of the server are the caller's."""
    yield from _programs()
    yield _tree(settings)
    yield _limits()
    yield from doctor_data.checks(settings)
    yield doctor_host.open_files()
    yield doctor_host.watches()
    yield doctor_host.clock()


def server_checks(settings: Settings) -> Iterator[Check]:
    """Those that concern a server that runs: programs, trees, limits and inotify are its workers'."""
    yield from doctor_data.checks(settings)
    yield doctor_host.open_files()
    yield doctor_host.clock()


def _programs() -> Iterator[Check]:
    for backend in backends():
        yield _program(backend.name, backend.find(os.environ))


def _program(name: str, found: Found) -> Check:
    if not found.available:
        detail = "its program is not there"
        return Check(name=f"backend {name}", status="warn", detail=detail, why=_PROGRAM_WHY, advice=found.advice)
    words = [word for word in (found.note, found.program, found.version) if word]
    return Check(name=f"backend {name}", status="ok", detail=", ".join(words) or "built in")


def _tree(settings: Settings) -> Check:
    name = "process trees"
    try:
        probe = tree.probe(settings.tree or None)
    except (OSError, ValueError) as error:
        advice = "unset AGENTRUNNER_TREE, to use the best there is"
        return Check(name=name, status="fail", detail=str(error), why=_TREE_WHY, advice=advice)
    refused = "; ".join(f"{mechanism} not: {why}" for mechanism, why in probe.refused.items())
    detail = probe.name + (f" ({refused})" if refused else "")
    if probe.name != "walk":
        return Check(name=name, status="ok", detail=detail, why=_TREE_WHY)
    return Check(name=name, status="warn", detail=detail, why=_TREE_WHY, advice=_DELEGATE)


def _limits() -> Check:
    """Which limits of a run are enforced here, by what, and for the others why not and what helps."""
    found, bases = limits.enforceable(), resources.known().bases
    ways = {name: f" (cgroup v{bases[name][0]})" for name in bases}
    detail = "enforced: " + ", ".join(f"{name}{ways.get(name, '')}" for name, why in sorted(found.items()) if not why)
    refused = {name: why for name, why in found.items() if why is not None}
    if not refused:
        return Check(name="limits", status="ok", detail=detail, why=_LIMITS_WHY)
    whys = "; ".join(f"{name}: {why}" for name, why in sorted(refused.items()))
    return Check(name="limits", status="warn", detail=f"{detail}; not: {whys}", why=_LIMITS_WHY, advice=_ALLOW_LIMITS)
