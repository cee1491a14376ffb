"""Backend `replay`: writes the raw output of a recorded run again, read by that run's own backend.

Options: `run` (its id), `attempt` (else its last), `speed` (1: as fast as it was, 4: four times as fast, 0 or `max`: as
fast as it is taken). `recorded` says what these mean; the server writes it when the run is created, whatever is sent.
The events are those of the recorded run (`agentrunner.domain.digest` compares them); what the runner itself writes, the
status among it, is the replay's own.
"""

import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentrunner.agents.base import Command, Found, Parser, Stdio
from agentrunner.agents.command import PlainParser
from agentrunner.agents.options import Rule, check_options, require, whole
from agentrunner.domain.control import Assignment
from agentrunner.domain.errors import BadOptions
from agentrunner.domain.recording import REPLAY

PROGRAM = Path(__file__).with_name("replay_agent.py")
FASTEST = "max"
MOST_SPEED = 1_000_000
_RUN = whole(1, 2**63 - 1)
_SPEED = Rule(
    lambda value: value == FASTEST or (type(value) in (int, float) and 0 <= value <= MOST_SPEED),
    f"a number from 0 to {MOST_SPEED}, or 'max'; 0 is as fast as possible too",
)
_RECORDED = Rule(lambda value: isinstance(value, dict), "an object, which the server writes")
_OPTIONS = {"run": _RUN, "attempt": whole(1, 2**31 - 1), "speed": _SPEED, "recorded": _RECORDED}


class ReplayBackend:
    """Checks replays. What one of them executes is known only to the worker that has the recording: `play`."""

    name = REPLAY

    def check(self, goal: str, options: Mapping[str, Any]) -> None:
        """Raise BadOptions where `run` is missing or another option does not fit."""
        require(options, "run", _RUN)
        check_options(self.name, options, _OPTIONS)

    def command(self, assignment: Assignment, environment: Mapping[str, str], directory: Path) -> Command:
        """Raise BadOptions: a worker that replays asks for `play` with the recording it has found."""
        raise BadOptions(f"Run {assignment.options.get('run')} can be replayed only where its raw output is.")

    def play(self, options: Mapping[str, Any], recording: Path, stdio: Stdio) -> Command:
        """The replay program on a recorded run directory, with output of the same kind as was recorded."""
        speed = options.get("speed", 1)
        number = "0" if speed == FASTEST else f"{speed:.12g}"
        return Command(argv=(sys.executable, "-I", "-S", str(PROGRAM), str(recording), number), stdio=stdio)

    def parser(self, out_state: Any, err_state: Any) -> Parser:
        """A parser of plain lines, where the recorded backend is not known."""
        return PlainParser()

    def find(self, environment: Mapping[str, str]) -> Found:
        """Always there: it needs nothing but this Python."""
        return Found(available=True, program=sys.executable, version=platform.python_version())
