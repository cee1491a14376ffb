"""The verdict rules that every backend shares."""

import pytest

from agentrunner.agents.base import Ending, Verdict
from agentrunner.agents.command import PlainParser
from agentrunner.agents.verdict import judge_exit

ENDINGS = [
    (Ending(0, None), "COMPLETED", None, None),
    (Ending(3, None), "FAILED", "exit_nonzero", "The program exited with code 3."),
    (Ending(None, 9), "FAILED", "signal", "The program was killed by SIGKILL."),
    (Ending(None, 62), "FAILED", "signal", "The program was killed by signal 62."),
    (Ending(None, None), "FAILED", "shim_lost", "Nobody saw how the program ended."),
    (Ending(None, None, spawn_error="no such file"), "FAILED", "spawn_error", "could not be started: no such file"),
    (Ending(None, 15, stopped=True), "STOPPED", "stopped_by_user", None),
    (Ending(0, None, stopped=True), "STOPPED", "stopped_by_user", None),
    (Ending(None, 9, stopped=True, limit="wall_s"), "STOPPED", "stopped_by_user", None),
    (Ending(None, 9, limit="wall_s"), "FAILED", "wall_timeout", "The limit `wall_s` ended the run."),
    (Ending(None, 9, limit="idle_s"), "FAILED", "idle_timeout", "idle_s"),
    (Ending(None, 9, limit="start_s"), "FAILED", "start_timeout", "start_s"),
    (Ending(None, 9, limit="memory_mb"), "FAILED", "oom_killed", "memory_mb"),
    (Ending(None, 9, limit="output_mb"), "FAILED", "limit_exceeded", "output_mb"),
    (Ending(None, 9, limit="pids"), "FAILED", "limit_exceeded", "pids"),
    (Ending(None, 9, limit="deadline"), "FAILED", "worker_lost", "deadline"),
]


@pytest.mark.parametrize(("ending", "status", "reason", "said"), ENDINGS)
def test_every_ending(ending: Ending, status: str, reason: str | None, said: str | None) -> None:
    """One line per way to end."""
    verdict = judge_exit(ending)
    assert (verdict.status, verdict.reason) == (status, reason)
    assert verdict.message == said if said is None else said in (verdict.message or "")


def test_plain_programs_are_judged_by_it() -> None:
    """Backends command and script add nothing."""
    assert PlainParser().verdict(Ending(2, None)) == judge_exit(Ending(2, None))
    assert judge_exit(Ending(0, None)) == Verdict("COMPLETED")
