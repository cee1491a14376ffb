"""Backend `demo`: a simulated agent that thinks, plans and executes nothing, to see a run's whole life without a model.

It is a real process with real signals, pauses and directives; only what it says is made up, and it says so.
Options: `seconds` (how long a step takes, 1 unless said), `fail` (the step that is to fail: `thinking`, `planning`,
`executing`), `stdin` (`pipe` where directives are to reach it). `env` and `cwd` work as for any backend; others have no
effect. It works in an empty directory of its own, whatever its project's path.
"""

import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from agentrunner.agents.base import Command, Ending, Found, Line, Parser, Verdict
from agentrunner.agents.command import goal_environment
from agentrunner.agents.demo_agent import MOST_SHOWN, STEPS
from agentrunner.agents.log import log_events
from agentrunner.agents.options import COMMON, Rule, check_fields, number, one_of
from agentrunner.agents.verdict import imposed, of_status
from agentrunner.domain.control import Assignment
from agentrunner.domain.event import NewEvent, new_event
from agentrunner.domain.state import Reason, Status

PROGRAM = Path(__file__).with_name("demo_agent.py")
COMPLETED = "Simulation completed: every step was shown, no work was done."
NOTE = "a simulation: it shows a run's life and does no work"
_MOST_GOAL = 4 * MOST_SHOWN
_RULES: dict[str, Rule] = {
    **COMMON,
    "seconds": number(0, 3600),
    "fail": one_of(*STEPS),
    "stdin": one_of("null", "pipe"),
}


class _Said(msgspec.Struct, frozen=True):
    type: Literal["agent.thinking", "plan.generated", "executing", "message"]
    message: str


class _Memory(msgspec.Struct):
    """How many steps the agent has taken, and its last words on stderr."""

    steps: int = 0
    last_line: str = ""


_said = msgspec.json.Decoder(_Said)


class DemoParser:
    """See `agentrunner.agents.base.Parser`."""

    def __init__(self, out_state: Any = None, err_state: Any = None) -> None:
        self._steps = _restore(out_state).steps
        self._last_line = _restore(err_state).last_line

    def feed(self, stream: Literal["out", "err"], lines: Sequence[Line]) -> list[NewEvent]:
        """Steps one by one, marked as simulated; anything else as `log` events."""
        if stream == "err":
            self._last_line = lines[-1].data[:1000].decode("utf-8", "backslashreplace") if lines else self._last_line
            return log_events(stream, lines)
        return [event for line in lines for event in self._events(line)]

    def _events(self, line: Line) -> list[NewEvent]:
        try:
            said = _said.decode(line.data)
        except (ValueError, RecursionError):
            return log_events("out", [line])
        if said.type == "message":
            return [new_event("message", {"role": "assistant", "text": said.message, "simulated": True}, ts=line.ts)]
        self._steps += 1
        payload = {"message": said.message, "iteration": self._steps, "simulated": True}
        return [new_event(said.type, payload, ts=line.ts)]

    def state(self, stream: Literal["out", "err"]) -> Any:
        """The steps taken; the last line of stderr."""
        return {"steps": self._steps} if stream == "out" else {"last_line": self._last_line}

    def verdict(self, ending: Ending) -> Verdict:
        """Completed only with every step taken and exit code 0."""
        if (decided := imposed(ending)) is not None:
            return decided
        by_status = of_status(ending)
        if by_status.status is not Status.COMPLETED:
            return Verdict(by_status.status, by_status.reason, self._last_line or by_status.message)
        if self._steps < len(STEPS):
            message = f"The simulation ended with {self._steps} of {len(STEPS)} steps taken."
            return Verdict(Status.FAILED, Reason.UNPARSEABLE_OUTPUT, message)
        return Verdict(Status.COMPLETED, None, COMPLETED)


class DemoBackend:
    """Runs the simulation."""

    name = "demo"
    is_standalone = True

    def check(self, goal: str, options: Mapping[str, Any]) -> None:
        """Raise BadOptions where an option that has an effect does not fit."""
        known = {name: value for name, value in options.items() if name in _RULES}
        check_fields(known, _RULES, "options", "backend 'demo'")

    def command(self, assignment: Assignment, environment: Mapping[str, str], directory: Path) -> Command:
        """The simulation; its goal by environment, as its stdin is for directives."""
        options = assignment.options
        self.check(assignment.goal, options)
        fail = [options["fail"]] if "fail" in options else []
        return Command(
            argv=(sys.executable, "-I", "-S", str(PROGRAM), str(float(options.get("seconds", 1))), *fail),
            # What is shown of it is shorter, so no goal is too long for the environment.
            env=goal_environment(assignment.goal[:_MOST_GOAL]),
            stdin=options.get("stdin", "null"),
        )

    def parser(self, out_state: Any, err_state: Any) -> Parser:
        """A parser that counts steps."""
        return DemoParser(out_state, err_state)

    def find(self, environment: Mapping[str, str]) -> Found:
        """Always there: it needs nothing but this Python."""
        return Found(available=True, program=sys.executable, version=platform.python_version(), note=NOTE)


def _restore(state: Any) -> _Memory:
    """What was remembered; a state that does not fit is forgotten rather than fatal."""
    try:
        data = msgspec.json.decode(state) if isinstance(state, msgspec.Raw | bytes) else state
        return _Memory() if data is None else msgspec.convert(data, _Memory)
    except ValueError:
        return _Memory()
