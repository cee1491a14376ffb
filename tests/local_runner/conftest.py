"""What the tests of the process library share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentrunner.local_runner import LocalProcessRunner
from local_runner.given import Programs, configured


@pytest.fixture
async def runner() -> AsyncIterator[LocalProcessRunner]:
    """A runner that gives its agents a second to end."""
    async with LocalProcessRunner(configured(shutdown_timeout_secs=1)) as made:
        yield made


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """Programs of this test's own."""
    return Programs(tmp_path / "bin")
