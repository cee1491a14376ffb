"""Agent Runner is replaced by another build while agents run: they and their shims go on, and nothing of them is lost.

The other build is a copy of this one with other files for the zygote, run by a real worker process of its own.
"""

import json
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import agentrunner
from agentrunner.process import adopt
from agentrunner.testing import ScriptedAgent
from e2e.processes import Process, look
from e2e.product import Product, product
from waiting import until

PACKAGE = Path(agentrunner.__file__).parent
LINES = 150
TICKS = 'n=0; while :; do n=$((n+1)); echo "tick $n"; sleep 0.02; done'


@pytest.fixture
def server() -> Iterator[Product]:
    """A server of this build, and no worker yet."""
    with product(grace_s=2, heartbeat_s=0.5) as made:
        made.start("server")
        yield made


def other_build(root: Path, layout: int) -> Path:
    """A copy of the package whose zygote has another hash and whose run directories have this layout."""
    shutil.copytree(PACKAGE, root / "agentrunner", ignore=shutil.ignore_patterns("__pycache__", "_console"))
    for name in ("gate.py", "adopt.py"):
        path = root / "agentrunner" / "process" / name
        text, count = re.subn(r"^LAYOUT = \d+$", f"LAYOUT = {layout}", path.read_text(), flags=re.MULTILINE)
        assert count == 1, f"{name} names its layout otherwise now"
        path.write_text(text)
    return root


def start_worker(server: Product, root: Path | None = None) -> Process:
    """A worker of another build, or of this one."""
    given = dict(server.environment)
    if root is not None:
        server.environment["PYTHONPATH"] = str(root)
    try:
        worker = server.start("worker")
    finally:
        server.environment.clear()
        server.environment.update(given)
    return worker


def end(server: Product, worker: Process) -> None:
    """What a service manager does before it starts the new version."""
    assert worker.send(signal.SIGTERM)
    server.wait_ended(worker, 20)


def directories(server: Product) -> dict[int, dict[str, Any]]:
    """`proc.json` of each run."""
    found = {}
    for path in server.data_dir.glob("runs/*/*/proc.json"):
        spec = json.loads((path.parent / "spec.json").read_text())
        found[spec["run"]] = json.loads(path.read_text())
    return found


def zygote_of(proc: dict[str, Any]) -> Process:
    """The parent of a run's shim."""
    shim = look(proc["shim_pid"])
    assert shim is not None
    zygote = look(shim.parent)
    assert zygote is not None
    assert zygote.kind == "zygote"
    return zygote


def numbers(server: Product, run_id: int) -> list[int]:
    """What a counting agent has counted, as recorded."""
    return [int(re.findall(r"\d+", line)[-1]) for line in server.lines(run_id)]


@pytest.mark.timeout(90)
def test_live_agents_outlive_an_upgrade(server: Product, tmp_path: Path) -> None:
    """Begun under the old build, in directories of the layout before, and ended under the new: no line is missing."""
    old = start_worker(server, other_build(tmp_path, adopt.LAYOUT - 1))
    server.wait_ready()
    counting = ScriptedAgent().emit("x", repeat=LINES, every=0.02, numbered=True).options()
    counts = server.create("script", options=counting)
    ticks = server.create("command", options={"argv": ["sh", "-c", TICKS]})
    paused = server.create("command", options={"argv": ["sh", "-c", TICKS]})
    for run_id in (counts, ticks, paused):
        until(lambda run_id=run_id: len(server.lines(run_id)) > 5, 20, 0.05)
    server.wish(paused, "pause")
    server.wait(paused, "PAUSED")
    before = directories(server)
    zygote = zygote_of(before[ticks])
    assert str(tmp_path) in zygote.command
    assert {proc["layout"] for proc in before.values()} == {adopt.LAYOUT - 1}
    end(server, old)

    start_worker(server)
    until(lambda: "run.adopted" in server.types(ticks), 20, 0.05)
    assert server.run(paused)["status"] == "PAUSED"
    fresh = server.create("command", options={"argv": ["sh", "-c", TICKS]})
    until(lambda: server.lines(fresh), 20, 0.05)
    after = directories(server)
    assert {run_id: after[run_id] for run_id in before} == before
    assert after[fresh]["layout"] == adopt.LAYOUT
    successor = zygote_of(after[fresh])
    assert str(PACKAGE) in successor.command
    assert zygote.is_alive

    ended = server.wait(counts)
    assert (ended["status"], ended["exit_code"], ended["attempt"]) == ("COMPLETED", 0, 1)
    found = numbers(server, counts)
    assert found == list(range(found[0], found[0] + LINES))
    server.wish(paused, "resume")
    held = len(server.lines(paused))
    until(lambda: len(server.lines(paused)) > held, 20, 0.05)
    for run_id in (ticks, paused, fresh):
        server.wish(run_id, "stop")
        assert server.wait(run_id)["reason"] == "stopped_by_user"
        found = numbers(server, run_id)
        assert found == list(range(1, len(found) + 1))
    until(lambda: not zygote.is_alive, 10, 0.05)
    assert successor.is_alive


@pytest.mark.timeout(90)
def test_a_layout_that_is_not_known_is_refused_aloud(server: Product, tmp_path: Path) -> None:
    """A newer build was here: its runs are neither touched nor declared ended, and go on under that build again."""
    root = other_build(tmp_path, adopt.LAYOUT + 7)
    newer = start_worker(server, root)
    server.wait_ready()
    run_id = server.create("command", options={"argv": ["sh", "-c", TICKS]})
    until(lambda: len(server.lines(run_id)) > 5, 20, 0.05)
    proc = directories(server)[run_id]
    end(server, newer)

    older = start_worker(server)
    said = f"has layout {adopt.LAYOUT + 7}; this version reads {adopt.LAYOUT - 1} to {adopt.LAYOUT}."
    until(lambda: said in re.sub(r"[\s│]+", " ", server.log()), 20, 0.05)
    assert server.run(run_id)["status"] == "RUNNING"
    for pid, started in ((proc["shim_pid"], proc["shim_start"]), (proc["pid"], proc["start_time"])):
        process = look(pid)
        assert process is not None
        assert process.started == started
    assert directories(server)[run_id] == proc
    end(server, older)

    start_worker(server, root)
    server.wish(run_id, "stop")
    assert server.wait(run_id)["reason"] == "stopped_by_user"
    found = numbers(server, run_id)
    assert found == list(range(1, len(found) + 1))
