"""The replay backend's options, and that no chunking of a captured stream changes its digest."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrunner.agents.base import Backend, Replayer
from agentrunner.agents.claude import ClaudeBackend
from agentrunner.agents.command import CommandBackend
from agentrunner.agents.replay import ReplayBackend
from agentrunner.domain.digest import digest
from agentrunner.domain.errors import BadOptions
from agents.given import STREAMS, assignment
from worker.recording import parsed

CAPTURED: dict[str, tuple[Backend, bytes]] = {
    path.stem: (ClaudeBackend(), path.read_bytes()) for path in sorted(STREAMS.glob("*.jsonl"))
} | {
    "command": (CommandBackend(), b"plain\n\n\xff\xfe bytes\nlast line without its end"),
    "claude and lines": (ClaudeBackend(), b"not json\n" + (STREAMS / "tools.jsonl").read_bytes() + b"two\nmore"),
}
WHOLE = {name: digest(parsed(backend, data, data[:80])) for name, (backend, data) in CAPTURED.items()}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(CAPTURED)), st.sets(st.integers(0, 5000), max_size=40))
def test_any_chunking_gives_the_same_digest(name: str, cuts: set[int]) -> None:
    """Also where at each cut another worker goes on from the stored state."""
    backend, data = CAPTURED[name]
    assert digest(parsed(backend, data, data[:80], tuple(cuts))) == WHOLE[name]


def test_captured_streams_differ() -> None:
    """A digest that is the same for all would prove nothing."""
    assert len(set(WHOLE.values())) == len(CAPTURED)


@pytest.mark.parametrize("speed", [0, 0.25, 1, 4, 1_000_000, "max"])
def test_speeds(speed: float | str) -> None:
    """A number, or as fast as possible."""
    ReplayBackend().check("", {"run": 12, "speed": speed, "attempt": 2})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "`options.run` is missing"),
        ({"run": "12"}, "must be a whole number from 1"),
        ({"run": True}, "it is a boolean"),
        ({"run": 0}, "must be a whole number from 1"),
        ({"run": 1, "speed": -1}, "a number from 0 to 1000000, or 'max'"),
        ({"run": 1, "speed": float("nan")}, "a number from 0 to 1000000, or 'max'"),
        ({"run": 1, "sped": 1}, "did you mean 'speed'?"),
        ({"run": 1, "attempt": 0}, "must be a whole number from 1"),
    ],
)
def test_wrong_options(options: dict[str, object], words: str) -> None:
    """Refused with what to write instead."""
    with pytest.raises(BadOptions) as caught:
        ReplayBackend().check("", options)
    assert words in caught.value.detail


def test_what_is_executed_is_found_by_the_worker() -> None:
    """The backend alone has no recording; with one it runs the program on it, secrets nowhere on the line."""
    backend = ReplayBackend()
    assert isinstance(backend, Replayer)
    with pytest.raises(BadOptions, match="only where its raw output is"):
        backend.command(assignment("replay", run=1), {}, STREAMS)
    command = backend.play({"run": 1, "speed": "max"}, STREAMS, "file")
    assert (command.argv[-2:], command.stdio) == ((str(STREAMS), "0"), "file")
    assert backend.play({"run": 1, "speed": 2.5}, STREAMS, "pipe").argv[-1] == "2.5"
    assert backend.play({"run": 1}, STREAMS, "pipe").argv[-1] == "1"


def test_it_is_always_there() -> None:
    """It needs nothing but this Python."""
    assert ReplayBackend().find({}).available
