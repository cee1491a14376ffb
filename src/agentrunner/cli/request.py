"""What the options of `run` ask for, as a request to create a run. Pure; refuses with what to write instead."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from agentrunner.domain.project import DEFAULT_PROJECT
from agentrunner.domain.retry import RetryPolicy
from agentrunner.domain.run import Limits, NewRun
from agentrunner.domain.state import OnLost

T = TypeVar("T")

COMMAND = "command"
SCRIPT = "script"
REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Asked:
    """The options as typed. `is_marked` says that `--` stood before the words."""

    words: Sequence[str]
    is_marked: bool = False
    backend: str | None = None
    scenario: str | None = None
    replay: int | None = None
    speed: str | None = None
    title: str | None = None
    project: str | None = None
    model: str | None = None
    cwd: str | None = None
    permission_mode: str | None = None
    priority: int = 0
    on_lost: str = OnLost.WAIT.value
    tries: int | None = None
    backoff_s: float | None = None
    env: Sequence[str] = ()
    secrets: Sequence[str] = ()
    limits: Sequence[str] = ()
    labels: Sequence[str] = ()
    options: Sequence[str] = ()
    agent: str | None = None
    here: Path = field(default_factory=Path)


def build(asked: Asked, secret: Callable[[str], str], read_goal: Callable[[], str]) -> NewRun:
    """The request. `secret` finds the value of a secret by name, `read_goal` is asked where the goal is `-`.

    Raises click.UsageError.
    """
    backend = asked.backend or _implied(asked)
    goal, options = _work(asked, backend, read_goal)
    policy: dict[str, Any] = {"attempts": asked.tries} if asked.tries is not None else {}
    if asked.backoff_s is not None:
        policy["backoff_s"] = asked.backoff_s
    return _converted(
        {
            "goal": goal,
            "backend": backend,
            "title": asked.title,
            "project": asked.project or DEFAULT_PROJECT,
            "agent": asked.agent,
            "options": {**options, **_common_options(asked), **pairs("--option", asked.options, _json_or_text)},
            "limits": _limits(asked.limits),
            "priority": asked.priority,
            "labels": pairs("--label", asked.labels),
            "on_lost": asked.on_lost,
            "retry": _converted(policy, RetryPolicy, "--retry"),
            "secrets": {name: secret(name) for name in map(_secret_name, asked.secrets)},
        },
        NewRun,
        "run",
    )


def _implied(asked: Asked) -> str:
    """The backend where none is named."""
    if asked.replay is not None or asked.speed is not None:
        return REPLAY
    return COMMAND if asked.scenario is None else SCRIPT


def _replay(asked: Asked) -> dict[str, Any]:
    """What is replayed, and how fast. Raises click.UsageError."""
    if asked.words or asked.scenario is not None:
        raise click.UsageError("a replay takes no command, goal or scenario: agentrunner run --replay ID")
    if asked.replay is None:
        if asked.options and asked.speed is None:
            return {}
        raise click.UsageError("say which run is replayed: agentrunner run --replay ID --speed max")
    return {"run": asked.replay} if asked.speed is None else {"run": asked.replay, "speed": _json_or_text(asked.speed)}


def _work(asked: Asked, backend: str, read_goal: Callable[[], str]) -> tuple[str, dict[str, Any]]:
    """The goal and the options that say what to do."""
    if backend == REPLAY:
        return "", _replay(asked)
    if asked.replay is not None or asked.speed is not None:
        raise click.UsageError(f"--replay and --speed are for backend replay, not {backend}")
    if backend == COMMAND:
        return "", {"argv": _command(asked)}
    goal = read_goal() if list(asked.words) == ["-"] else " ".join(asked.words)
    if backend == SCRIPT and asked.scenario is not None:
        return goal, {"scenario": asked.scenario}
    if asked.scenario is not None:
        raise click.UsageError(f"--script is for backend script, not {backend}")
    if not goal.strip() and not asked.options:
        raise click.UsageError(f'say what {backend} shall do: agentrunner run --backend {backend} "GOAL"')
    return goal, {}


def _command(asked: Asked) -> list[str]:
    words = list(asked.words)
    if not words:
        raise click.UsageError('nothing to run: write `agentrunner run -- COMMAND …` or `--backend claude "GOAL"`')
    if len(words) == 1 and " " in words[0] and not asked.is_marked:
        raise click.UsageError(
            "that reads like a goal: say who is to reach it (`--backend claude`), or put `--` before a command"
        )
    return words


def _common_options(asked: Asked) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if asked.cwd is not None:
        found["cwd"] = str((asked.here / Path(asked.cwd).expanduser()).resolve())
    if asked.env:
        found["env"] = pairs("--env", asked.env)
    if asked.model is not None:
        found["model"] = asked.model
    if asked.permission_mode is not None:
        found["permission_mode"] = asked.permission_mode
    return found


def pairs(option: str, given: Sequence[str], value: Callable[[str], Any] = str) -> dict[str, Any]:
    """`NAME=VALUE` texts as a dictionary. Raises click.UsageError."""
    found: dict[str, Any] = {}
    for text in given:
        name, separator, rest = text.partition("=")
        if not separator or not name:
            raise click.UsageError(f"{option} takes NAME=VALUE, not {text!r}")
        found[name] = value(rest)
    return found


def _json_or_text(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _limits(given: Sequence[str]) -> Limits:
    numbers: dict[str, Any] = pairs("--limit", given, _number)
    for name in numbers:
        if name not in Limits.__struct_fields__:
            found = difflib.get_close_matches(name, Limits.__struct_fields__, n=1)
            meant = f"; did you mean {found[0]}?" if found else f"; there are {', '.join(Limits.__struct_fields__)}"
            raise click.UsageError(f"there is no limit {name!r}{meant}")
    return _converted(numbers, Limits, "--limit")


def _number(text: str) -> float | int:
    try:
        value = float(text)
    except ValueError:
        raise click.UsageError(f"--limit takes a number behind `=`, not {text!r}") from None
    return int(value) if value == value // 1 else value


def _secret_name(text: str) -> str:
    if "=" in text:
        raise click.UsageError(
            "--secret takes a name only: a value typed here would be in the shell's history and in `ps`; "
            f"set {text.partition('=')[0]} in the environment, or leave it out to be asked"
        )
    return text


def _converted(value: Mapping[str, Any], kind: type[T], where: str) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise click.UsageError(f"{where}: {said(error)}") from None


def said(error: msgspec.ValidationError) -> str:
    """msgspec's message with the field in front: `` `wall_s`: expected `float` > 0.0 ``."""
    text, separator, path = str(error).partition(" - at ")
    field = path.replace("`", "").removeprefix("key in ").removeprefix("$").removeprefix(".")
    return f"`{field}`: {text[:1].lower()}{text[1:]}" if separator and field else text
