"""Which command a configuration means."""

import dataclasses
from collections.abc import Mapping

import pytest

from agentrunner.agents.base import Command
from agentrunner.local_runner import TOOL_LEVELS, AgentConfig, InvalidContext, SpawnFailed, UnsupportedOperation
from agentrunner.local_runner.backends import command_of
from local_runner.given import SHELL, Programs

LEVELS = ("minimal", "orchestrator", "full", "readonly", "read", "researcher", "planner", "lisp")


@pytest.fixture(autouse=True)
def installed(programs: Programs) -> Programs:
    """All backends' programs are there."""
    for name in ("claude", "opencode", "custom"):
        programs.write(SHELL, name)
    return programs


def command(programs: Programs, backend: str, environment: Mapping[str, str] = {}, **fields: object) -> Command:
    """The command, its program without the folder."""
    config = AgentConfig(model_backend=backend, environment=environment, **fields)  # type: ignore[arg-type]
    found = command_of(config, programs.environment)
    assert found.argv[0].startswith(str(programs.folder))
    return dataclasses.replace(found, argv=(found.argv[0].rpartition("/")[2], *found.argv[1:]))


def test_claude(programs: Programs) -> None:
    """Print mode with a stream of JSON; the task comes by stdin."""
    found = command(programs, "claude", task="Do it")
    assert found.argv == ("claude", "-p", "--output-format=stream-json", "--verbose")
    assert (found.stdin, found.prompt, found.stdio) == ("prompt", "Do it", "file")


def test_claude_with_everything(programs: Programs) -> None:
    """Every field has its flag, and no value can be taken for one."""
    found = command(
        programs, "claude", {"AGENT_EXTRA_ARGS": "--max-turns=3  --debug"}, task="-x", model="-m", tool_level="read",
        system_prompt="--be brief", agents={"helper": {"prompt": "help"}},
    )  # fmt: skip
    assert found.argv[4:] == (
        "--model=-m", "--allowed-tools=Read,Glob,Grep", "--append-system-prompt=--be brief",
        '--agents={"helper": {"prompt": "help"}}', "--max-turns=3", "--debug",
    )  # fmt: skip


def test_opencode(programs: Programs) -> None:
    """The code's command, with the system prompt that it leaves out."""
    found = command(programs, "opencode", task="Do it", model="m")
    assert found.argv == ("opencode", "run", "--format", "json", "--model=m", "Do it")
    assert found.stdin == "null"
    assert command(programs, "opencode", task="-x").argv[-2:] == ("--", "-x")
    assert command(programs, "opencode", task="Do it", system_prompt="Be brief").argv[-1] == "Be brief\n\nDo it"


@pytest.mark.parametrize("backend", ["custom-cli", "custom-any-cli"])
def test_generic(programs: Programs, backend: str) -> None:
    """The text before the first dash, and the task."""
    found = command(programs, backend, {"A": "1"}, task="Your task here", context="some", model="m")
    assert found.argv == ("custom", "Your task here")
    assert (found.stdin, found.env) == ("pipe", {"A": "1", "AGENT_MODEL": "m", "AGENT_CONTEXT": "some"})
    assert command(programs, backend).argv == ("custom",)


def test_extra_arguments_of_the_runner(programs: Programs) -> None:
    """The agent's own win over those of the runner's environment."""
    around = {**programs.environment, "AGENT_EXTRA_ARGS": "-a -b"}
    assert command_of(AgentConfig(model_backend="custom-cli", task="t"), around).argv[1:] == ("-a", "-b", "t")
    own = AgentConfig(model_backend="custom-cli", task="t", environment={"AGENT_EXTRA_ARGS": ""})
    assert command_of(own, around).argv[1:] == ("t",)


@pytest.mark.parametrize(
    "level", ["minimal", "orchestrator", "full", "readonly", "read", "researcher", "planner", "lisp"]
)
def test_tool_levels(programs: Programs, level: str) -> None:
    """All of the document's code; who may only read cannot write."""
    flag = next(word for word in command(programs, "claude", task="t", tool_level=level).argv if "allowed" in word)
    assert flag == f"--allowed-tools={','.join(TOOL_LEVELS[level])}"
    assert ("Write," in flag) == (level in {"minimal", "orchestrator", "full", "lisp"})


@pytest.mark.parametrize(
    ("error", "match", "fields"),
    [
        (SpawnFailed, "Unsupported model backend", {"model_backend": "openai"}),
        (SpawnFailed, "names no program", {"model_backend": "-cli"}),
        (SpawnFailed, "names no program", {"model_backend": "../bin/custom-cli"}),
        (SpawnFailed, "no program 'other'", {"model_backend": "other-cli"}),
        (InvalidContext, "empty", {"model_backend": "claude", "task": " "}),
        (InvalidContext, "NUL", {"model_backend": "custom-cli", "task": "a\0b"}),
        (InvalidContext, "128 KiB", {"model_backend": "custom-cli", "task": "x" * 131_072}),
        (InvalidContext, "AGENT_CONTEXT", {"model_backend": "custom-cli", "context": "x" * 131_072}),
        (InvalidContext, "'A=B'", {"model_backend": "custom-cli", "environment": {"A=B": "1"}}),
        (InvalidContext, "Unicode", {"model_backend": "claude", "task": "\udcff"}),
        (InvalidContext, "JSON", {"model_backend": "claude", "task": "t", "agents": {"a": object()}}),
        (UnsupportedOperation, "tool_level", {"model_backend": "opencode", "task": "t", "tool_level": "read"}),
        (UnsupportedOperation, "agents", {"model_backend": "custom-cli", "agents": "{}"}),
    ],
)  # fmt: skip
def test_refusals(programs: Programs, error: type[Exception], match: str, fields: dict[str, object]) -> None:
    """What cannot work is said before anything is started."""
    with pytest.raises(error, match=match):
        command_of(AgentConfig(**fields), programs.environment)  # type: ignore[arg-type]


def test_a_long_task_is_no_matter_for_claude(programs: Programs) -> None:
    """A file has no limit of 128 KiB."""
    assert command(programs, "claude", task="x" * 1_000_000).prompt == "x" * 1_000_000
