"""Checking a run's options: one table of rules per backend, and messages that say what to write instead."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agentrunner.domain.errors import BadOptions

MAX_ARGUMENT_BYTES = 131_071
"""One argument or environment entry, as Linux limits it (MAX_ARG_STRLEN, 32 pages, with the closing NUL)."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Rule:
    """What an option must be: a test, and the words that end the sentence "`options.x` must be …"."""

    accepts: Callable[[Any], bool]
    must_be: str


def check_options(backend: str, options: Mapping[str, Any], rules: Mapping[str, Rule]) -> None:
    """Raise BadOptions for an option that `backend` does not know (naming the nearest) or whose value does not fit."""
    check_fields(options, {**COMMON, **rules}, "options", f"backend {backend!r}")


def check_fields(values: Mapping[str, Any], rules: Mapping[str, Rule], where: str, owner: str) -> None:
    """The same for any object; `where` is its path in the run, `owner` whose fields they are."""
    for name, value in values.items():
        if name not in rules:
            known = ", ".join(sorted(rules))
            raise BadOptions(f"`{where}.{name}` is unknown to {owner}{nearest(name, rules)} It takes: {known}.")
        if not rules[name].accepts(value):
            raise BadOptions(f"`{where}.{name}` must be {rules[name].must_be}; it is {kind_of(value)}.")


def require(values: Mapping[str, Any], name: str, rule: Rule, where: str = "options") -> None:
    """Raise BadOptions where `name` is missing."""
    if name not in values:
        raise BadOptions(f"`{where}.{name}` is missing: it must be {rule.must_be}.")


def nearest(name: str, known: Iterable[str]) -> str:
    """How a sentence about an unknown `name` ends: `; did you mean 'model'?` where one of `known` looks like it."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {found[0]!r}?" if found else "."


def kind_of(value: Any) -> str:
    """What a value is, without showing it: it may be a secret in the wrong place."""
    words: dict[type, str] = {bool: "a boolean", str: "a text", list: "a list", dict: "an object", type(None): "null"}
    if isinstance(value, str) and not value:
        return "empty"
    return words.get(type(value), "a number" if isinstance(value, int | float) else f"a {type(value).__name__}")


def is_argument(value: Any) -> bool:
    """True for a text that the system can pass to a program: encodable, without NUL, at most 128 KiB."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        return len(value.encode()) <= MAX_ARGUMENT_BYTES
    except UnicodeEncodeError:
        return False


def text(must_be: str, max_length: int = 10_000) -> Rule:
    """A text of 1 to `max_length` characters that can be an argument."""
    return Rule(lambda value: is_argument(value) and 0 < len(value) <= max_length, must_be)


def one_of(*choices: str) -> Rule:
    """One of a few words."""
    return Rule(lambda value: value in choices, " or ".join(repr(choice) for choice in choices))


def whole(low: int, high: int) -> Rule:
    """A whole number within bounds."""
    return Rule(lambda value: type(value) is int and low <= value <= high, f"a whole number from {low} to {high}")


def number(low: float, high: float) -> Rule:
    """A number within bounds."""
    return Rule(
        lambda value: type(value) in (int, float) and low <= value <= high, f"a number from {low:.12g} to {high:.12g}"
    )


def switch() -> Rule:
    """True or false."""
    return Rule(lambda value: isinstance(value, bool), "true or false")


def words(must_be: str, high: int = 1000) -> Rule:
    """A list of up to `high` non-empty texts, each of which can be an argument."""
    return Rule(lambda value: is_arguments(value, high) and all(value), must_be)


def is_arguments(value: Any, high: int) -> bool:
    """True for a list of up to `high` texts that the system can pass to a program."""
    return isinstance(value, list) and len(value) <= high and all(is_argument(item) for item in value)


def _is_environment(value: Any) -> bool:
    if not isinstance(value, dict) or len(value) > 1000:
        return False
    return all(
        isinstance(name, str) and _VARIABLE.fullmatch(name) and isinstance(item, str) and is_argument(f"{name}={item}")
        for name, item in value.items()
    )


COMMON: dict[str, Rule] = {
    "env": Rule(_is_environment, 'an object of variable names and texts, such as {"LANG": "C.UTF-8", "DEBUG": "1"}'),
    "cwd": text("a directory, absolute or relative to the project's", 4096),
    "model": text("the name of a model", 200),
    "permission_mode": one_of("ask", "bypass"),
}
"""What every backend takes. The worker applies `env` and `cwd`; the others mean what the backend makes of them."""
