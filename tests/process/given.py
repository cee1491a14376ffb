"""Run directories, a zygote and agents for the tests of the process layer; everything started is ended."""

import contextlib
import json
import os
import shutil
import signal
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentrunner.process import groups, procfs, tree
from agentrunner.process.adopt import ExitRecord, RunDirectory, Spec
from agentrunner.process.journal import Fact, read_facts
from agentrunner.process.launch import ZygoteLink
from process.link import ShimLink
from waiting import until


def _refusal(mechanism: str) -> str:
    """Why this host has no such mechanism, in the probe's own words; empty where it has."""
    try:
        tree.probe(mechanism)
    except OSError as error:
        return str(error)
    return ""


REFUSED = {name: why for name in tree.MECHANISMS if (why := _refusal(name))}
MECHANISMS = [name for name in tree.MECHANISMS if name not in REFUSED]
every_mechanism = pytest.mark.parametrize(
    "mechanism",
    [
        pytest.param(name, marks=pytest.mark.skipif(name in REFUSED, reason=REFUSED.get(name, "")))
        for name in tree.MECHANISMS
    ],
)
"""Each there is to choose; one that this host lacks is listed as skipped, with the reason. `walk` is never lacking."""
PYTHON = [sys.executable, "-I", "-S", "-c"]


class Runs:
    """A zygote of this test's own, and the attempts it was asked for, all of one instance."""

    def __init__(self, root: Path) -> None:
        self.instance = f"test{uuid.uuid4().hex[:8]}"
        self.state = root / "state"
        self.state.mkdir(mode=0o700)
        self.root = root / "runs"
        self.zygote = ZygoteLink(self.state, idle_s=0.3)
        self.directories: list[RunDirectory] = []

    def create(self, argv: list[str], **fields: Any) -> RunDirectory:
        """A run directory with its spec, not started."""
        inherited = {name: os.environ[name] for name in ("PATH", "AGENTRUNNER_TEST_SESSION") if name in os.environ}
        spec = Spec(
            instance=self.instance, uid=uuid.uuid4().hex, backend="command", run=7, attempt=1, epoch=1, argv=argv,
            env=inherited, cwd=str(self.state), grace_s=0.6,
        )  # fmt: skip
        directory = RunDirectory.create(self.root, replace(spec, **fields))
        self.directories.append(directory)
        return directory

    def start(self, argv: list[str], **fields: Any) -> RunDirectory:
        """Started, and its agent executing."""
        directory = self.create(argv, **fields)
        self.zygote.spawn(directory.path)
        until(lambda: fact(directory, "started") or directory.exit())
        return directory

    def run(self, argv: list[str], timeout: float = 15.0, **fields: Any) -> tuple[RunDirectory, ExitRecord]:
        """Started and ended."""
        directory = self.create(argv, **fields)
        self.zygote.spawn(directory.path)
        return directory, until(directory.exit, timeout=timeout)

    def end(self) -> None:
        """Kill what is left, by proof, and wait for the zygote to end."""
        for directory in self.directories:
            if (shim := directory.open_shim()) is not None:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(shim, signal.SIGKILL)
                os.close(shim)
            if directory.proc() is not None and directory.exit() is None:
                directory.kill_leftovers()
        # A shim that was killed at the gate has left its groups, which are empty.
        until(lambda: groups.clear(self.root, self.instance) == [])
        self.zygote.close()
        shutil.rmtree(self.root, ignore_errors=True)


@contextlib.contextmanager
def runs(root: Path) -> Iterator[Runs]:
    """Runs that are ended with the block."""
    made = Runs(root)
    try:
        yield made
    finally:
        made.end()


def facts(directory: RunDirectory) -> list[Fact]:
    """All facts of a journal."""
    return read_facts(directory.path, 0)[0]


def fact(directory: RunDirectory, name: str) -> Fact | None:
    """The last fact of a name."""
    return next((found for found in reversed(facts(directory)) if found.name == name), None)


def tell(directory: RunDirectory, cmd: str, **fields: Any) -> dict[str, Any]:
    """Send a command over `ctl`; its answer."""
    link = ShimLink(directory.path)
    try:
        return link.send({"cmd": cmd, "epoch": 1, **fields})
    finally:
        link.close()


def output(directory: RunDirectory, name: str = "out") -> bytes:
    """A spool's bytes."""
    path = directory.path / name
    return path.read_bytes() if path.exists() else b""


def lines(directory: RunDirectory) -> list[str]:
    """What came on stdout."""
    return output(directory).decode().splitlines()


def members(directory: RunDirectory) -> list[int]:
    """The living processes of an attempt, by its mark."""
    proc = directory.proc()
    assert proc is not None
    return tree.make("walk", "", proc.instance, directory.path.name).pids()


def is_gone(pid: int, started: int) -> bool:
    """Whether this very process can act no more."""
    return procfs.start_time(pid) != started or not procfs.is_alive(pid)


def disk_bytes(directory: RunDirectory) -> int:
    """Blocks in use by spools and index."""
    return sum(
        os.stat(directory.path / name).st_blocks * 512
        for name in ("out", "err", "idx")
        if (directory.path / name).exists()
    )


def written(path: Path, content: object) -> Path:
    """A JSON file."""
    path.write_text(json.dumps(content))
    return path
