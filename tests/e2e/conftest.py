"""A product of its own for each test, gone without a trace afterwards."""

from collections.abc import Iterator

import pytest

from e2e.processes import of_directory
from e2e.product import Product, product


@pytest.fixture
def fresh() -> Iterator[Product]:
    """A fresh data directory with nothing running."""
    with product(grace_s=2) as made:
        yield made
    assert of_directory(made.data_dir) == []


@pytest.fixture
def running(fresh: Product) -> Product:
    """Server and worker, ready."""
    fresh.start("server")
    fresh.start("worker")
    fresh.wait_ready()
    return fresh
