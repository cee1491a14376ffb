"""Inputs: bounds and the form on the wire."""

import msgspec
import pytest

from agentrunner.domain.decision import Input, NewInput, view


@pytest.mark.parametrize("text", ["", "x" * 1_000_001])
def test_bounds(text: str) -> None:
    """Something, and not too much of it."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"text": text}, NewInput)


def test_the_wire_form() -> None:
    """Delivered or not yet."""
    item = Input(id=1, run_id=2, text="go", created_at=0)
    assert view(item).delivered_at is None
    assert view(msgspec.structs.replace(item, delivered_at=5)).delivered_at == "1970-01-01T00:00:00.005Z"
