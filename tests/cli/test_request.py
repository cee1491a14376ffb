"""What the options of `run` ask for."""

from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from agentrunner.cli.request import Asked, build
from agentrunner.domain.run import Limits, NewRun
from agentrunner.domain.state import OnLost


def built(*words: str, **given: Any) -> NewRun:
    """The request of these words and options, with a secret and a goal at hand."""
    return build(Asked(words=words, **given), lambda name: f"value of {name}", lambda: "goal from stdin")


def test_words_are_a_command() -> None:
    """As they are: no shell, no quoting."""
    new = built("sh", "-c", "echo $HOME | wc", is_marked=True)
    assert (new.backend, new.goal, new.options) == ("command", "", {"argv": ["sh", "-c", "echo $HOME | wc"]})


def test_words_are_a_goal_for_every_other_backend() -> None:
    """Joined; `-` is standard input."""
    assert built("Fix", "it", backend="claude").goal == "Fix it"
    assert built("-", backend="claude").goal == "goal from stdin"


def test_a_scenario_needs_no_backend() -> None:
    """The words behind it are its goal."""
    new = built("say", "hi", scenario="- say: hi")
    assert (new.backend, new.goal, new.options) == ("script", "say hi", {"scenario": "- say: hi"})


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({"replay": 12}, {"run": 12}),
        ({"replay": 12, "speed": "10"}, {"run": 12, "speed": 10}),
        ({"replay": 12, "speed": "0.5"}, {"run": 12, "speed": 0.5}),
        ({"replay": 12, "speed": "max", "options": ["attempt=2"]}, {"run": 12, "speed": "max", "attempt": 2}),
        ({"backend": "replay", "options": ["run=12"]}, {"run": 12}),
    ],
)
def test_a_replay_needs_no_backend(given: dict[str, Any], options: dict[str, Any]) -> None:
    """Which run, and how fast."""
    new = built(**given)
    assert (new.backend, new.goal, new.options) == ("replay", "", options)


@pytest.mark.parametrize(
    ("words", "given", "says"),
    [
        (("x",), {"replay": 12}, "takes no command"),
        ((), {"replay": 12, "scenario": "- exit: 0"}, "takes no command"),
        ((), {"speed": "4"}, "say which run is replayed"),
        ((), {"backend": "replay"}, "say which run is replayed"),
        (("x",), {"backend": "command", "replay": 12}, "for backend replay, not command"),
    ],
)
def test_a_replay_that_makes_no_sense(words: tuple[str, ...], given: dict[str, Any], says: str) -> None:
    """Refused with what to write instead."""
    with pytest.raises(click.UsageError, match=says):
        built(*words, **given)


def test_everything_that_can_be_asked_for() -> None:
    """Each option arrives where the API wants it."""
    new = built(
        "x",
        title="T",
        project="p",
        agent="a",
        model="m",
        cwd="sub/..",
        here=Path("/tmp"),
        permission_mode="bypass",
        priority=5,
        on_lost="retry",
        tries=3,
        backoff_s=1.5,
        env=["A=1", "B=x=y"],
        secrets=["KEY"],
        limits=["wall_s=60", "cpu=0.5", "memory_mb=512"],
        labels=["team=core"],
        options=["stdin=pipe", "max_turns=3", 'list=["a"]'],
    )
    assert msgspec.structs.asdict(new) == msgspec.structs.asdict(
        NewRun(
            backend="command",
            title="T",
            project="p",
            agent="a",
            options={
                "argv": ["x"], "cwd": "/tmp", "env": {"A": "1", "B": "x=y"}, "model": "m",
                "permission_mode": "bypass", "stdin": "pipe", "max_turns": 3, "list": ["a"],
            },
            limits=Limits(wall_s=60, cpu=0.5, memory_mb=512),
            priority=5,
            labels={"team": "core"},
            on_lost=OnLost.RETRY,
            retry=msgspec.convert({"attempts": 3, "backoff_s": 1.5}, type(new.retry)),
            secrets={"KEY": "value of KEY"},
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "given", "hint"),
    [
        ([], {}, "nothing to run"),
        (["Fix the bug"], {}, "reads like a goal"),
        (["x"], {"backend": "claude", "scenario": "- say: hi"}, "--script is for"),
        ([" "], {"backend": "claude"}, "say what claude shall do"),
        (["x"], {"limits": ["wall=1"]}, "did you mean wall_s"),
        (["x"], {"limits": ["wall_s"]}, "NAME=VALUE"),
        (["x"], {"limits": ["wall_s=nan"]}, "`wall_s`: expected"),
        (["x"], {"limits": ["wall_s=inf"]}, "`wall_s`: expected"),
        (["x"], {"limits": ["wall_s=0"]}, "--limit"),
        (["x"], {"limits": ["pids=1.5"]}, "--limit"),
        (["x"], {"labels": ["=x"]}, "NAME=VALUE"),
        (["x"], {"labels": ["a b=x"]}, "`labels`: expected"),
        (["x"], {"secrets": ["A=b"]}, "name only"),
        (["x"], {"secrets": ["a-b"]}, "run: "),
        (["x"], {"tries": 0}, "--retry"),
        (["x"], {"priority": 5000}, "priority"),
        (["x"], {"backend": "No Such"}, "run: "),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], given: dict[str, Any], hint: str) -> None:
    """Before the server is asked, saying what to write instead."""
    with pytest.raises(click.UsageError) as caught:
        built(*words, **given)
    assert hint in caught.value.format_message()


def test_a_command_with_a_space_in_its_name_is_possible() -> None:
    """Behind `--` one word is meant as it is."""
    assert built("my program", is_marked=True).options == {"argv": ["my program"]}
