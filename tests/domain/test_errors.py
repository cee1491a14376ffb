"""The tree of errors: stable codes, a status each, and the drawing at the top."""

import http
import re
from collections.abc import Iterator

import pytest

from agentrunner.domain import errors
from agentrunner.domain.errors import AgentRunnerError

BRANCH = re.compile(r"^( *)(\w+) +(?:(\w+)(?: (\d+))?)?")


def classes(root: type[AgentRunnerError] = AgentRunnerError) -> Iterator[type[AgentRunnerError]]:
    """The classes of the tree that stand in its module."""
    if root.__module__ == errors.__name__:
        yield root
    for child in root.__subclasses__():
        yield from classes(child)


ALL = list(classes())


def test_codes_are_unique() -> None:
    """A client can tell every error by its code."""
    codes = [error.code for error in ALL]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)
    assert all("code" in vars(error) for error in ALL), "an inherited code is no code"


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.code)
def test_status_and_message(error: type[AgentRunnerError]) -> None:
    """Each is a real error status, and each says something by itself."""
    assert http.HTTPStatus(error.status) >= 400
    raised = error()
    assert raised.detail == (error.__doc__ or "").strip()
    assert str(raised) == raised.detail
    assert len(raised.detail) > 15
    assert raised.detail.endswith(".") or ";" in raised.detail


def test_detail_and_extra_are_kept() -> None:
    """What a use case says goes out, with its fields."""
    error = errors.InvalidTransition("Run 7 is FAILED.", current="FAILED")
    assert (error.detail, error.extra, error.status) == ("Run 7 is FAILED.", {"current": "FAILED"}, 409)


def test_the_drawing_is_the_tree() -> None:
    """The docstring of the module names every class below its parent."""
    drawn: list[tuple[str, str | None]] = []
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines()[2:]:
        if match := BRANCH.match(line):
            del path[len(match[1]) // 2 :]
            path.append(match[2])
            drawn.append((match[2], path[-2] if len(path) > 1 else None))
    tree = [(error.__name__, error.__mro__[1].__name__ if error is not AgentRunnerError else None) for error in ALL]
    assert sorted(drawn, key=str) == sorted(tree, key=str)


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.code)
def test_the_drawing_has_the_codes(error: type[AgentRunnerError]) -> None:
    """Code and status beside a name are the class's own."""
    line = next(text for text in (errors.__doc__ or "").splitlines() if text.split()[:1] == [error.__name__])
    words = line.split()
    if error is errors.BackendError:
        return
    assert words[1] == error.code
    if len(words) > 2 and words[2].isdigit():
        assert int(words[2]) == error.status


def test_options_that_cannot_work_are_the_clients_fault() -> None:
    """A create with bad options is no failure of the server."""
    assert errors.BadOptions.status == 422
