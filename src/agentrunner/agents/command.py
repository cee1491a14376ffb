"""Backend `command`: any program, its output kept line by line, judged by its exit status.

Options: `argv` (a list; no shell is involved), `stdin` (`null`, or `pipe` where inputs are to reach it), `stdio`
(`pipe`, or `file` for programs that lose output on a pipe when killed, as Node and Bun programs do). A goal of up to
32 KiB is in the environment variable `AGENTRUNNER_GOAL`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from agentrunner.agents.base import Command, Ending, Found, Line, Parser, Verdict
from agentrunner.agents.log import log_events
from agentrunner.agents.options import Rule, check_options, is_argument, is_arguments, one_of, require
from agentrunner.agents.verdict import judge_exit
from agentrunner.domain.control import Assignment
from agentrunner.domain.event import NewEvent

MAX_GOAL_BYTES = 32 * 1024
_ARGV = Rule(
    lambda value: is_arguments(value, 10_000) and bool(value) and value[0] != "",
    'a list of texts, the program first, such as ["make", "test"]',
)
_OPTIONS = {"argv": _ARGV, "stdin": one_of("null", "pipe"), "stdio": one_of("pipe", "file")}


class PlainParser:
    """Every line is a `log` event; only the exit status counts. Remembers nothing."""

    reads_text = True

    def feed(self, stream: Literal["out", "err"], lines: Sequence[Line]) -> list[NewEvent]:
        """The lines as `log` events."""
        return log_events(stream, lines)

    def state(self, stream: Literal["out", "err"]) -> Any:
        """Nothing."""
        return None

    def verdict(self, ending: Ending) -> Verdict:
        """By exit status."""
        return judge_exit(ending)


class CommandBackend:
    """Runs `options.argv`."""

    name = "command"

    def check(self, goal: str, options: Mapping[str, Any]) -> None:
        """Raise BadOptions where `argv` is missing or no list of texts, or another option does not fit."""
        require(options, "argv", _ARGV)
        check_options(self.name, options, _OPTIONS)

    def command(self, assignment: Assignment, environment: Mapping[str, str], directory: Path) -> Command:
        """`argv` as it is."""
        options = assignment.options
        self.check(assignment.goal, options)
        return Command(
            argv=tuple(options["argv"]),
            env=goal_environment(assignment.goal),
            stdio=options.get("stdio", "pipe"),
            stdin=options.get("stdin", "null"),
        )

    def parser(self, out_state: Any, err_state: Any) -> Parser:
        """A parser of plain lines."""
        return PlainParser()

    def find(self, environment: Mapping[str, str]) -> Found:
        """Always there: the program is the run's own."""
        return Found(available=True)


def goal_environment(goal: str) -> dict[str, str]:
    """`AGENTRUNNER_GOAL` where there is a goal that fits."""
    fits = goal and is_argument(goal) and len(goal.encode()) <= MAX_GOAL_BYTES
    return {"AGENTRUNNER_GOAL": goal} if fits else {}
