"""Limits that the kernel keeps for a whole tree, with real processes; where this host keeps one not, that is said."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from agentrunner.process import cgroups, resources
from agentrunner.process.resources import Probe, Resources
from process.given import MECHANISMS, PYTHON, Runs, fact, facts, lines, members, tell
from waiting import until

REFUSED = resources.probe().refused
HOG = "import time\nx = bytearray(200 << 20)\nprint('survived', flush=True)\ntime.sleep(60)"
FORKS = """
import os, time
refused = 0
for _ in range(40):
    try:
        if os.fork() == 0:
            time.sleep(60)
    except OSError:
        refused += 1
print(refused, flush=True)
time.sleep({stay})
"""


def needs(limit: str) -> pytest.MarkDecorator:
    """Skip where this host keeps a limit not, with the probe's own reason."""
    return pytest.mark.skipif(limit in REFUSED, reason=REFUSED.get(limit, ""))


def groups(runs: Runs, name: str) -> list[str]:
    """The groups of an attempt that are there, in every hierarchy."""
    bases = {base for _, base in resources.probe().bases.values()}
    return [path for base in bases if os.path.exists(path := f"{cgroups.instance_group(base, runs.instance)}/{name}")]


@needs("memory_mb")
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_who_takes_too_much_memory_is_ended(runs: Runs, mechanism: str) -> None:
    """By the kernel; the record and the fact say that it was the limit, not just a signal, and what was used."""
    directory, record = runs.run([*PYTHON, HOG], tree=mechanism, memory_mb=48)
    assert (record.limit, record.signal, lines(directory)) == ("memory_mb", 9, [])
    said = fact(directory, "limit").fields  # type: ignore[union-attr]
    assert (said["limit"], said["value"], said["killed"]) == ("memory_mb", 48, 1)
    assert 40 <= said["used"] <= 48
    assert 40 << 20 <= record.used.memory_peak_bytes <= 48 << 20
    assert groups(runs, directory.path.name) == []


@needs("memory_mb")
def test_a_child_without_memory_ends_the_whole_run(runs: Runs) -> None:
    """The kernel kills one process; a half-killed tree that goes on would be worse than none."""
    directory = runs.create(["sh", "-c", f"{PYTHON[0]} -c '{HOG}' & wait $!; sleep 60"], memory_mb=48, grace_s=30)
    runs.zygote.spawn(directory.path)
    record = until(directory.exit)
    assert (record.limit, record.step) == ("memory_mb", "kill")
    assert members(directory) == []


@needs("memory_mb")
def test_who_stays_below_its_limit_is_let_be(runs: Runs) -> None:
    """And its peak is kept."""
    directory, record = runs.run([*PYTHON, "x = bytearray(20 << 20)"], memory_mb=64)
    assert (record.limit, record.exit_code) == (None, 0)
    assert 20 << 20 < record.used.memory_peak_bytes < 64 << 20
    assert fact(directory, "limit") is None


@needs("memory_mb")
def test_a_kill_without_the_limit_is_a_signal(runs: Runs) -> None:
    """Whoever sends SIGKILL: the kernel's counter has not risen, so it was not the limit."""
    _, record = runs.run(["sh", "-c", "kill -9 $$"], memory_mb=64)
    assert (record.limit, record.signal) == (None, 9)


@needs("pids")
def test_too_many_processes_are_refused_and_said(runs: Runs) -> None:
    """The agent goes on without them; the fact counts them and does not end the run."""
    directory, record = runs.run([*PYTHON, FORKS.format(stay=0)], pids=8)
    assert (record.limit, record.exit_code, lines(directory)) == (None, 0, ["33"])
    said = [found.fields for found in facts(directory) if found.name == "limit"]
    assert said[-1] == {"limit": "pids", "value": 8, "refused": 33}


