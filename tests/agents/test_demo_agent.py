"""The simulation's program, as a process of its own."""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agentrunner.agents.demo import DemoBackend
from agentrunner.agents.demo_agent import MOST_SHOWN, STEPS
from agents.given import assignment
from waiting import until

KINDS = ["agent.thinking", "plan.generated", "executing"]


def command(goal: str = "", **options: Any) -> tuple[list[str], dict[str, str]]:
    """What the backend would execute, and with which variables beside those of the test."""
    made = DemoBackend().command(assignment("demo", goal, **{"seconds": 0.01, **options}), {}, Path("/"))
    return list(made.argv), {**os.environ, **made.env}


def play(goal: str = "", said: bytes | None = None, variables: dict[str, str] | None = None, **options: Any) -> Any:
    """Run it to its end; `said` is all of its stdin."""
    argv, env = command(goal, **options)
    source: dict[str, Any] = {"stdin": subprocess.DEVNULL} if said is None else {"input": said}
    return subprocess.run(
        argv, env={**env, **(variables or {})}, capture_output=True, timeout=20, check=False, **source
    )


@contextmanager
def playing(**options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run it in the background, with pipes to it and from it."""
    argv, env = command(**options)
    process = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def lines(output: bytes) -> list[dict[str, str]]:
    """What it said."""
    return [json.loads(line) for line in output.splitlines()]


def test_it_thinks_plans_and_executes_nothing() -> None:
    """One line a step, in order, about the goal, each saying that it is a simulation."""
    ended = play("Say hello")
    said = lines(ended.stdout)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert [line["type"] for line in said] == KINDS
    assert all(line.keys() == {"type", "message"} and line["message"].startswith("Simulation:") for line in said)
    assert [("Say hello" in line["message"]) for line in said] == [True, True, False]


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8", "xx_XX.ISO-8859-1"])
def test_a_goal_is_read_alike_under_every_locale(locale: str) -> None:
    """It is UTF-8, whatever the worker's host believes of text."""
    ended = play("Sag „grüß Gott“ 🙂", variables={"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    assert ended.returncode == 0
    assert "Sag „grüß Gott“ 🙂" in lines(ended.stdout)[0]["message"]


@pytest.mark.parametrize("goal", ["x" * 1_000_000, "é" * 100_000, "🙂" * MOST_SHOWN * 4])
def test_a_long_goal_is_shortened_and_not_lost(goal: str) -> None:
    """A timeline needs no more of it, and one that is too long for a variable is no missing one."""
    said = lines(play(goal).stdout)
    shown = goal[: MOST_SHOWN - 1] + "…"
    assert said[0]["message"].endswith(shown)
    assert [line["type"] for line in said] == KINDS


def test_no_goal_is_said() -> None:
    """As none, and it thinks all the same."""
    assert lines(play().stdout)[0]["message"].endswith("about the goal: none")


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_is_to_fail(step: str) -> None:
    """What comes before it is shown; then exit code 1, saying that it was asked for."""
    ended = play(fail=step)
    assert ended.returncode == 1
    assert [line["type"] for line in lines(ended.stdout)] == KINDS[: STEPS.index(step)]
    assert ended.stderr.decode() == f"Simulation: {step} failed, as the option `fail` asked.\n"


def test_a_directive_is_answered_at_once() -> None:
    """Not when the step is over."""
    with playing(seconds=3600) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"go left\nthen ri")
        assert select.select([process.stdout], [], [], 10)[0]
        [first] = lines(process.stdout.readline())
        assert (first["type"], "'go left'" in first["message"]) == ("message", True)
        process.stdin.write(b"ght\n")
        assert "'then right'" in lines(process.stdout.readline())[0]["message"]
        assert process.poll() is None


def test_directives_of_every_kind() -> None:
    """Blank ones are none; invalid bytes and a last one without an end are read; none is too long to be answered."""
    said = b"one\n\n   \n\xff two\n" + b"x" * 3_000_000 + b"\nlast"
    answers = [line["message"] for line in lines(play(said=said).stdout) if line["type"] == "message"]
    assert "'one'" in answers[0]
    assert "\N{REPLACEMENT CHARACTER} two" in answers[1]
    assert all("xxx" in answer for answer in answers[2:-1])
    assert "'last'" in answers[-1]
    assert max(map(len, answers)) < MOST_SHOWN + 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_asked_to(number: int) -> None:
    """In the middle of a step, by the first signal."""
    with playing(seconds=3600) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"are you there\n")
        assert process.stdout.readline()
        process.send_signal(number)
        assert process.wait(10) == -number


def test_frozen_time_does_not_count() -> None:
    """A step goes on where it was: after a freeze as long as the step, most of it is still to come."""
    with playing(seconds=0.8) as process:
        assert process.stdout is not None
        process.send_signal(signal.SIGSTOP)
        thawed_at = time.monotonic() + 0.9
        until(lambda: time.monotonic() > thawed_at)
        process.send_signal(signal.SIGCONT)
        assert select.select([process.stdout], [], [], 0.3)[0] == []
        assert lines(process.stdout.readline())[0]["type"] == KINDS[0]
