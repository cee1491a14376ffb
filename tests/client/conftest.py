"""Fixtures of the client's tests: a contract, the server that speaks it, and a client of that."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentrunner.client.http import Http
from agentrunner.config import Settings, load
from client.contract import Contract
from client.wire import Server, serving


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
def settings(data_dir: Path) -> Settings:
    """Settings that know the data directory only."""
    return load({}, {"data_dir": str(data_dir)})


@pytest.fixture
def http(server: Server, settings: Settings) -> Iterator[Http]:
    """A client that found the server by itself."""
    with Http.connect(settings) as made:
        yield made
