"""Server and worker for as long as a block lasts."""

import os
import signal
from pathlib import Path

import pytest

from agentrunner.app.stop import serving
from agentrunner.config import load
from agentrunner.domain.errors import ConfigurationError
from agentrunner.process import holder
from e2e.processes import of_directory
from e2e.product import Product


def test_a_block_has_a_server_without_a_port(fresh: Product) -> None:
    """It answers on the Unix socket alone, and both parts and the signals are as before when the block is over."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    settings = load({}, {"data_dir": str(fresh.data_dir)})
    with serving(settings):
        fresh.wait_ready()
        assert not (fresh.data_dir / "address").exists()
    assert of_directory(fresh.data_dir, "server", "worker") == []
    assert {number: signal.getsignal(number) for number in handlers} == handlers
    assert signal.set_wakeup_fd(-1) == -1
    assert not holder.is_held(fresh.data_dir / "up.lock")


def test_where_an_up_runs_it_is_refused(tmp_path: Path) -> None:
    """Its server is being started again right now: two of them would end each other."""
    lock = holder.take(tmp_path / "up.lock")
    with pytest.raises(ConfigurationError, match="already runs"), serving(load({}, {"data_dir": str(tmp_path)})):
        pytest.fail("there must not be a second one")
    assert holder.is_held(tmp_path / "up.lock")
    os.close(lock)
