"""Backend `script`: plays a scenario, as a stand-in for an agent in tests, drills and demonstrations.

Option: `scenario`, YAML text or the same as data (`agentrunner.agents.scenario` lists the steps). It reaches the
program as the first line of stdin; the goal's lines follow, for `read` steps. Judged by exit status, as any command.
"""

import json
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentrunner.agents.base import Command, Found, Parser
from agentrunner.agents.command import PlainParser, goal_environment
from agentrunner.agents.options import Rule, check_options, one_of, require
from agentrunner.agents.scenario import compile_scenario
from agentrunner.domain.control import Assignment

PROGRAM = Path(__file__).with_name("script_agent.py")
_SCENARIO = Rule(lambda value: isinstance(value, str | list), "a list of steps, as YAML text or as data")
_OPTIONS = {"scenario": _SCENARIO, "stdio": one_of("pipe", "file")}


class ScriptBackend:
    """Runs the script program with `options.scenario`."""

    name = "script"

    def check(self, goal: str, options: Mapping[str, Any]) -> None:
        """Raise BadOptions where the scenario is missing or any of its steps is wrong."""
        require(options, "scenario", _SCENARIO)
        check_options(self.name, options, _OPTIONS)
        compile_scenario(options["scenario"])

    def command(self, assignment: Assignment, environment: Mapping[str, str], directory: Path) -> Command:
        """The script program, with scenario and goal on stdin."""
        options = assignment.options
        self.check(assignment.goal, options)
        steps = compile_scenario(options["scenario"])
        return Command(
            argv=program_argv(),
            env=goal_environment(assignment.goal),
            stdio=options.get("stdio", "pipe"),
            stdin="prompt",
            prompt=f"{json.dumps(steps)}\n{assignment.goal}",
        )

    def parser(self, out_state: Any, err_state: Any) -> Parser:
        """A parser of plain lines."""
        return PlainParser()

    def find(self, environment: Mapping[str, str]) -> Found:
        """Always there: it needs nothing but this Python."""
        return Found(available=True, program=sys.executable, version=platform.python_version())


def program_argv(*arguments: str) -> tuple[str, ...]:
    """How to run the script program: isolated and without site packages, for a start within some 20 ms."""
    return (sys.executable, "-I", "-S", str(PROGRAM), *arguments)
