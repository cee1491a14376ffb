"""Fixtures of the command line's tests: a server that speaks the contract, and the command as a real process."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from client.contract import Contract
from client.wire import Server, serving
from e2e.product import Product, product

Done = subprocess.CompletedProcess[str]
Cli = Callable[..., Done]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A directory with a short name: the path of a Unix socket takes 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="ar-") as name:
        yield Path(name)


@pytest.fixture
def contract() -> Contract:
    """No run yet."""
    return Contract()


@pytest.fixture
def server(contract: Contract, data_dir: Path) -> Iterator[Server]:
    """Serving on the socket of the data directory."""
    with serving(contract, data_dir) as made:
        yield made


@pytest.fixture
def environment(data_dir: Path) -> dict[str, str]:
    """The environment of a command: this data directory, no colour wished away, nothing else of ours."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("AGENTRUNNER_", "NO_COLOR"))}
    return {**known, "AGENTRUNNER_DATA_DIR": str(data_dir), "TERM": "xterm-256color"}


@pytest.fixture
def cli(environment: dict[str, str]) -> Cli:
    """Runs a command to its end."""

    def run(*words: str, stdin: str = "", **variables: Any) -> Done:
        return subprocess.run(
            command(*words), env={**environment, **variables}, input=stdin, capture_output=True, text=True, timeout=30
        )

    return run


def command(*words: str) -> list[str]:
    """The command line of a command."""
    return [sys.executable, "-m", "agentrunner", *words]


@contextmanager
def running(words: Sequence[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A command that is being watched; it is killed where the test leaves before it has ended."""
    started = subprocess.Popen(
        command(*words),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate(timeout=10)


@pytest.fixture(scope="session")
def real() -> Iterator[Product]:
    """The product itself, server and worker, for all these tests."""
    with product(grace_s=2) as made:
        made.start("server")
        made.start("worker")
        made.wait_ready()
        yield made
