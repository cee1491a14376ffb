"""What the processes of a product cost: memory and CPU time by kind."""

from dataclasses import dataclass, field
from pathlib import Path

from bench.servers import cpu_seconds, pss_bytes
from e2e.processes import Process, of_directory

KINDS = ("up", "server", "worker", "zygote", "shim", "agent")


@dataclass(slots=True)
class Costs:
    """CPU seconds and memory (PSS, bytes) of all processes of each kind together, and how many there are."""

    count: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    cpu_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 0.0))
    pss: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    def each_mb(self, kind: str) -> float:
        """Memory of one process of a kind, on average, in MB."""
        return round(self.pss[kind] / max(1, self.count[kind]) / (1 << 20), 2)


def processes(data_dir: Path) -> list[Process]:
    """Every process of the product and its agents."""
    return of_directory(data_dir, *KINDS)


def measured(found: list[Process], *, memory: bool) -> Costs:
    """What these processes have used by now; `memory` costs the kernel some milliseconds a process."""
    costs = Costs()
    for process in found:
        try:
            costs.count[process.kind] += 1
            costs.cpu_s[process.kind] += cpu_seconds(process.pid)
            costs.pss[process.kind] += pss_bytes(process.pid) if memory else 0
        except (OSError, ValueError):  # ended meanwhile
            continue
    return costs
