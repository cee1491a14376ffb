"""What makes two timelines the same."""

from typing import Any

import pytest

from agentrunner.domain.digest import Digest, digest
from agentrunner.domain.event import NewEvent, new_event


def log(*lines: str, stream: str = "stdout", offset: int = 0, ts: int = 1) -> NewEvent:
    """Raw lines."""
    return new_event("log", {"stream": stream, "offset": offset, "lines": list(lines)}, ts=ts)


SAID = [log("a", "b"), new_event("message", {"text": "hello", "role": "assistant"}), log("c", offset=4)]


def test_times_ids_and_the_order_of_fields_do_not_count() -> None:
    """Nor does what the runner itself writes."""
    same = [
        new_event("run.started", {"pid": 7}),
        log("a", "b", ts=99),
        new_event("limit", {"limit": "spool_cap"}),
        new_event("error", {"kind": "unkillable"}),
        new_event("message", {"role": "assistant", "text": "hello"}),
        new_event("input.delivered", {"id": 1}),
        log("c", offset=4),
        new_event("output.dropped", {"bytes": 1}),
        new_event("run.completed"),
    ]
    assert digest(same) == digest(SAID)


def test_the_borders_of_logs_do_not_count() -> None:
    """But where the first line of neighbours begins does."""
    assert digest([log("a"), log("b", offset=2), *SAID[1:]]) == digest(SAID)
    assert digest([log("a", "b", offset=1), *SAID[1:]]) != digest(SAID)


def test_the_streams_order_does_not_count() -> None:
    """Files have none; what stands on each stream has."""
    err = log("warning", stream="stderr")
    assert digest([err, *SAID]) == digest([*SAID, err]) == digest([SAID[0], err, *SAID[1:]])
    assert digest([*SAID, err]) != digest(SAID)


@pytest.mark.parametrize(
    "other",
    [
        [*SAID[:1], *SAID[2:]],
        [SAID[1], SAID[0], SAID[2]],
        [log("ab"), *SAID[1:]],
        [log("a", "b", ""), *SAID[1:]],
        [SAID[0], new_event("message", {"text": "hello!", "role": "assistant"}), SAID[2]],
        [SAID[0], new_event("message", {"text": "hello", "role": "assistant"}, level="error"), SAID[2]],
        [SAID[0], new_event("thinking", {"text": "hello", "role": "assistant"}), SAID[2]],
        [log("a", "b", stream="stderr"), *SAID[1:]],
        [*SAID, *SAID],
        [],
    ],
)
def test_everything_else_counts(other: list[Any]) -> None:
    """An event more, fewer, moved or different in a word."""
    assert digest(other) != digest(SAID)


def test_one_by_one_is_the_same() -> None:
    """A digest can be asked at any time."""
    made = Digest()
    for number, event in enumerate(SAID, 1):
        made.add(event)
        assert made.hex() == digest(SAID[:number])
    assert len(made.hex()) == 64


def test_payloads_need_not_be_objects() -> None:
    """Reporters send what they like."""
    assert digest([new_event("x", [1, 2]), new_event("log", {"lines": "a"})]) != digest([new_event("x", [1])])
