"""Who this worker is: a UUID in its state directory, held under an exclusive lock."""

import json
import os
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path

from agentrunner.domain.errors import ConfigurationError, WorkerInUse
from agentrunner.process import holder

_MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


@dataclass(frozen=True, slots=True)
class Identity:
    """What `register` says of this worker; the lock lives as long as `descriptor` is open."""

    worker_id: str
    machine_id: str
    boot_id: str
    lock_inode: int
    host: str
    descriptor: int

    def release(self) -> None:
        """Let the next worker have the state directory."""
        os.close(self.descriptor)


def take(state_dir: Path, succeed_s: float = 0.0) -> Identity:
    """Lock the state directory and read or make its UUID.

    A worker that still holds the lock after `succeed_s` seconds is killed and succeeded; its agents are untouched.
    With 0 it is never killed. Raises WorkerInUse.
    """
    try:
        descriptor = holder.take(state_dir / "worker.lock", succeed_s)
    except holder.Held as error:
        raise WorkerInUse(
            f"Another worker runs in {state_dir}; give this one another `--data-dir`, or end that one."
        ) from error
    try:
        worker_id = _worker_id(state_dir)
    except BaseException:
        os.close(descriptor)
        raise
    return Identity(
        worker_id=worker_id,
        machine_id=_machine_id(),
        boot_id=holder.boot_id(),
        lock_inode=os.fstat(descriptor).st_ino,
        host=socket.gethostname(),
        descriptor=descriptor,
    )


def _worker_id(state_dir: Path) -> str:
    path = state_dir / "worker.json"
    try:
        return str(uuid.UUID(json.loads(path.read_text())["worker_id"]))
    except FileNotFoundError:
        pass
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path} does not hold a worker's id; delete it if no run of it is left.") from error
    worker_id = str(uuid.uuid4())
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps({"worker_id": worker_id}))
    temporary.rename(path)
    return worker_id


def _machine_id() -> str:
    for path in _MACHINE_IDS:
        try:
            if text := path.read_text().strip():
                return text
        except OSError:
            continue
    return f"{uuid.getnode():012x}"
