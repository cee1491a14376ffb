"""What all executions of one worker share."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agentrunner.domain.control import MAX_WAIT_S
from agentrunner.process.launch import ZygoteLink
from agentrunner.worker.hints import Hints
from agentrunner.worker.identity import Identity
from agentrunner.worker.lease import Lease


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """What a worker needs to know: directories, sizes in bytes, times in seconds."""

    state_dir: Path
    name: str
    version: str
    slots: int
    grace_s: float
    spool_cap_bytes: int
    spool_retention_s: float
    tree: str | None
    pass_env: list[str]
    environment: Mapping[str, str]
    spool_retention_bytes: int = 0
    """What the raw output of all ended attempts may use; 0: no cap."""
    claim_wait_s: float = MAX_WAIT_S
    claim_slots: int = 1000
    """How long one question for runs waits for some, and how many it takes at most."""


@dataclass(frozen=True, slots=True)
class Host:
    """The instance this worker serves, who it is, and its doors to processes; `spawning`: the zygote is being asked."""

    instance_id: str
    identity: Identity
    options: WorkerOptions
    lease: Lease
    hints: Hints
    zygote: ZygoteLink
    spawning: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def runs(self) -> Path:
        """Where this instance's run directories are; no other is ever touched."""
        return self.options.state_dir / "runs" / self.instance_id

    def close(self) -> None:
        """Let go of the kernel's watches and the zygote's socket; neither zygote nor shims end."""
        self.hints.close()
        self.zygote.close()
