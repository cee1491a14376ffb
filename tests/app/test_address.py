"""Where a server listens."""

from pathlib import Path

import pytest

from agentrunner.app.address import forget_address, read_address, write_address


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "http://127.0.0.1:8787"), ("::1", "http://[::1]:8787")], ids=["v4", "v6"]
)
def test_an_address_is_found_and_forgotten(tmp_path: Path, host: str, shown: str) -> None:
    """As a URL that can be opened; nothing where no server listens."""
    assert read_address(tmp_path) is None
    write_address(tmp_path, host, 8787)
    assert read_address(tmp_path) == shown
    forget_address(tmp_path)
    forget_address(tmp_path)
    assert read_address(tmp_path) is None
