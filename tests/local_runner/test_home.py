"""The runner's private directory, and what killed programs leave."""

import fcntl
import os
from pathlib import Path

import pytest

from agentrunner.local_runner import IoError
from agentrunner.local_runner.home import Home, sweep


def abandoned(parent: Path, name: str) -> Path:
    """As a killed program leaves it."""
    path = parent / f"runner-{name}"
    (path / "runs" / "local1").mkdir(parents=True)
    (path / "runner.lock").touch()
    return path


def test_an_abandoned_directory_goes(tmp_path: Path) -> None:
    """One that is in use stays, and so does one that is just being made, and what is not a runner's."""
    left, used, fresh = (abandoned(tmp_path, name) for name in ("left", "used", "fresh"))
    (fresh / "runner.lock").unlink()
    (tmp_path / "other").mkdir()
    with (used / "runner.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert sweep(tmp_path) == [left]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "runner-fresh", "runner-used"]
    os.utime(fresh, (0, 0))
    assert set(sweep(tmp_path)) == {used, fresh}


def test_it_is_private_and_keeps_its_name(tmp_path: Path) -> None:
    """Nobody else can look in; whoever comes later is of the same instance."""
    first = Home(tmp_path / "state")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    with pytest.raises(IoError, match="held"):
        Home(tmp_path / "state")
    first.close(is_empty=True)
    second = Home(tmp_path / "state")
    assert second.instance == first.instance
    second.close(is_empty=True)
    assert (tmp_path / "state").exists()


def test_a_place_that_cannot_be_used(tmp_path: Path) -> None:
    """Is an error of the library, not the system's."""
    (tmp_path / "file").touch()
    with pytest.raises(IoError, match="cannot be used"):
        Home(tmp_path / "file" / "state")
