"""A data directory of its own for each test, and the real processes in it."""

from collections.abc import Iterator

import pytest

from e2e.processes import of_directory
from e2e.product import Product, product


@pytest.fixture
def fresh() -> Iterator[Product]:
    """Nothing runs yet; nothing runs afterwards."""
    with product(grace_s=1) as made:
        yield made
    assert of_directory(made.data_dir) == []
