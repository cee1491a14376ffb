"""Backend `script`."""

import json
from pathlib import Path

import pytest

from agentrunner.agents.script import ScriptBackend
from agentrunner.domain.errors import BadOptions
from agents.given import assignment

BACKEND = ScriptBackend()


def test_the_scenario_goes_in_by_stdin() -> None:
    """Not by the command line; the goal's lines follow."""
    command = BACKEND.command(assignment("script", "a\nb", scenario="- emit: tea"), {}, Path("/"))
    assert (command.stdin, command.stdio) == ("prompt", "pipe")
    first, *goal = (command.prompt or "").split("\n")
    assert (json.loads(first), goal) == ([["emit", {"text": "tea"}]], ["a", "b"])
    assert "tea" not in " ".join(command.argv)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "`options.scenario` is missing: it must be a list of steps, as YAML text or as data."),
        ({"scenario": 5}, "`options.scenario` must be a list of steps"),
        ({"scenario": [{"sleep": "x"}]}, "`options.scenario[0].sleep.seconds` must be"),
        ({"scenario": ["setsid"], "stdoi": "file"}, "did you mean 'stdio'?"),
    ],
)
def test_scenarios_are_checked_before_they_run(options: dict[str, object], said: str) -> None:
    """At create."""
    with pytest.raises(BadOptions) as caught:
        BACKEND.check("", options)
    assert said in caught.value.detail


def test_it_needs_nothing_but_this_python() -> None:
    """So `doctor` always finds it."""
    found = BACKEND.find({})
    assert found.available
    assert Path(found.program or "").exists()
