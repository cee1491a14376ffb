"""Groups that nobody needs any more."""

import os
import signal
from pathlib import Path

import pytest

from agentrunner.process import cgroups, groups, procfs, resources
from process.given import MECHANISMS, Runs, fact
from waiting import until

LIMITED = {name: 100 for name in ("memory_mb", "pids") if name in resources.probe().bases}


def left(runs: Runs) -> list[str]:
    """The groups of this test's instance, in every hierarchy."""
    tops = [cgroups.instance_group(base, runs.instance) for base in groups.bases()]
    return [f"{top}/{name}" for top in tops if os.path.isdir(top) for name in os.listdir(top) if name in names(runs)]


def names(runs: Runs) -> set[str]:
    """The names of its run directories."""
    return {directory.path.name for directory in runs.directories}


@pytest.mark.parametrize("mechanism", [name for name in MECHANISMS if name != "walk"])
def test_what_a_shim_left_that_was_killed_at_the_gate_is_removed(runs: Runs, tmp_path: Path, mechanism: str) -> None:
    """Its tree's group and those of its limits; while it lives they stay, and so do those of a live run."""
    live = runs.start(["sleep", "60"], tree=mechanism, **LIMITED)
    stalled = runs.create(["sleep", "60"], tree=mechanism, stall="forked", **LIMITED)
    shim = runs.zygote.spawn(stalled.path)
    until((stalled.path / "stalled-forked").exists)
    before = set(left(runs))
    assert len(before) == 2 * (1 + len(LIMITED))
    assert groups.clear(runs.root, runs.instance) == []
    os.kill(shim, signal.SIGKILL)
    until(lambda: not procfs.is_alive(shim))
    # Another worker of this host, whose directories are elsewhere: it cannot know whether a start is under way here.
    assert groups.clear(tmp_path, runs.instance) == []
    cleared: set[str] = set()
    until(lambda: cleared.update(groups.clear(runs.root, runs.instance)) or len(cleared) == 1 + len(LIMITED))
    assert {path.rpartition("/")[2] for path in cleared} == {stalled.path.name}
    assert set(left(runs)) == before - cleared
    assert fact(live, "started") is not None
    assert live.exit() is None


def test_other_instances_are_left_alone(runs: Runs) -> None:
    """Only the named one's groups are looked at."""
    runs.run(["true"])
    assert groups.clear(runs.root, "another-instance") == []
