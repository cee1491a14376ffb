"""The package as people install it: a wheel, built once a session and installed into an environment of its own."""

import fcntl
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 240
NO_NODE = 3
"""How `tools/console.sh` ends where there is no Node that could build it."""


class NoConsole(Exception):
    """The console cannot be built here; the message says what is missing."""


def installed(place: Path) -> Path:
    """The interpreter of an environment in `place` that has the wheel; made by whoever comes first.

    What the package depends on is not installed again: the environment also sees the packages of this one, but not this
    checkout, for a line of a `.pth` file names a directory without the `.pth` files in it.
    """
    python = place / "venv/bin/python"
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "done").exists():
            _install(_build(place), python)
            (place / "done").touch()
    return python


def _build(place: Path) -> Path:
    ready = subprocess.run(
        [ROOT / "tools/console.sh", "--quiet"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=os.environ | {"NO_COLOR": "1"},
    )
    if ready.returncode == NO_NODE:
        raise NoConsole(ready.stderr.strip())
    assert ready.returncode == 0, ready.stderr
    _run([sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", place, ROOT])
    return next(place.glob("agentrunner-*.whl"))


def _install(wheel: Path, python: Path) -> None:
    venv = python.parents[1]
    _run([sys.executable, "-m", "venv", "--without-pip", venv])
    _run([sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel])
    packages = venv / sysconfig.get_path("purelib", vars={"base": ""}).lstrip("/")
    (packages / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where = _run([python, "-c", "import agentrunner; print(agentrunner.__file__)"]).strip()
    assert Path(where).is_relative_to(venv), f"{where} is not the wheel"


def _run(command: list[str | Path]) -> str:
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
