"""What a route is: the hot ones are raw ASGI beside the framework, and still in the OpenAPI document."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from litestar.di import NamedDependency
from litestar.params import PathParameter, SkipValidation

from agentrunner.api.call import Call
from agentrunner.api.context import Context
from agentrunner.api.query import MAX_ID
from agentrunner.domain.token import Scope

Given = NamedDependency[SkipValidation[Context]]
"""How a framework route is given the context."""
RunId = Annotated[int, PathParameter(ge=1, le=MAX_ID, description="The id of a run.")]


@dataclass(frozen=True, slots=True)
class Raw:
    """A route served without the framework. `path` may contain `{run_id}`; its text is handed over unchecked.

    Parameters of other names are possible, several too; their texts are joined by slashes, and only behind the first
    one, and not behind `{run_id}`, may a text contain slashes itself.

    `bodies` and `answers` (by content type, by status), `header` (name, description, schema) and `parameter` (the
    schema of `{run_id}` where it is not a run's number) are for the OpenAPI document only, as is whether a body
    `may_be_empty`.
    """

    method: str
    path: str
    scope: Scope | None
    serve: Callable[[Context, Call, str], Awaitable[None]]
    summary: str
    query: type[Any] | None = None
    bodies: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[int, Any] = field(default_factory=dict)
    answer_type: str = "application/json"
    header: Mapping[str, Any] | None = None
    parameter: Mapping[str, Any] | None = None
    may_be_empty: bool = False


class Table:
    """Finds the raw route of a request: a few string comparisons, no framework."""

    def __init__(self, routes: Sequence[Raw]) -> None:
        self._exact: dict[str, dict[str, Raw]] = {}
        self._around: dict[str, dict[str, dict[str, Raw]]] = {}
        self._named = _by_pattern([route for route in routes if _is_named(route.path)])
        for route in routes:
            if _is_named(route.path):
                continue
            before, parameter, behind = route.path.partition("{run_id}")
            by_path = self._around.setdefault(before, {}) if parameter else self._exact
            by_path.setdefault(behind if parameter else before, {})[route.method] = route

    def find(self, path: str) -> tuple[dict[str, Raw], str]:
        """The routes at a path by method, and the id in it; empty where there are none."""
        if (found := self._exact.get(path)) is not None:
            return found, ""
        for before, by_rest in self._around.items():
            if path.startswith(before):
                text, slash, rest = path[len(before) :].partition("/")
                if text and (found := by_rest.get(slash + rest)) is not None:
                    return found, text
        for pattern, by_method in self._named:
            if match := pattern.fullmatch(path):
                return by_method, "/".join(match.groups())
        return {}, ""


def _is_named(path: str) -> bool:
    return path.count("{") > ("{run_id}" in path)


def _by_pattern(routes: Sequence[Raw]) -> list[tuple[re.Pattern[str], dict[str, Raw]]]:
    """Routes with named parameters by what their paths look like, the longest path first."""
    found: dict[str, dict[str, Raw]] = {}
    for route in sorted(routes, key=lambda each: each.path.count("/"), reverse=True):
        first, *others = re.split(r"\{\w+\}", route.path)
        behind = "([^/]+)" if "{run_id}" in route.path else "(.+)"
        text = re.escape(first) + "([^/]+)" + behind.join(map(re.escape, others))
        found.setdefault(text, {})[route.method] = route
    return [(re.compile(text), by_method) for text, by_method in found.items()]
