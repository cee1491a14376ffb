"""What the tests of the process layer share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from process.given import Runs
from process.given import runs as made


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    """A zygote of this test's own."""
    with made(tmp_path) as found:
        yield found
