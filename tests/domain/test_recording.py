"""What a replay's options say."""

import pytest

from agentrunner.domain.errors import BadOptions
from agentrunner.domain.recording import Recorded, recorded

RECORDED = {"attempt": 1, "uid": "u", "backend": "claude", "worker": "w"}


def test_what_is_recorded() -> None:
    """Only as a whole."""
    assert recorded({"recorded": RECORDED}) == Recorded(attempt=1, uid="u", backend="claude", worker="w")
    for found in (None, {}, {**RECORDED, "attempt": "x"}):
        with pytest.raises(BadOptions, match="create the replay through the server"):
            recorded({"recorded": found})
