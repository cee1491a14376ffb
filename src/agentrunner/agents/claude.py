"""Backend `claude`: Claude Code without a terminal, its messages as events.

The goal goes in by a file on stdin, so no prompt shows in `ps`. Options: `model`, `permission_mode` (`ask`: the program
refuses what needs a permission; `bypass`), `allowed_tools`, `add_dirs`, `append_system_prompt` (visible in `ps`),
`max_turns`, `resume` (a native session id), `program`. Measured with 2.1.197.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentrunner.agents.base import Command, Found, Parser
from agentrunner.agents.claude_parser import ClaudeParser
from agentrunner.agents.options import Rule, check_options, is_argument, text, whole, words
from agentrunner.agents.program import ask_version, locate
from agentrunner.domain.control import Assignment
from agentrunner.domain.errors import BackendMissing, BadOptions

PROGRAM_VARIABLE = "AGENTRUNNER_CLAUDE"
ADVICE = (
    "Install Claude Code on the worker (npm install -g @anthropic-ai/claude-code), or name its program in the run's "
    f"`options.program` or in the worker's environment variable {PROGRAM_VARIABLE}."
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def _is_program(value: Any) -> bool:
    return is_argument(value) and bool(value) and (value.startswith("/") or "/" not in value)


_OPTIONS = {
    "allowed_tools": words('a list of tool rules, such as ["Edit", "Bash(git *)"]'),
    "add_dirs": words('a list of directories, such as ["../shared"]'),
    "append_system_prompt": text("a text of at most 100000 characters", 100_000),
    "max_turns": whole(1, 1_000_000),
    "resume": Rule(
        lambda value: isinstance(value, str) and bool(_UUID.fullmatch(value)),
        "the `native_session_id` of a `session.started` event, a UUID in lower case",
    ),
    "program": Rule(_is_program, "the absolute path of a program, or a name that is looked up in PATH"),
}
_ENVIRONMENT = {
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
}
"""Nothing may replace the program under a run, and a run talks to nobody but its model; a run's own `env` wins."""


class ClaudeBackend:
    """Runs Claude Code once per attempt."""

    name = "claude"

    def check(self, goal: str, options: Mapping[str, Any]) -> None:
        """Raise BadOptions for an empty goal or an option that does not fit."""
        if not goal.strip():
            raise BadOptions("`goal` is empty: Claude Code needs to be told what to do.")
        check_options(self.name, options, _OPTIONS)

    def command(self, assignment: Assignment, environment: Mapping[str, str], directory: Path) -> Command:
        """`claude -p` with stream-json output; raises BackendMissing where no program is found."""
        options = assignment.options
        self.check(assignment.goal, options)
        program = locate(_wanted(options.get("program"), environment), environment)
        if program is None:
            raise BackendMissing(f"There is no program {_wanted(options.get('program'), environment)!r}. {ADVICE}")
        return Command(
            argv=(program, "-p", "--output-format=stream-json", "--verbose", *_flags(options)),
            env=_environment(options, environment),
            # A Bun program loses what it has not flushed to a pipe when it is killed; to a file it writes at once.
            stdio="file",
            stdin="prompt",
            prompt=assignment.goal,
        )

    def parser(self, out_state: Any, err_state: Any) -> Parser:
        """A parser of stream-json messages."""
        return ClaudeParser(out_state, err_state)

    def find(self, environment: Mapping[str, str]) -> Found:
        """Look for the program and run `--version`."""
        wanted = _wanted(None, environment)
        program = locate(wanted, environment)
        if program is None:
            return Found(available=False, advice=f"There is no program {wanted!r}. {ADVICE}")
        version, answer = ask_version((program, "--version"), environment)
        if version is None:
            said = answer.partition("\n")[0][:200]
            return Found(available=False, program=program, advice=f"{program} --version failed: {said}. {ADVICE}")
        return Found(available=True, program=program, version=version)


def _wanted(program: str | None, environment: Mapping[str, str]) -> str:
    """The run's own choice, else the worker's (which is not in the allow-listed environment of runs), else `claude`."""
    return program or environment.get(PROGRAM_VARIABLE) or os.environ.get(PROGRAM_VARIABLE) or "claude"


def _flags(options: Mapping[str, Any]) -> list[str]:
    """Every value is joined to its flag by `=`, so that none can be taken for a flag of its own."""
    bypass = options.get("permission_mode") == "bypass"
    # Said in either case: the user's settings could make another mode the default.
    flags = ["--dangerously-skip-permissions" if bypass else "--permission-mode=default"]
    for name in ("model", "append_system_prompt", "max_turns", "resume"):
        if name in options:
            flags.append(f"--{name.replace('_', '-')}={options[name]}")
    flags += [f"--allowed-tools={rule}" for rule in options.get("allowed_tools", [])]
    flags += [f"--add-dir={directory}" for directory in options.get("add_dirs", [])]
    return flags


def _environment(options: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    defaults = dict(_ENVIRONMENT)
    if options.get("permission_mode") == "bypass" and os.geteuid() == 0:
        defaults["IS_SANDBOX"] = "1"
    return {name: value for name, value in defaults.items() if name not in environment}
