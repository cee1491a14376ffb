"""Small disks of a test's own, where mounting is allowed."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(path: Path, size_kib: int, inodes: int = 0) -> Iterator[Path]:
    """A tmpfs of so many KiB (and inodes, where said) at `path`; skips the test where this user may not mount."""
    path.mkdir(parents=True, exist_ok=True)
    options = f"size={size_kib}k,mode=0700" + (f",nr_inodes={inodes}" if inodes else "")
    command = ["mount", "-t", "tmpfs", "-o", options, "agentrunner-test", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except OSError as error:
        pytest.skip(f"no mount(8) here: {error}")
    if done.returncode != 0:
        pytest.skip(f"mounting a tmpfs is not allowed here: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True, timeout=10)
