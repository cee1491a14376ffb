"""Scenarios of the script backend: YAML or plain data, checked in full before a run is created.

A scenario is a list of steps; a step is a word, or an object with that one word as its key:

| step | value, or its fields |
|---|---|
| `emit` | text; or `text` or `lines`, `repeat`, `every` (seconds between), `stream` (stdout, stderr), `numbered` |
| `sleep` | seconds |
| `write` | `path`, `text`, `append` |
| `spawn` | count; or `count`, `double_fork`, `setsid`, `ignore` (signals), `lifetime`, `pids` (a file), `quiet` |
| `setsid` | nothing: the program leaves its session |
| `ignore` | a signal's name or a list of them |
| `flood` | bytes; or `bytes`, `line` (bytes a line with its newline, 0: no newline at all), `stream` |
| `close` | `stdout`, `stderr` or a list of them |
| `crash` | a signal's name or an exit code, at once and without cleaning up |
| `exit` | the exit code; 0 |
| `read` | a prefix: reads a line of stdin and emits it behind the prefix |
| `ledger` | `path`, `lines`, `every`, `width`: numbered lines to stdout and then, each by one write, to the file |
"""

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from agentrunner.agents.options import Rule, check_fields, is_argument, kind_of, nearest, number, one_of, switch, whole
from agentrunner.domain.errors import BadOptions

MAX_TEXT_BYTES = 1024 * 1024
MAX_STEPS = 10_000
WHERE = "options.scenario"
_DAY = 86_400
_YEAR = 365 * _DAY


@dataclass(frozen=True, slots=True)
class Step:
    """The fields a step takes; `short` is the field a bare value stands for; one of `needs` must be given."""

    rules: Mapping[str, Rule]
    short: str | None = None
    needs: tuple[str, ...] = ()


def _is_signals(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return bool(names) and all(isinstance(name, str) and _signal(name) is not None for name in names)


def _is_streams(value: Any) -> bool:
    return bool(value) and all(name in ("stdout", "stderr") for name in (value if isinstance(value, list) else [value]))


def _is_lines(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= MAX_STEPS and all(isinstance(item, str) for item in value)


_TEXT = Rule(lambda value: isinstance(value, str), "a text (put numbers, dates and booleans in quotes)")
_PATH = Rule(lambda value: is_argument(value) and bool(value), "a path, absolute or relative to the run's directory")
_SECONDS = number(0, _YEAR)
_STREAM = one_of("stdout", "stderr")
_SIGNALS = Rule(_is_signals, "a signal's name such as TERM, or a list of them")

STEPS: dict[str, Step] = {
    "emit": Step(
        {
            "text": _TEXT,
            "lines": Rule(_is_lines, "a list of texts (put numbers, dates and booleans in quotes)"),
            "repeat": whole(1, 1_000_000_000),
            "every": _SECONDS,
            "stream": _STREAM,
            "numbered": switch(),
        },
        short="text",
        needs=("text", "lines"),
    ),
    "sleep": Step({"seconds": _SECONDS}, short="seconds", needs=("seconds",)),
    "write": Step({"path": _PATH, "text": _TEXT, "append": switch()}, needs=("path",)),
    "spawn": Step(
        {
            "count": whole(1, 1000),
            "double_fork": switch(),
            "setsid": switch(),
            "ignore": _SIGNALS,
            "lifetime": _SECONDS,
            "pids": _PATH,
            "quiet": switch(),
        },
        short="count",
    ),
    "setsid": Step({}),
    "ignore": Step({"signals": _SIGNALS}, short="signals", needs=("signals",)),
    "flood": Step(
        {"bytes": whole(1, 1 << 40), "line": whole(0, 1 << 30), "stream": _STREAM}, short="bytes", needs=("bytes",)
    ),
    "close": Step(
        {"streams": Rule(_is_streams, "'stdout', 'stderr' or a list of them")}, short="streams", needs=("streams",)
    ),
    "crash": Step({"signal": _SIGNALS, "exit": whole(0, 255)}, needs=("signal", "exit")),
    "exit": Step({"code": whole(0, 255)}, short="code"),
    "read": Step({"prefix": _TEXT}, short="prefix"),
    "ledger": Step(
        {"path": _PATH, "lines": whole(1, 1_000_000_000), "every": _SECONDS, "width": whole(0, 1 << 20)},
        needs=("path",),
    ),
}


def compile_scenario(scenario: Any) -> list[list[Any]]:
    """The steps as `[word, fields]`, as the script program reads them; raises BadOptions naming the step at fault."""
    steps = _parse(scenario) if isinstance(scenario, str) else scenario
    if not isinstance(steps, list) or not steps or len(steps) > MAX_STEPS:
        raise BadOptions(f"`{WHERE}` must be a list of 1 to {MAX_STEPS} steps, such as [{{emit: hello}}, {{exit: 0}}].")
    return [_compile(step, f"{WHERE}[{index}]") for index, step in enumerate(steps)]


class _Loader(yaml.SafeLoader):
    """Plain data without aliases: a few nested aliases would unfold into gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """As the base class, refusing aliases."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not allowed here")
        return super().compose_node(parent, index)


def _parse(text: str) -> Any:
    if len(text) > MAX_TEXT_BYTES:
        raise BadOptions(f"`{WHERE}` must be at most {MAX_TEXT_BYTES} characters.")
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadOptions(f"`{WHERE}` is not valid YAML: {error}") from error


def _compile(step: Any, where: str) -> list[Any]:
    word, value = _split(step, where)
    if word not in STEPS:
        raise BadOptions(f"`{where}`: there is no step {word!r}{nearest(word, STEPS)} Steps: {', '.join(STEPS)}.")
    fields = _fields(word, value, where)
    path = f"{where}.{word}"
    check_fields(fields, STEPS[word].rules, path, f"step {word!r}")
    needs = STEPS[word].needs
    if needs and sum(name in fields for name in needs) != 1:
        raise BadOptions(f"`{path}` needs {' or '.join(f'`{name}`' for name in needs)}.")
    return [word, {name: _plain(name, item) for name, item in fields.items()}]


def _split(step: Any, where: str) -> tuple[str, Any]:
    if isinstance(step, str):
        return step, None
    if isinstance(step, dict) and len(step) == 1:
        word, value = next(iter(step.items()))
        if isinstance(word, str):
            return word, value
    raise BadOptions(
        f"`{where}` must be a word or an object with one key, such as {{sleep: 1}}; it is {kind_of(step)}."
    )


def _fields(word: str, value: Any, where: str) -> dict[str, Any]:
    if isinstance(value, dict):
        if all(isinstance(name, str) for name in value):
            return value
        raise BadOptions(f"`{where}.{word}` has a key that is not a text.")
    if value is None:
        return {}
    if word == "crash":
        return {"signal" if isinstance(value, str) else "exit": value}
    short = STEPS[word].short
    if short is None:
        raise BadOptions(f"`{where}.{word}` must be an object; it is {kind_of(value)}.")
    return {short: value}


def _plain(name: str, value: Any) -> Any:
    """Signals as numbers, single names as lists."""
    if name in ("signals", "ignore", "signal"):
        return [_signal(item) for item in (value if isinstance(value, list) else [value])]
    if name == "streams" and isinstance(value, str):
        return [value]
    return value


def _signal(name: str) -> int | None:
    try:
        return signal.Signals[f"SIG{name.upper().removeprefix('SIG')}"].value
    except KeyError:
        return None
