"""Output under pressure, as people meet it: floods, full disks, no inode, no descriptor; nothing is lost unsaid."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agentrunner.testing import ScriptedAgent
from e2e.product import Product, product
from mounts import small_disk
from pressure.flood import MB, MIB, Flood, events, forget_peak, measure, peak_bytes
from waiting import until


@pytest.mark.timeout(120)
@pytest.mark.parametrize("stdio", ["pipe", "file"])
def test_a_flood_against_a_slow_server(stdio: str) -> None:
    """Disk stays below the cap, the worker does not grow, no line is lost, and the timeline says that it waited.

    `make flood` is the long form.
    """
    figures = measure(Flood(40 * MB, cap_mib=16, stdio=stdio, bytes_per_s=20 * MB))
    assert figures.broken == []
    assert figures.waits >= 2
    assert figures.pressure_events == 2


@contextmanager
def on_small_disk(size_kib: int, inodes: int = 0, **settings: object) -> Iterator[Product]:
    """Server and worker, ready, whose run directories are on a small disk of their own."""
    with product(grace_s=2, **settings) as made, small_disk(made.data_dir / "runs", size_kib, inodes):
        begin(made)
        try:
            yield made
        finally:
            made.end()


def begin(made: Product) -> None:
    """Start server and worker."""
    made.start("server")
    made.start("worker")
    made.wait_ready()


def numbered(count: int, every: float = 0.0) -> dict[str, Any]:
    """A run that writes lines of 200 bytes with their numbers, a hundred at once, and may wait between."""
    script = (
        "import select, sys\n"
        f"for i in range({count}):\n"
        "    sys.stdout.write('%0199d\\n' % i)\n"
        f"    if i % 100 == 99: sys.stdout.flush(); select.select([], [], [], {every})\n"
    )
    return {"options": {"argv": [sys.executable, "-I", "-S", "-c", script]}}


def of_type(made: Product, run_id: int, type: str) -> list[dict[str, Any]]:
    """The payloads of a run's events of one type."""
    return [event["payload"] for event in events(made, run_id) if event["type"] == type]


def test_a_full_disk_is_told_and_the_agent_goes_on() -> None:
    """What was dropped is an event with counts; recorded bytes make room, so that later output is kept again."""
    with on_small_disk(2048) as made:
        run_id = made.create("command", **numbered(40_000, every=0.001))
        assert made.wait(run_id, timeout=50)["status"] == "COMPLETED"
        lines = made.lines(run_id)
        dropped = of_type(made, run_id, "output.dropped")
        assert dropped
        assert dropped[0]["why"] == "No space left on device"
        total = sum(event["bytes"] for event in dropped)
        assert total == dropped[-1]["total"]
        kept = sum(len(line) + 1 for line in lines)
        # Each gap may have ended a line by a newline of ours.
        assert 0 <= kept + total - 40_000 * 200 <= len(lines)
        numbers = [int(line) for line in lines if len(line) == 199]
        assert numbers == sorted(set(numbers))
        assert numbers[-1] == 39_999


def test_no_inode_holds_the_start_and_nothing_runs_twice(tmp_path: Path) -> None:
    """A run that cannot be given a directory waits, says why in the log, can be stopped, and starts once it can."""
    with on_small_disk(4096, inodes=14) as made:
        first = made.create("command", options={"argv": ["sleep", "600"]})
        made.wait(first, "RUNNING", timeout=20)
        until(lambda: "run.started" in made.types(first))
        script = f"echo once >>{tmp_path}/executed"
        second = made.create("command", options={"argv": ["sh", "-c", script]})
        third = made.create("command", options={"argv": ["sh", "-c", script]})
        until(lambda: "No space left on device" in made.log(), 20)
        made.wish(third, "stop")
        assert made.wait(third)["status"] == "STOPPED"
        assert made.run(second)["status"] == "RUNNING"
        assert not (tmp_path / "executed").exists()
        subprocess.run(["mount", "-o", "remount,nr_inodes=100", str(made.data_dir / "runs")], check=True, timeout=10)
        assert made.wait(second, timeout=30)["status"] == "COMPLETED"
        assert (tmp_path / "executed").read_text() == "once\n"
        assert made.run(first)["status"] == "RUNNING"


