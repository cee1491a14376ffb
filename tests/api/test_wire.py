"""Runs on the wire, remembered by their rows."""

from typing import Any

import msgspec
import pytest

from agentrunner.api.wire import LARGEST_BYTES, WireRuns
from agentrunner.domain.run import Run, view
from agentrunner.store import runs
from agentrunner.store.columns import encode
from domain.stored import run as a_run


def row_of(run: Run) -> tuple[Any, ...]:
    """The row of a run."""
    return tuple(encode(getattr(run, name)) for name in runs._NAMES)


def test_a_row_is_what_the_view_says() -> None:
    """The same bytes again for an equal row, other ones for a row that differs in anything."""
    wire, run = WireRuns(), a_run(labels={"a": "b"})
    data = wire.of(row_of(run))
    assert data == msgspec.json.encode(view(run))
    assert wire.of(row_of(run)) is data
    changed = msgspec.structs.replace(run, last_seq=run.last_seq + 1)
    assert wire.of(row_of(changed)) == msgspec.json.encode(view(changed))


@pytest.mark.parametrize("size", [10, LARGEST_BYTES + 1])
def test_what_is_remembered_is_bounded(size: int) -> None:
    """By its bytes, the least lately used goes first; a very large run is not kept at all."""
    one = row_of(a_run(id=1, goal="x" * size))
    wire = WireRuns(most_bytes=3 * len(WireRuns().of(row_of(a_run(id=1, goal="x" * 10)))) + 100)
    first = wire.of(one)
    for number in range(2, 50):
        wire.of(row_of(a_run(id=number, goal="x" * size)))
        if size == 10:
            assert wire.of(one) is first
    assert len(wire._known) == (3 if size == 10 else 0)
    assert wire._bytes == sum(map(len, wire._known.values()))
