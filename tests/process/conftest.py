"""A zygote for all tests of this folder; every test ends what it has started."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from process.attempts import Host, host_in


@pytest.fixture(scope="module")
def shared_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One zygote for the tests of a module."""
    with host_in(tmp_path_factory.mktemp("host")) as host:
        yield host


@pytest.fixture
def host(shared_host: Host) -> Iterator[Host]:
    """A host whose attempts are ended after the test."""
    yield shared_host
    shared_host.end_attempts()


@pytest.fixture
def own_host(tmp_path: Path) -> Iterator[Host]:
    """A host with a zygote of its own, to be killed at will."""
    with host_in(tmp_path) as host:
        yield host
