"""Backend `command`."""

from pathlib import Path
from typing import Any

import pytest

from agentrunner.agents.command import MAX_GOAL_BYTES, CommandBackend
from agentrunner.domain.errors import BadOptions
from agents.given import assignment, lines_of, payload

BACKEND = CommandBackend()


def test_argv_is_taken_as_it_is() -> None:
    """No shell, no stdin, a pipe, the goal in the environment."""
    command = BACKEND.command(assignment("command", "make tea", argv=["echo", "", "$HOME"]), {}, Path("/"))
    assert (command.argv, command.stdio, command.stdin) == (("echo", "", "$HOME"), "pipe", "null")
    assert command.env == {"AGENTRUNNER_GOAL": "make tea"}


def test_streams_are_chosen() -> None:
    """`stdio` and `stdin` reach the shim."""
    command = BACKEND.command(assignment("command", argv=["cat"], stdio="file", stdin="pipe"), {}, Path("/"))
    assert (command.stdio, command.stdin, command.env) == ("file", "pipe", {})


@pytest.mark.parametrize("goal", ["", "x" * (MAX_GOAL_BYTES + 1), "with\0nul"])
def test_a_goal_that_does_not_fit_is_left_out(goal: str) -> None:
    """The program is started all the same."""
    assert BACKEND.command(assignment("command", goal, argv=["true"]), {}, Path("/")).env == {}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "`options.argv` is missing: it must be a list of texts, the program first, such as"),
        ({"argv": "make test"}, "`options.argv` must be a list of texts"),
        ({"argv": []}, "`options.argv` must be a list"),
        ({"argv": ["", "x"]}, "`options.argv` must be a list"),
        ({"argv": ["echo", 1]}, "`options.argv` must be a list"),
        ({"argv": ["echo", "a\0b"]}, "`options.argv` must be a list"),
        ({"argv": ["echo"], "stdin": "tty"}, "`options.stdin` must be 'null' or 'pipe'"),
        ({"argv": ["echo"], "arg": 1}, "did you mean 'argv'?"),
    ],
)
def test_what_can_never_start_is_refused(options: dict[str, Any], said: str) -> None:
    """At create, in words to act on."""
    with pytest.raises(BadOptions) as caught:
        BACKEND.check("", options)
    assert said in caught.value.detail


def test_output_is_kept_line_by_line() -> None:
    """And the parser remembers nothing."""
    parser = BACKEND.parser(None, None)
    (event,) = parser.feed("out", lines_of(b"a\n\xff\n"))
    assert payload(event)["lines"] == ["a", "\\xff"]
    assert parser.state("out") is None
    assert BACKEND.find({}).available
