"""The clock that stands still."""

import pytest

from agentrunner.testing import Clock


def test_it_moves_only_when_told() -> None:
    """In milliseconds."""
    clock = Clock(1000)
    assert (clock(), clock()) == (1000, 1000)
    assert clock.advance(seconds=1.5, ms=2) == 2502
    assert clock() == 2502


def test_it_never_steps_back() -> None:
    """No clock in Agent Runner does."""
    with pytest.raises(ValueError, match="does not step back"):
        Clock().advance(seconds=-1)