def test_a_worker_without_descriptors_harms_nobody(tmp_path: Path) -> None:
    """What runs goes on and is recorded, what is new waits; with descriptors again it starts, once."""
    with product(grace_s=2) as made:
        begin(made)
        running = made.create("command", **numbered(100_000, every=0.05))
        until(lambda: made.lines(running))
        worker = made.part("worker")
        assert worker is not None
        before = resource.prlimit(worker.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (1, before[1]))
        script = f"echo once >>{tmp_path}/executed"
        new = made.create("command", options={"argv": ["sh", "-c", script]})
        until(lambda: "Too many open files" in made.log(), 20)
        assert not (tmp_path / "executed").exists()
        assert made.part("worker") == worker
        resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, before)
        assert made.wait(new, timeout=30)["status"] == "COMPLETED"
        assert (tmp_path / "executed").read_text() == "once\n"
        count = len(made.lines(running))
        until(lambda: len(made.lines(running)) > count, 20)
        made.wish(running, "stop")
        made.wait(running, "STOPPED")
        numbers = [int(line) for line in made.lines(running)]
        assert numbers == list(range(len(numbers)))


def test_a_full_database_loses_nothing() -> None:
    """The server says what to do and takes nothing; output waits in the spool and is stored once there is room."""
    with product(grace_s=2) as made, small_disk(made.data_dir, 32768), small_disk(made.data_dir / "runs", 65536):
        begin(made)
        run_id = made.create("command", **numbered(20_000, every=0.002))
        until(lambda: made.lines(run_id))
        fill(made.data_dir / "filler")
        body = {"backend": "command", "goal": "", "options": {"argv": ["true"]}}
        refused = until(lambda: refusal(made, body), 20)
        assert refused["code"] == "unavailable"
        assert "disk with the database is full" in refused["detail"]
        (spool,) = made.data_dir.glob("runs/*/*/out")
        until(lambda: spool.stat().st_size == 20_000 * 200, 30)
        assert made.run(run_id)["status"] == "RUNNING"
        (made.data_dir / "filler").unlink()
        assert made.wait(run_id, timeout=40)["status"] == "COMPLETED"
        assert [int(line) for line in made.lines(run_id)] == list(range(20_000))
        made.end()


def refusal(made: Product, body: dict[str, Any]) -> dict[str, Any] | None:
    """The problem document of a run that could not be created; None where it could."""
    answer = made.client.post("/v1/runs", json=body)
    if answer.status_code == 201:
        return None
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    return dict(answer.json())


def fill(path: Path) -> None:
    """Leave no block free, as far as that lasts."""
    with path.open("wb", buffering=0) as file:
        size = MIB
        while size >= 512:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2


def test_a_progress_bar_is_one_line_of_one_event() -> None:
    """5,000 updates by carriage return are told as they were written, when their line ends: no event for each."""
    script = "import os\nfor i in range(5001): os.write(1, b'\\r%4d/5000' % i)\nos.write(1, b'\\nend\\n')"
    with product(grace_s=2) as made:
        begin(made)
        run_id = made.create("command", options={"argv": [sys.executable, "-I", "-S", "-c", script]})
        assert made.wait(run_id)["status"] == "COMPLETED"
        logs = of_type(made, run_id, "log")
        assert len(logs) <= 2
        (bar, end) = [line for event in logs for line in event["lines"]]
        assert (bar.count("\r"), bar.rpartition("\r")[2], end) == (5001, "5000/5000", "end")


@pytest.mark.parametrize("stdio", ["pipe", "file"])
def test_a_line_of_100_mb_costs_no_memory(stdio: str) -> None:
    """It is cut at one MiB, and what is left out is counted; the worker holds little more than that."""
    agent = ScriptedAgent().emit("before").flood(100 * MIB, line=0).emit("").emit("after")
    with product(grace_s=2, spool_cap_mb=16) as made:
        begin(made)
        warm = made.create("script", options=ScriptedAgent().emit("warm").options())
        assert made.wait(warm)["status"] == "COMPLETED"
        worker = made.part("worker")
        assert worker is not None
        before = worker.resident_bytes
        forget_peak(worker)
        argv = agent.argv(made.data_dir / "scenario.json")
        run_id = made.create("command", options={"argv": argv, "stdio": stdio})
        assert made.wait(run_id, timeout=50)["status"] == "COMPLETED"
        assert peak_bytes(worker) - before <= 8 * MIB
        assert [len(line) for line in made.lines(run_id)] == [len("before"), MIB, len("after")]
        (cut,) = of_type(made, run_id, "output.truncated")
        assert cut["cut_bytes"] == 99 * MIB
