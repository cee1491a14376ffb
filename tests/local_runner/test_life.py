"""Following a run directory, also where the kernel gives no hints."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentrunner.local_runner import SpawnFailed
from agentrunner.local_runner.life import Life
from agentrunner.process.adopt import RunDirectory
from agentrunner.worker.hints import Hints
from process.given import Runs
from process.given import runs as made


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    """A zygote of this test's own."""
    with made(tmp_path) as found:
        yield found


class Followed:
    """A life without hints from inotify."""

    def __init__(self, directory: RunDirectory) -> None:
        hints = Hints()
        hints.close()
        self.ends = 0
        self.life = Life(directory, hints, 4 << 20, self.end)
        self.life.watch()

    def end(self) -> None:
        """Counted."""
        self.ends += 1


async def test_without_hints_it_looks_by_itself(runs: Runs) -> None:
    """Start and end are seen all the same; the end is told once."""
    directory = runs.create(["sh", "-c", "echo x"])
    followed = Followed(directory)
    await asyncio.to_thread(runs.zygote.spawn, directory.path)
    await followed.life.begin()
    await asyncio.wait_for(followed.life.wait(), 10)
    followed.life.look(deeply=True)
    assert followed.life.record is not None
    assert (followed.life.record.exit_code, followed.ends) == (0, 1)
    assert followed.life.end_of("out") == 2


async def test_a_flood_without_hints_goes_on(runs: Runs) -> None:
    """What is given up is told to the shim, or the agent would wait for ever."""
    directory = runs.create(["sh", "-c", "seq 1 2000000"], spool_cap_bytes=4 << 20)
    followed = Followed(directory)
    await asyncio.to_thread(runs.zygote.spawn, directory.path)
    await followed.life.begin()
    await asyncio.wait_for(followed.life.wait(), 30)
    assert followed.life.record is not None
    assert followed.life.record.exit_code == 0
    assert followed.life.given_up("out") > 0


async def test_a_shim_killed_at_the_gate_is_a_failed_start(runs: Runs) -> None:
    """Before anything was executed: the start fails, and nothing is left."""
    directory = runs.create(["sleep", "60"], stall="forked")
    followed = Followed(directory)
    shim = await asyncio.to_thread(runs.zygote.spawn, directory.path)
    while not (directory.path / "stalled-forked").exists():
        await asyncio.wait({asyncio.create_task(asyncio.to_thread(os.sched_yield))})
    os.kill(shim, signal.SIGKILL)
    await asyncio.wait_for(followed.life.destroy(), 10)
    assert followed.life.is_over
    assert not (directory.path / "exit").exists()
    with pytest.raises(SpawnFailed, match="killed"):
        await followed.life.begin()
