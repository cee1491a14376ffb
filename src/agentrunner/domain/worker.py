"""Workers: processes on a host that claim runs and supervise them."""

import msgspec

from agentrunner.domain.control import Program
from agentrunner.domain.instant import optional_rfc3339, rfc3339
from agentrunner.domain.run import RESOURCE_LIMITS


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A worker as stored; instants in milliseconds.

    `limits` maps each resource limit to None where the host enforces it, else to why it cannot. `programs` is what was
    found of each backend there, empty as long as nobody has looked.
    """

    id: str
    name: str
    host: str
    version: str
    machine_id: str
    lock_inode: int
    boot_id: str
    epoch: int
    slots: int
    running: int
    backends: list[str]
    limits: dict[str, str | None]
    tree: str
    registered_at: int
    heard_at: int
    programs: dict[str, Program] = {}


def lacking(worker: Worker) -> dict[str, str]:
    """Each resource limit that a worker cannot enforce, and why."""
    found = {name: worker.limits.get(name, "it does not offer that limit") for name in RESOURCE_LIMITS}
    return {name: why for name, why in found.items() if why is not None}


class WorkerView(msgspec.Struct, frozen=True, kw_only=True):
    """A worker on the wire; `online` is true while its lease lives. `programs`: what it found of each backend."""

    id: str
    name: str
    host: str
    version: str
    online: bool
    slots: int
    running: int
    backends: list[str]
    limits: dict[str, str | None]
    tree: str
    registered_at: str
    heard_at: str | None
    programs: dict[str, Program] = {}


def view(worker: Worker, online: bool) -> WorkerView:
    """The wire form of a worker."""
    return WorkerView(
        id=worker.id,
        name=worker.name,
        host=worker.host,
        version=worker.version,
        online=online,
        slots=worker.slots,
        running=worker.running,
        backends=worker.backends,
        limits=worker.limits,
        tree=worker.tree,
        registered_at=rfc3339(worker.registered_at),
        heard_at=optional_rfc3339(worker.heard_at),
        programs=worker.programs,
    )
