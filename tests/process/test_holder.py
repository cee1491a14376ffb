"""Locks that name their holder: succession only with proof."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentrunner.process import holder, procfs
from waiting import until

HOLD = "import sys\nfrom pathlib import Path\nfrom agentrunner.process import holder\n" \
    "fd = holder.take(Path(sys.argv[1]))\nprint('held', flush=True)\nsys.stdin.read()"  # fmt: skip


def holding(path: Path) -> subprocess.Popen[bytes]:
    """Another process that holds the lock until its stdin ends."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def ended(process: subprocess.Popen[bytes]) -> int:
    """Its exit code, once it has ended."""
    process.communicate(timeout=10)
    return process.returncode


def test_one_at_a_time(tmp_path: Path) -> None:
    """Refused while held, free again when the holder is gone."""
    path = tmp_path / "lock"
    assert not holder.is_held(path)
    process = holding(path)
    assert holder.is_held(path)
    with pytest.raises(holder.Held):
        holder.take(path)
    assert ended(process) == 0
    os.close(holder.take(path))


def test_a_proven_holder_is_killed_and_succeeded(tmp_path: Path) -> None:
    """After the time it had to go by itself."""
    path = tmp_path / "lock"
    process = holding(path)
    descriptor = holder.take(path, succeed_s=0.05)
    assert json.loads(path.read_text())["pid"] == os.getpid()
    os.close(descriptor)
    assert ended(process) == -9


@pytest.mark.parametrize("field", ["start_time", "boot_id", "pid", "nothing"])
def test_without_proof_nobody_is_killed(tmp_path: Path, field: str) -> None:
    """Another start time, another boot, a pid that is not there, a file that says nothing."""
    path = tmp_path / "lock"
    process = holding(path)
    named = json.loads(path.read_text())
    wrong = {"start_time": 1, "boot_id": "another", "pid": 2**22 + 1}
    path.write_text("" if field == "nothing" else json.dumps({**named, field: wrong[field]}))
    with pytest.raises(holder.Held):
        holder.take(path, succeed_s=0.05)
    assert process.poll() is None
    assert ended(process) == 0


def test_a_child_does_not_inherit_the_lock(tmp_path: Path) -> None:
    """CLOEXEC: or it would hold it after us."""
    descriptor = holder.take(tmp_path / "lock")
    child = subprocess.Popen(["sleep", "60"], close_fds=False)
    os.close(descriptor)
    assert not holder.is_held(tmp_path / "lock")
    child.kill()
    child.wait(10)


def test_start_times() -> None:
    """Of this process, and of none."""
    assert holder.start_time(os.getpid()) == procfs.start_time(os.getpid()) > 0
    assert holder.start_time(2**22 + 1) == -1
    assert until(holder.boot_id) == procfs.boot_id()
