"""What the tests of backends are given: assignments, lines, endings."""

from pathlib import Path
from typing import Any

import msgspec

from agentrunner.agents.base import Ending, Line, Parser
from agentrunner.domain.control import Assignment
from agentrunner.domain.event import NewEvent
from agentrunner.domain.run import Limits
from agentrunner.domain.state import Desired, OnLost, Status

STREAMS = Path(__file__).with_name("streams")
EXITED = Ending(exit_code=0, signal=None)
FAILED = Ending(exit_code=1, signal=None)
KILLED = Ending(exit_code=None, signal=9)


def assignment(backend: str, goal: str = "", **options: Any) -> Assignment:
    """An attempt as a worker is given it."""
    return Assignment(
        run_id=1,
        attempt=1,
        uid="u",
        epoch=1,
        status=Status.RUNNING,
        desired=Desired.RUN,
        revision=0,
        backend=backend,
        title="",
        goal=goal,
        project="default",
        project_path=None,
        options=options,
        secrets={},
        limits=Limits(),
        on_lost=OnLost.WAIT,
        boot_id="b",
    )


def lines_of(data: bytes, ts: int = 1) -> list[Line]:
    """The complete lines of a stream's bytes."""
    lines, offset = [], 0
    for line in data.split(b"\n")[:-1]:
        lines.append(Line(line, offset, ts))
        offset += len(line) + 1
    return lines


def recorded(name: str) -> list[Line]:
    """The lines of a recorded stream."""
    return lines_of((STREAMS / f"{name}.jsonl").read_bytes())


def payload(event: NewEvent) -> Any:
    """An event's payload as data."""
    return msgspec.json.decode(event.payload)


def fed(parser: Parser, lines: list[Line]) -> list[tuple[str, Any]]:
    """Type and payload of what a parser makes of stdout."""
    return [(str(event.type), payload(event)) for event in parser.feed("out", lines)]
