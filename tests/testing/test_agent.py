"""Scripted agents for users' own tests."""

import subprocess
from pathlib import Path

import pytest

from agentrunner.agents.scenario import STEPS, compile_scenario
from agentrunner.agents.script import ScriptBackend
from agentrunner.domain.errors import BadOptions
from agentrunner.testing import ScriptedAgent


def every_step() -> ScriptedAgent:
    """An agent that does everything once."""
    agent = ScriptedAgent().emit("tea", repeat=2).wait(0.001).write("f", "x").read("got ").flood(10, line=5)
    agent = agent.ledger("book", lines=1).ignore("TERM").spawn(lifetime=0, quiet=True).setsid().close("stderr")
    return agent.exit(3).crash("KILL")


def test_it_can_say_every_step() -> None:
    """What the backend knows, the builder knows."""
    assert {word for word, _ in compile_scenario(every_step().scenario)} == set(STEPS)
    ScriptBackend().check("", every_step().options())


def test_it_runs_as_a_command_of_its_own(tmp_path: Path) -> None:
    """Its scenario in a file, stdin free."""
    argv = every_step().argv(tmp_path / "scenario.json")
    done = subprocess.run(argv, input=b"milk\n", capture_output=True, cwd=tmp_path, timeout=20, check=False)
    assert done.stdout.split(b"\n")[:3] == [b"tea", b"tea", b"got milk"]
    assert done.returncode == 3


def test_mistakes_are_said_when_it_is_used() -> None:
    """In the words of the backend."""
    with pytest.raises(BadOptions, match=r"did you mean 'emit'\?"):
        ScriptedAgent().step("emti", text="x").options()
