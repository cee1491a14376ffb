"""Limits of time, alone and with a real agent: frozen time does not count."""

import time
from pathlib import Path
from typing import Any

import pytest

from agentrunner.process import resources
from agentrunner.process.limits import Clock, Deadline, Limits, enforceable
from process.given import Runs, fact, tell
from waiting import until


def test_a_stopped_clock_stands_still() -> None:
    """And goes on from where it stood."""
    clock = Clock()
    clock.stop()
    stood = clock.now()
    until(lambda: time.monotonic() > stood + 0.05)
    assert clock.now() == stood
    clock.go()
    assert clock.now() - stood < 0.04


def test_the_next_limit_is_the_one_that_is_hit_first() -> None:
    """Start counts until the first byte, idle from the last and not while a person is awaited."""
    limits = Limits({"wall_s": 100, "start_s": 5, "idle_s": 9}, Clock())
    assert limits.next() is None
    limits.begin()
    assert limits.next() is not None
    assert limits.next()[0] == "start_s"  # type: ignore[index]
    limits.note_output()
    assert limits.next()[0] == "idle_s"  # type: ignore[index]
    limits.hold_idle(True)
    assert limits.next()[0] == "wall_s"  # type: ignore[index]


def test_a_deadline_moves_later_only() -> None:
    """And waiting for it is bounded, because the host may sleep."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    deadline = Deadline(now + 100)
    deadline.move(now - 5)
    assert deadline.left() == 3.0
    passed, none = Deadline(now - 1), Deadline(None)
    none.move(now)
    assert (passed.left(), none.left()) == (0.0, None)


def test_enforceable_names_every_limit() -> None:
    """None where it is enforced, else why not: time and output always are, the others as the kernel lets."""
    found = enforceable()
    kept = set(resources.probe().bases)
    assert list(found) == ["wall_s", "idle_s", "start_s", "output_mb", *resources.LIMITS]
    assert {name for name, why in found.items() if why is None} == {"wall_s", "idle_s", "start_s", "output_mb"} | kept
    assert all(why is None or len(why) > 20 for why in found.values())


HITS: list[tuple[str, str, dict[str, Any]]] = [
    ("wall_s", "while :; do echo x; sleep 0.02; done", {"wall_s": 0.3}),
    ("start_s", "sleep 60", {"start_s": 0.3}),
    ("idle_s", "for i in 1 2 3 4; do echo x; sleep 0.1; done; sleep 60", {"idle_s": 0.3, "start_s": 5}),
    ("wall_s", "trap '' INT TERM; while :; do sleep 0.05; done", {"wall_s": 0.1}),
]


@pytest.mark.parametrize("stdio", ["pipe", "file"])
@pytest.mark.parametrize(("limit", "script", "fields"), HITS)
def test_a_limit_ends_the_run(runs: Runs, stdio: str, limit: str, script: str, fields: dict[str, Any]) -> None:
    """By name, in the journal and in the exit record."""
    directory, record = runs.run(["sh", "-c", script], stdio=stdio, **fields)
    assert record.limit == limit
    assert not record.stopped
    said = fact(directory, "limit").fields  # type: ignore[union-attr]
    assert (said["limit"], said["value"]) == (limit, fields[limit])
    assert fields[limit] <= said["used"] < fields[limit] + 3


def test_a_pause_does_not_count(runs: Runs) -> None:
    """Paused for longer than the limit, the run still ends by itself."""
    directory = runs.start(["sh", "-c", "sleep 0.2; exit 6"], wall_s=0.6)
    tell(directory, "pause", rev=1)
    paused = time.monotonic()
    until(lambda: time.monotonic() > paused + 0.8)
    assert directory.exit() is None
    tell(directory, "resume", rev=2)
    record = until(directory.exit)
    assert (record.limit, record.exit_code) == (None, 6)


def test_idle_time_is_held(runs: Runs) -> None:
    """While a person is awaited; afterwards it begins anew."""
    directory = runs.start(["sleep", "60"], idle_s=0.3)
    tell(directory, "idle", hold=True)
    held = time.monotonic()
    until(lambda: time.monotonic() > held + 0.5)
    assert directory.exit() is None
    tell(directory, "idle", hold=False)
    assert until(directory.exit).limit == "idle_s"


def test_a_deadline_kills_and_says_so(runs: Runs) -> None:
    """Moved on it lets the run live, passed it ends the tree at once."""
    now, wall_ms = time.clock_gettime(time.CLOCK_BOOTTIME), time.time() * 1000
    directory = runs.start(["sleep", "60"], deadline=now + 1.5, grace_s=30)
    tell(directory, "deadline", boottime=now + 2.0)
    record = until(directory.exit)
    assert (record.limit, record.signal, record.step) == ("deadline", 9, "kill")
    passed = fact(directory, "deadline")
    # The journal tells when, which no slowness of this test can blur; milliseconds are rounded down.
    assert passed is not None
    assert passed.ts >= wall_ms + 1990


def test_behind_its_deadline_nothing_is_executed(runs: Runs, tmp_path: Path) -> None:
    """A worker that stood still may ask for a start when its run is another host's already."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    _, record = runs.run(["touch", str(tmp_path / "executed")], deadline=now - 1)
    assert (record.limit, record.exit_code, record.signal, record.spawn_error) == ("deadline", None, None, None)
    assert not (tmp_path / "executed").exists()
