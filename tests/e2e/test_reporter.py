"""A program that reports while its server is killed, and one that is killed itself: every event once and in order."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from e2e.product import Product
from waiting import until

KILLS = 20
AT_A_TIME = 60

PROGRAM = """
import os, sys, agentrunner
with agentrunner.Reporter("numbers", options=agentrunner.ReporterOptions(flush_s=float(sys.argv[1]))) as reporter:
    print("begun", flush=True)
    for line in sys.stdin:
        if line.strip() == "raise":
            raise RuntimeError("as it was told")
        reporter.event("step", {"n": int(line)})
        print(line.strip(), flush=True)
"""

Reporting = subprocess.Popen[str]


@contextmanager
def reporting(product: Product, state: Path, flush_s: float = 20) -> Iterator[Reporting]:
    """A program of somebody's that reports each number it reads, and prints it once it has."""
    environment = {**product.environment, "XDG_STATE_HOME": str(state)}
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(flush_s)]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as made:
        try:
            assert read(made) == "begun"
            yield made
        finally:
            made.kill()


def read(program: Reporting) -> str:
    """The next line it prints."""
    assert program.stdout is not None
    return program.stdout.readline().strip()


def tell(program: Reporting, numbers: range) -> None:
    """Numbers to report; returns when all are said."""
    assert program.stdin is not None
    for number in numbers:
        program.stdin.write(f"{number}\n")
        program.stdin.flush()
        assert read(program) == str(number)


def finish(program: Reporting) -> int:
    """Let it come to its end."""
    assert program.stdin is not None
    program.stdin.close()
    return program.wait(40)


def steps(product: Product, run_id: int) -> list[int]:
    """The numbers that the server has, in its order."""
    return [event["payload"]["n"] for event in product.events(run_id) if event["type"] == "step"]


def only_run(product: Product) -> dict[str, Any]:
    """The one run that there is."""
    (run,) = product.get("/v1/runs")["items"]
    return dict(run)


def spools(state: Path) -> list[str]:
    """What is kept on disk."""
    root = state / "agentrunner" / "reports"
    return os.listdir(root) if root.exists() else []


def has_at_least(product: Product, count: int) -> Callable[[], bool]:
    """Whether the server has so many events of the first run."""
    return lambda: (
        (found := product.try_ask("GET", "/v1/runs/1")) is not None and found.json().get("last_seq", 0) >= count
    )


@pytest.mark.timeout(120)
def test_a_server_killed_twenty_times_gets_every_event_once_in_order(fresh: Product, tmp_path: Path) -> None:
    """While events are said, between them, and with requests under way."""
    fresh.start("server")
    with reporting(fresh, tmp_path) as program:
        for kill in range(KILLS):
            first = kill * AT_A_TIME
            tell(program, range(first, first + AT_A_TIME // 2))
            server = until(lambda: fresh.part("server"), 20)
            assert server is not None
            # Every second time the server has something of this round, so that kills hit it at work too.
            if kill % 2:
                until(has_at_least(fresh, first), 20)
            server.kill()
            tell(program, range(first + AT_A_TIME // 2, first + AT_A_TIME))
            fresh.start("server")
        assert finish(program) == 0, program.stderr and program.stderr.read()
    run = only_run(fresh)
    assert steps(fresh, run["id"]) == list(range(KILLS * AT_A_TIME))
    assert (run["status"], run["last_seq"]) == ("COMPLETED", KILLS * AT_A_TIME + 2)
    assert spools(tmp_path) == []


def test_a_reporter_that_dies_first_is_delivered_by_the_next(fresh: Product, tmp_path: Path) -> None:
    """Killed while no server was there: all it said arrives with the next reporter, and that it died."""
    with reporting(fresh, tmp_path) as dying:
        tell(dying, range(50))
        dying.kill()
        dying.wait(10)
    assert len(spools(tmp_path)) == 1
    fresh.start("server")
    with reporting(fresh, tmp_path) as following:
        tell(following, range(3))
        until(lambda: len(spools(tmp_path)) == 1, 20)
        assert finish(following) == 0
    runs = {run["status"]: run for run in fresh.get("/v1/runs")["items"]}
    assert steps(fresh, runs["FAILED"]["id"]) == list(range(50))
    assert f"pid {dying.pid}" in runs["FAILED"]["message"]
    assert steps(fresh, runs["COMPLETED"]["id"]) == list(range(3))
    assert spools(tmp_path) == []


def test_a_reporter_that_dies_first_is_delivered_by_flush(fresh: Product, tmp_path: Path) -> None:
    """Once, however often it is asked for; a torn last line is nothing."""
    with reporting(fresh, tmp_path) as dying:
        tell(dying, range(20))
        dying.kill()
        dying.wait(10)
    (spool,) = (tmp_path / "agentrunner" / "reports").iterdir()
    with (spool / "1.events").open("ab") as torn:
        torn.write(b'{"type":"step","payload":{"n":20')
    fresh.environment["XDG_STATE_HOME"] = str(tmp_path)
    away = fresh.command("report", "--flush")
    assert (away.returncode, len(spools(tmp_path))) == (3, 1), away
    fresh.start("server")
    fresh.get("/ready")
    done = fresh.command("report", "--flush")
    assert (done.returncode, spools(tmp_path)) == (0, []), done
    assert "run 1" in done.stdout
    assert fresh.command("report", "--flush").returncode == 0
    assert steps(fresh, only_run(fresh)["id"]) == list(range(20))
    assert fresh.types(1)[-1] == "run.error"


def test_an_exception_ends_the_run_as_it_ended(fresh: Product, tmp_path: Path) -> None:
    """With message and traceback; the program dies of it as it would have."""
    fresh.start("server")
    with reporting(fresh, tmp_path) as program:
        tell(program, range(2))
        assert program.stdin is not None
        program.stdin.write("raise\n")
        assert finish(program) == 1
    run = only_run(fresh)
    assert (run["status"], run["message"]) == ("FAILED", "RuntimeError: as it was told")
    assert "as it was told" in fresh.events(run["id"])[-1]["payload"]["traceback"]


def test_without_a_server_the_program_ends_in_its_time(fresh: Product, tmp_path: Path) -> None:
    """It is held up by no more than it allows, and what it said is kept."""
    with reporting(fresh, tmp_path, flush_s=0.2) as program:
        tell(program, range(5))
        assert finish(program) == 0
        assert program.stderr is not None
        assert "Traceback" not in program.stderr.read()
    assert len(spools(tmp_path)) == 1


UNCAUGHT = """
import agentrunner
reporter = agentrunner.Reporter("uncaught")
reporter.log("on my way")
raise LookupError("nobody catches this")
"""


def test_an_exception_that_ends_the_program_ends_its_run(fresh: Product, tmp_path: Path) -> None:
    """Also without a `with` block; what was said before is flushed at exit."""
    fresh.start("server")
    fresh.get("/ready")
    environment = {**fresh.environment, "XDG_STATE_HOME": str(tmp_path)}
    command = [sys.executable, "-W", "error", "-c", UNCAUGHT]
    assert subprocess.run(command, env=environment, capture_output=True, timeout=30).returncode == 1
    run = only_run(fresh)
    assert (run["status"], run["message"]) == ("FAILED", "LookupError: nobody catches this")
    assert fresh.types(run["id"]) == ["run.created", "log", "run.error"]
    assert spools(tmp_path) == []
