"""Fresh servers on loopback ports for the pages that tell how to talk to them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest

from agentrunner.app.address import read_address
from doors.examples import Door
from e2e.product import Product, product
from waiting import until

Opener = Callable[..., Door]


@contextmanager
def opened(*, worker: bool = False, environment: Mapping[str, str] | None = None, **settings: object) -> Iterator[Door]:
    """A server (and a worker) over a fresh data directory, gone afterwards.

    Settings by name (`insecure_no_auth=True`); `environment` holds variables that have another prefix than ours.
    """
    with product(grace_s=2, **settings) as made:
        made.environment.update(environment or {})
        made.start("server")
        address = until(lambda: read_address(made.data_dir), 20)
        made.ask("GET", "/ready")
        if worker:
            made.start("worker")
            made.wait_ready()
        yield Door(made, urlsplit(str(address)).netloc)


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    """A server without a worker that asks for no key, as the documents' clients expect: one for a test module."""
    with opened(insecure_no_auth=True) as made:
        yield made


@pytest.fixture(scope="module")
def door_with_worker() -> Iterator[Door]:
    """The same with a worker that executes runs, and looks for them often."""
    with opened(insecure_no_auth=True, worker=True) as made:
        yield made


@pytest.fixture
def open_door() -> Iterator[Opener]:
    """Opens further doors for one test: `open_door(worker=True, environment={"AGENTOPS_API_KEY": "k"}, slots=2)`."""
    with ExitStack() as stack:
        yield lambda **wanted: stack.enter_context(opened(**wanted))


@pytest.fixture
def fresh_product() -> Iterator[Product]:
    """A fresh data directory with nothing running."""
    with product(grace_s=2) as made:
        yield made