@needs("pids")
def test_it_is_said_while_the_agent_lives(runs: Runs) -> None:
    """Within about a second."""
    directory = runs.start([*PYTHON, FORKS.format(stay=60)], pids=8)
    said = until(lambda: fact(directory, "limit"))
    assert said.fields["refused"] > 0
    tell(directory, "stop", rev=1, grace_s=0)
    assert until(directory.exit).limit is None


@needs("cpu")
def test_a_part_of_a_cpu_is_all_there_is(runs: Runs) -> None:
    """A quarter of one: a second of work by the clock is a quarter of a second of work."""
    began = time.monotonic()
    busy = "import time\nuntil = time.process_time() + 0.25\nwhile time.process_time() < until: pass"
    _, record = runs.run([*PYTHON, busy], cpu=0.25)
    assert record.exit_code == 0
    assert time.monotonic() - began > 0.6
    assert 200_000 < record.used.cpu_us < 600_000


def test_what_was_used_counts_the_whole_tree(runs: Runs) -> None:
    """CPU time of daemons too; memory at least that of the largest process."""
    busy = "x = bytearray(30 << 20)\nimport time\nwhile time.process_time() < 0.2: pass"
    _, record = runs.run(["sh", "-c", f"setsid {PYTHON[0]} -c '{busy}' & wait"])
    assert 200_000 <= record.used.cpu_us < 5_000_000
    assert record.used.memory_peak_bytes > 30 << 20


def test_a_limit_that_nobody_keeps_starts_nothing() -> None:
    """It is refused by name and with the reason: a limit that is only written down would be a lie."""
    none = Probe({}, {"cpu": "no controller"})
    with pytest.raises(OSError, match=r"limits\.cpu cannot be kept here: no controller"):
        Resources(none, "i", "u", {"cpu": 1})


def test_a_spec_whose_limit_cannot_be_set_is_refused_whole(runs: Runs) -> None:
    """The kernel refuses the value: nothing was executed, and no group is left."""
    if "pids" in REFUSED:
        pytest.skip(REFUSED["pids"])
    directory, record = runs.run(["true"], pids=-5, memory_mb=64 if "memory_mb" not in REFUSED else None)
    assert record.spawn_error is not None
    assert record.spawn_error.startswith("the shim:")
    assert groups(runs, directory.path.name) == []


VERSION_2: list[tuple[str, float, dict[str, str]]] = [
    ("memory_mb", 64, {"memory.max": "67108864", "memory.swap.max": "0", "memory.oom.group": "1"}),
    ("cpu", 1.5, {"cpu.max": "150000 100000"}),
    ("cpu", 0.001, {"cpu.max": "1000 100000"}),
    ("pids", 20, {"pids.max": "20"}),
]


@pytest.mark.parametrize(("limit", "value", "written"), VERSION_2)
def test_what_version_2_is_told(tmp_path: Path, limit: str, value: float, written: dict[str, Any]) -> None:
    """The files of cgroup-v2.rst and what goes into them; plain files here, since few hosts hand controllers down."""
    group = tmp_path / "agentrunner-i" / "u"
    group.mkdir(parents=True)
    for name in written:
        (group / name).touch()
    (tmp_path / "agentrunner-i" / "cgroup.subtree_control").touch()
    made = Resources(Probe({limit: (2, str(tmp_path))}, {}), "i", "u", {limit: value})
    made.create()
    assert {name: (group / name).read_text() for name in written} == written
    assert (tmp_path / "agentrunner-i" / "cgroup.subtree_control").read_text().startswith("+")
    (group / "memory.events").write_text("low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\noom_group_kill 1\n")
    (group / "memory.peak").write_text("4096\n")
    (group / "pids.events").write_text("max 7\n")
    expected = {"memory_mb": (2, 4096, 0), "cpu": (0, None, 0), "pids": (0, None, 7)}[limit]
    assert (made.oom_kills(), made.memory_peak(), made.refused_forks()) == expected
    assert made.watch_memory() == -1
