"""Speaking to a shim without blocking."""

import os
from pathlib import Path

import pytest

from agentrunner.worker.shim import Shim
from worker.ctl import shim


async def test_a_command_is_answered(tmp_path: Path) -> None:
    """One conversation, several commands."""
    async with shim(tmp_path) as ctl, Shim(tmp_path) as there:
        assert await there.ask({"cmd": "pause", "rev": 1, "epoch": 2}) == {"ok": True}
        assert await there.ask({"cmd": "resume", "rev": 2, "epoch": 2}) == {"ok": True}
    assert ctl.names == ["pause", "resume"]


async def test_a_long_path_is_no_obstacle(tmp_path: Path) -> None:
    """A socket's address has room for 107 bytes; a data directory's path may be longer."""
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    descriptor = os.open(deep, os.O_RDONLY)
    async with shim(Path(f"/proc/self/fd/{descriptor}")), Shim(deep) as there:
        assert await there.ask({"cmd": "status"}) == {"ok": True}
    os.close(descriptor)


async def test_a_shim_that_hangs_costs_a_bounded_time(tmp_path: Path) -> None:
    """No answer within the time is an OSError, as a shim that is gone."""
    async with shim(tmp_path, lambda _: ...), Shim(tmp_path, within_s=0.1) as there:
        with pytest.raises(TimeoutError):
            await there.ask({"cmd": "status"})


async def test_a_shim_that_ends_is_an_os_error(tmp_path: Path) -> None:
    """In the middle of a conversation, or before it."""
    async with shim(tmp_path, lambda _: None), Shim(tmp_path) as there:
        with pytest.raises(OSError, match="ended"):
            await there.ask({"cmd": "status"})
    with pytest.raises(OSError, match="No such file"):
        async with Shim(tmp_path):
            pytest.fail("nobody is there")


async def test_nonsense_is_an_os_error(tmp_path: Path) -> None:
    """Another program on that socket does not end the worker."""
    async with shim(tmp_path, lambda _: [1, 2]), Shim(tmp_path) as there:
        with pytest.raises(OSError, match="protocol"):
            await there.ask({"cmd": "status"})
