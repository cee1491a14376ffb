"""A flood: an agent writes far more than the spool cap while the server takes little. What it costs is measured.

Disk is counted in blocks (`st_blocks`), memory as the kernel counts its peak, lines one by one as people get them.
"""

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.processes import Process
from e2e.product import TERMINAL, Product, product
from pressure.slow import SlowDoor
from waiting import until

MB = 1_000_000
MIB = 1 << 20
LINE_BYTES = 200
MOST_GROWTH = 8 * MIB
_WRITE = "import sys\nfor i in range({lines}): sys.stdout.write('%0{digits}d\\n' % i)"
_SPOOLS = ("out", "err", "idx")
_PAGE = 50


@dataclass(frozen=True, slots=True)
class Flood:
    """How much is written (bytes), below which cap (MiB), by which way, and how much the server takes a second."""

    size: int
    cap_mib: int
    stdio: str
    bytes_per_s: int

    @property
    def lines(self) -> int:
        """How many lines that is."""
        return self.size // LINE_BYTES


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured; sizes in bytes."""

    flood: Flood
    status: str
    lines: int
    in_order: bool
    dropped: int
    peak_disk: int
    worker_before: int
    worker_peak: int
    waits: int
    pressure_events: int

    @property
    def growth(self) -> int:
        """By how much the worker grew at its peak."""
        return self.worker_peak - self.worker_before

    @property
    def broken(self) -> list[str]:
        """The promises that were broken, in words."""
        lost = self.flood.lines - self.lines
        promises = {
            f"the run ended {self.status}": self.status == "COMPLETED",
            f"{lost} lines are missing": lost == 0,
            "lines are out of order or doubled": self.in_order,
            f"{self.dropped} bytes were dropped": self.dropped == 0,
            f"{self.peak_disk} bytes of disk for a cap of {self.flood.cap_mib} MiB": self.peak_disk
            <= self.flood.cap_mib * MIB,
            f"the worker grew by {self.growth} bytes": self.growth <= MOST_GROWTH,
            "the agent never had to wait: this was no flood": self.waits > 0,
            f"{self.pressure_events} events say that it waited": 0 < self.pressure_events <= 20,
        }
        return [said for said, is_kept in promises.items() if not is_kept]

    def document(self) -> dict[str, Any]:
        """The figures as JSON has them."""
        return {
            "ok": not self.broken,
            "broken": self.broken,
            "stdio": self.flood.stdio,
            "written_mb": self.flood.size / MB,
            "server_mb_per_s": self.flood.bytes_per_s / MB,
            "cap_mib": self.flood.cap_mib,
            "peak_disk_mib": round(self.peak_disk / MIB, 2),
            "worker_growth_mib": round(self.growth / MIB, 2),
            "lines": self.lines,
            "waits": self.waits,
            "pressure_events": self.pressure_events,
        }


def measure(flood: Flood, tell: Callable[[str], None] = lambda _: None) -> Figures:
    """Run one flood through a product of its own: server, slow door, worker, agent, all real processes."""
    # The door is made before the server listens: a worker is told its address by a setting.
    with product(grace_s=2, spool_cap_mb=flood.cap_mib) as made:
        with SlowDoor(made.data_dir / "agentrunner.sock", 1000 * MB) as door:
            made.start("server")
            made.environment["AGENTRUNNER_SERVER_URL"] = door.url
            made.start("worker")
            made.wait_ready(60)
            _warm_up(made, flood)
            door.bytes_per_s = flood.bytes_per_s
            return _measure(made, door, flood, tell)


def _warm_up(made: Product, flood: Flood) -> None:
    """A small run of the same kind: what a worker loads with its first run is no growth by a flood."""
    assert made.wait(_create(made, flood, 1000), timeout=60)["status"] == "COMPLETED"


def _create(made: Product, flood: Flood, lines: int) -> int:
    script = _WRITE.format(lines=lines, digits=LINE_BYTES - 1)
    argv = [sys.executable, "-I", "-S", "-c", script]
    return made.create("command", options={"argv": argv, "stdio": flood.stdio})


def _measure(made: Product, door: SlowDoor, flood: Flood, tell: Callable[[str], None]) -> Figures:
    worker = made.part("worker")
    assert worker is not None
    before = worker.resident_bytes
    forget_peak(worker)
    known = set(made.data_dir.glob("runs/*/*"))
    run_id = _create(made, flood, flood.lines)
    (path,) = until(lambda: set(made.data_dir.glob("runs/*/*")) - known, 30)
    peak, told, looks = 0, 0, 0
    run = made.run(run_id)

    def is_over() -> bool:
        nonlocal peak, told, looks, run
        peak, looks = max(peak, disk_bytes(path)), looks + 1
        # Asking the server is dear: disk is looked at a hundred times for each question.
        if looks % 100:
            return False
        if door.passed - told >= 10 * MB:
            told = door.passed
            tell(f"{told / MB:6.0f} MB taken, {peak / MIB:5.2f} MiB of disk at the most")
        run = made.run(run_id)
        return run["status"] in TERMINAL

    until(is_over, timeout=60 + 4 * flood.size / flood.bytes_per_s, every=0.001)
    worker_peak = peak_bytes(worker)
    return _figures(made, run, flood, Measured(peak, before, worker_peak))


@dataclass(frozen=True, slots=True)
class Measured:
    """Bytes of disk at the most; of the worker's memory before and at the most."""

    peak: int
    before: int
    worker_peak: int


def _figures(made: Product, run: dict[str, Any], flood: Flood, measured: Measured) -> Figures:
    expected, in_order, dropped, waits, said = 0, True, 0, 0, 0
    for event in events(made, run["id"]):
        payload = event["payload"]
        if event["type"] == "log":
            numbers = [int(line) for line in payload["lines"]]
            in_order = in_order and numbers == list(range(expected, expected + len(numbers)))
            expected += len(numbers)
        elif event["type"] == "output.dropped":
            dropped += payload["bytes"]
        elif event["type"] == "limit" and payload["limit"] == "spool_cap":
            said, waits = said + 1, max(waits, payload.get("times", 0))
    return Figures(
        flood=flood,
        status=run["status"],
        lines=expected,
        in_order=in_order,
        dropped=dropped,
        peak_disk=measured.peak,
        worker_before=measured.before,
        worker_peak=measured.worker_peak,
        waits=waits,
        pressure_events=said,
    )


def events(made: Product, run_id: int) -> Iterator[dict[str, Any]]:
    """Every event in order, a page of a few MiB at a time."""
    after = 0
    while page := made.get(f"/v1/runs/{run_id}/events", after=after, limit=_PAGE)["items"]:
        yield from page
        after = page[-1]["seq"]


def disk_bytes(path: Path) -> int:
    """Blocks in use by the spools and the index of a run directory."""
    total = 0
    for name in _SPOOLS:
        try:
            total += (path / name).stat().st_blocks * 512
        except FileNotFoundError:
            continue
    return total


def forget_peak(process: Process) -> None:
    """Let the kernel count a process's peak of memory from now on; proc(5) clear_refs."""
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")


def peak_bytes(process: Process) -> int:
    """The most memory that a process has held since."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
