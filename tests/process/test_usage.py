"""What the processes of an attempt use, by every mechanism, against real processes."""

from pathlib import Path

import pytest

from agentrunner.process import resources, usage
from agentrunner.process.adopt import Proc, RunDirectory
from process.given import MECHANISMS, PYTHON, Runs, lines, tell
from waiting import until

BUSY = 'x = bytearray(30 << 20)\nimport time\nwhile time.process_time() < 0.3: pass\nprint("worked", flush=True)'


def who(directory: RunDirectory) -> tuple[Proc, Path]:
    """What is measured."""
    proc = directory.proc()
    assert proc is not None
    return proc, directory.path


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_the_whole_tree_is_measured(runs: Runs, mechanism: str) -> None:
    """Daemons too, and CPU time of who has ended already; memory of who lives."""
    script = f"{PYTHON[0]} -c '{BUSY}'; setsid sleep 60 & setsid {PYTHON[0]} -c '{BUSY}\ntime.sleep(60)' & wait"
    directory = runs.start(["sh", "-c", script], tree=mechanism)
    until(lambda: lines(directory).count("worked") == 2)
    (found,) = usage.measure([who(directory)])
    assert found is not None
    assert found.processes == 3
    assert 550_000 <= found.cpu_us < 5_000_000
    assert 30 << 20 < found.memory_bytes < 200 << 20


def test_several_at_once_and_one_that_has_ended(runs: Runs) -> None:
    """Each by itself; where no shim lives any more there is nothing to say."""
    ended, _ = runs.run(["true"], tree="walk")
    until(lambda: usage.measure([who(ended)]) == [None])
    first, second = (runs.start(["sleep", "60"], tree="walk") for _ in range(2))
    found = usage.measure([who(ended), who(first), who(second)])
    assert found[0] is None
    assert [one.processes for one in found[1:] if one is not None] == [1, 1]
    tell(first, "stop", rev=1, grace_s=0)
    until(first.exit)
    until(lambda: usage.measure([who(first)]) == [None])


@pytest.mark.skipif("memory_mb" in resources.probe().refused, reason="no memory controller can be used here")
def test_where_memory_is_limited_the_kernels_own_figure_counts(runs: Runs) -> None:
    """What is charged: that is what the limit is compared with."""
    directory = runs.start(["sh", "-c", f"{PYTHON[0]} -c '{BUSY}\ntime.sleep(60)'"], tree="walk", memory_mb=100)
    until(lambda: lines(directory))
    (found,) = usage.measure([who(directory)])
    assert found is not None
    group = next(group for group in who(directory)[0].groups if "/memory" in group or "unified" in group)
    file = next(path for name in ("memory.current", "memory.usage_in_bytes") if (path := Path(group) / name).exists())
    assert abs(int(file.read_text()) - found.memory_bytes) < 1 << 20
