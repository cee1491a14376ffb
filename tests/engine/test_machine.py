"""Random lives beside a model, on both databases; and planted bugs, to show that the machine can fail."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from agentrunner.store.base import Database
from agentrunner.store.postgres import PostgresDatabase
from agentrunner.store.sqlite import SqliteDatabase
from engine.machine import EngineMachine
from engine.world import TABLES

SOURCES = Path(__file__).resolve().parents[2] / "src"
TESTS = Path(__file__).resolve().parents[1]
EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "0"))
"""More of them, with another seed each time, for a long search."""


@asynccontextmanager
async def sqlite() -> AsyncIterator[Database]:
    """A new file. What a power cut would lose is not the question here."""
    with tempfile.TemporaryDirectory() as directory:
        database = SqliteDatabase(Path(directory) / "machine.db", durability="normal")
        await database.start()
        try:
            yield database
        finally:
            await database.stop()


def postgres(url: str) -> Callable[[], AbstractAsyncContextManager[Database]]:
    """The same database, emptied."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Database]:
        database = PostgresDatabase(url, durability="normal", connections=2)
        await database.start()
        try:
            connection = await asyncpg.connect(url)
            await connection.execute(f"TRUNCATE {', '.join(TABLES)} RESTART IDENTITY CASCADE")
            await connection.close()
            yield database
        finally:
            await database.stop()

    return opened


def live(
    opener: Callable[[], AbstractAsyncContextManager[Database]], examples: int, phases: tuple[Phase, ...] = tuple(Phase)
) -> None:
    """Let the machine run. Without MACHINE_EXAMPLES the examples are the same each time."""

    class Machine(EngineMachine):
        pass

    Machine.opener = staticmethod(opener)
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Machine,
        settings=settings(
            max_examples=EXAMPLES or examples,
            stateful_step_count=40,
            deadline=None,
            derandomize=not EXAMPLES,
            database=None,
            phases=phases,
            report_multiple_bugs=False,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(300)
def test_random_lives_on_sqlite() -> None:
    """Whatever happens in whatever order, the engine does what the model does, and everything stays true."""
    live(sqlite, 180)


@pytest.mark.postgres
@pytest.mark.timeout(300)
def test_random_lives_on_postgres(postgres_url: str) -> None:
    """The same there."""
    live(postgres(postgres_url), 35)


class Bug(NamedTuple):
    """A mistake in one line of the engine: what it is, where, the right text and the wrong one."""

    what: str
    file: str
    right: str
    wrong: str


BUGS = [
    Bug(
        "a wrong row lets a stopped run be claimed",
        "domain/state.py",
        "    (Status.QUEUED, Cause.STOPPED): Status.STOPPED,",
        "    (Status.QUEUED, Cause.STOPPED): Status.QUEUED,",
    ),
    Bug(
        "a wrong row makes a failure a completion",
        "domain/state.py",
        "    (Status.RUNNING, Cause.FAILED): Status.FAILED,",
        "    (Status.RUNNING, Cause.FAILED): Status.COMPLETED,",
    ),
    Bug(
        "a wrong row revives what has failed",
        "domain/state.py",
        "    (Status.PAUSED, Cause.FAILED): Status.FAILED,",
        "    (Status.PAUSED, Cause.FAILED): Status.QUEUED,",
    ),
    Bug(
        "late parts change the status",
        "engine/events.py",
        "        if request.late:\n            for event",
        "        if False:\n            for event",
    ),
    Bug(
        "an outcome is taken with unequal sizes",
        "engine/events.py",
        "if request.outcome.sizes != offsets:",
        "if request.outcome.sizes.journal != offsets.journal:",
    ),
    Bug(
        "a repeated part is stored again",
        "engine/events.py",
        "if part.end <= stored and part.start < part.end:",
        "if part.end < stored and part.start < part.end:",
    ),
    Bug(
        "a stale epoch may record",
        "engine/events.py",
        "(request.late or request.epoch != run.epoch)",
        "(request.late or request.epoch > run.epoch)",
    ),
    Bug(
        "registering raises no epoch of runs",
        "engine/workers.py",
        "    change.set(epoch=change.run.epoch + 1)",
        "    change.set(epoch=change.run.epoch)",
    ),
    Bug(
        "a repeated claim takes new runs",
        "engine/workers.py",
        "repeated.claim_id == request.claim_id:",
        "repeated.claim_id != request.claim_id:",
    ),
    Bug(
        "a lost run leaves its attempt open",
        "engine/schedule.py",
        "    await attempts.end(tx, run.id, run.attempt, change.now, (_LOST_STATUS[cause], reason, None))\n",
        "",
    ),
    Bug(
        "counters forget paused runs",
        "engine/change.py",
        "if run.status in ACTIVE and",
        'if run.status == "RUNNING" and',
    ),
    Bug(
        "a roll-up forgets what was in it",
        "store/rollups.py",
        "await put(tx, key, known.plus(more))",
        "await put(tx, key, more)",
    ),
    Bug(
        "an event is numbered twice over",
        "engine/change.py",
        "        self._last_seq += 1\n",
        "        self._last_seq += 2 if self._events else 1\n",
    ),
]


def run_with(sources: Path, examples: int) -> "subprocess.CompletedProcess[str]":
    """The machine on SQLite in a process of its own, over these sources."""
    code = f"""
import agentrunner
assert agentrunner.__file__.startswith({str(sources)!r}), agentrunner.__file__
from hypothesis import Phase
from engine.test_machine import live, sqlite
live(sqlite, {examples}, (Phase.generate,))
"""
    environment = {**os.environ, "PYTHONPATH": f"{sources}{os.pathsep}{TESTS}", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("MACHINE_EXAMPLES", None)
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=240, check=False
    )


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the sources."""
    shutil.copytree(SOURCES / "agentrunner", tmp_path / "agentrunner", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.timeout(300)
def test_the_copy_lives(copied: Path) -> None:
    """Without a planted bug the other process ends well: what fails below fails for the bug."""
    done = run_with(copied, 50)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.what)
def test_planted_bugs_are_found(copied: Path, bug: Bug) -> None:
    """The machine fails, and by an assertion or a refusal, not for want of an import."""
    path = copied / "agentrunner" / bug.file
    text = path.read_text()
    assert text.count(bug.right) == 1, "the line to break is not there any more: plant the bug anew"
    path.write_text(text.replace(bug.right, bug.wrong))
    done = run_with(copied, 150)
    assert done.returncode == 1, done.stderr[-3000:]
    assert "state = Machine()" in done.stderr, done.stderr[-3000:]
