"""Which program a backend's name means, and how it gets its task.

`claude` reads it from stdin, so that no list of processes shows it; `opencode` and `<program>-cli` get an argument.
"""

import json
import shutil
from collections.abc import Callable, Mapping

from agentrunner.agents.base import Command
from agentrunner.local_runner.agent import AgentConfig
from agentrunner.local_runner.errors import InvalidContext, SpawnFailed, UnsupportedOperation

CommandBuilder = Callable[[AgentConfig, list[str]], Command]
"""From a configuration and the words of AGENT_EXTRA_ARGS to what is executed."""

EXTRA_ARGS = "AGENT_EXTRA_ARGS"
_MAX_ARGUMENT_BYTES = 131_071
"""MAX_ARG_STRLEN of Linux, 32 pages with the closing NUL."""
_READING = ("Read", "Glob", "Grep")
_WORKING = ("Read", "Write", "Edit", "Bash")
TOOL_LEVELS: Mapping[str, tuple[str, ...]] = {
    "minimal": _WORKING,
    "orchestrator": (*_WORKING, "Task"),
    "full": (*_WORKING, "Task"),
    "readonly": _READING,
    "read": _READING,
    "researcher": (*_READING, "WebSearch", "WebFetch"),
    "planner": (*_READING, "TodoWrite"),
    "lisp": (*_WORKING, "mcp__lisp"),
}
"""The tools that Claude Code may use without asking."""


def claude(config: AgentConfig, extra: list[str]) -> Command:
    """Claude Code; every value is joined to its flag by `=`, so that none can be taken for a flag."""
    if not config.task.strip():
        raise InvalidContext("`task` is empty: Claude Code needs to be told what to do.")
    flags: list[str] = []
    if config.model:
        flags.append(f"--model={config.model}")
    if config.tool_level:
        flags.append(f"--allowed-tools={','.join(TOOL_LEVELS[config.tool_level])}")
    if config.system_prompt:
        flags.append(f"--append-system-prompt={config.system_prompt}")
    if config.agents:
        flags.append(f"--agents={_json(config.agents)}")
    argv = ("claude", "-p", "--output-format=stream-json", "--verbose", *flags, *extra)
    # A Bun program loses what it has not flushed to a pipe when it is killed; to a file it writes at once.
    return Command(argv=argv, stdio="file", stdin="prompt", prompt=config.task)


def opencode(config: AgentConfig, extra: list[str]) -> Command:
    """OpenCode, which has no flag for a system prompt: it goes before the task. Its stdin is empty, for it waits for
    the end of a pipe."""
    if not config.task.strip():
        raise InvalidContext("`task` is empty: OpenCode needs to be told what to do.")
    _refuse_claude_only(config, "opencode")
    task = f"{config.system_prompt}\n\n{config.task}" if config.system_prompt else config.task
    model = [f"--model={config.model}"] if config.model else []
    argv = ("opencode", "run", "--format", "json", *model, *extra, *_positional(task))
    return Command(argv=argv, stdio="file", stdin="null")


def generic(config: AgentConfig, extra: list[str]) -> Command:
    """Any program with its task as argument. What has no argument is in AGENT_SYSTEM_PROMPT and AGENT_MODEL."""
    _refuse_claude_only(config, config.model_backend)
    program = config.model_backend.partition("-")[0]
    if not program or "/" in program:
        raise SpawnFailed(f"The backend {config.model_backend!r} names no program: write `<program>-cli`.")
    told = {"AGENT_SYSTEM_PROMPT": config.system_prompt, "AGENT_MODEL": config.model}
    env = {name: value for name, value in told.items() if value}
    return Command(argv=(program, *extra, *_positional(config.task)), env=env, stdio="pipe", stdin="pipe")


def _refuse_claude_only(config: AgentConfig, backend: str) -> None:
    for name in ("tool_level", "agents"):
        if getattr(config, name):
            raise UnsupportedOperation(f"`{name}` means nothing to the backend {backend!r}; leave it away.")


def _positional(task: str) -> list[str]:
    """A task that begins with `-` is no option."""
    if not task:
        return []
    return ["--", task] if task.startswith("-") else [task]


def _json(agents: object) -> str:
    if isinstance(agents, str):
        return agents
    try:
        return json.dumps(agents)
    except (TypeError, ValueError) as error:
        raise InvalidContext(f"`agents` cannot be written as JSON: {error}") from error


BUILTIN: Mapping[str, CommandBuilder] = {"claude": claude, "opencode": opencode}


def command_of(
    config: AgentConfig, environment: Mapping[str, str], builders: Mapping[str, CommandBuilder] = BUILTIN
) -> Command:
    """What to execute for a configuration, its program found in the PATH of `environment`, context and all in `env`.

    Raises SpawnFailed for an unknown backend or a program that is missing, InvalidContext for what no program can be
    given, UnsupportedOperation for what this backend cannot do.
    """
    build = builders.get(config.model_backend) or (generic if "cli" in config.model_backend else None)
    if build is None:
        raise SpawnFailed(
            f"Unsupported model backend for process spawning: {config.model_backend}. "
            f"Known: {', '.join(sorted(builders))}, <program>-cli."
        )
    if config.tool_level and config.tool_level not in TOOL_LEVELS:
        raise InvalidContext(f"There is no tool level {config.tool_level!r}; choose one of {', '.join(TOOL_LEVELS)}.")
    extra = {**environment, **config.environment}.get(EXTRA_ARGS, "").split()
    command = build(config, extra)
    context = {"AGENT_CONTEXT": config.context} if config.context is not None else {}
    env = {**config.environment, **command.env, **context}
    _check(command, env)
    argv = (_find(command.argv[0], {**environment, **env}), *command.argv[1:])
    return Command(argv=argv, env=env, stdio=command.stdio, stdin=command.stdin, prompt=command.prompt)


def _check(command: Command, env: Mapping[str, str]) -> None:
    """Raise InvalidContext for what the system cannot pass: NUL, what is no Unicode, more than 128 KiB."""
    for argument in command.argv:
        if not _fits(argument):
            raise InvalidContext("The task or a flag cannot be an argument: it has a NUL, or more than 128 KiB.")
    for name, value in env.items():
        if not name or "=" in name or not _fits(f"{name}={value}"):
            raise InvalidContext(f"The variable {name!r} cannot be passed: it has a NUL, or more than 128 KiB.")
    if command.prompt is not None:
        try:
            command.prompt.encode()
        except UnicodeEncodeError as error:
            raise InvalidContext(f"The task is no Unicode text: {error}") from error


def _fits(argument: str) -> bool:
    try:
        return "\0" not in argument and len(argument.encode()) <= _MAX_ARGUMENT_BYTES
    except UnicodeEncodeError:
        return False


def _find(program: str, environment: Mapping[str, str]) -> str:
    found = shutil.which(program, path=environment.get("PATH"))
    if found is None:
        raise SpawnFailed(f"There is no program {program!r} in PATH ({environment.get('PATH')}).")
    return found
