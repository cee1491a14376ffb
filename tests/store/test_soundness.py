"""What `db check` finds, on the engine's own rows and with each thing broken once."""

import sqlite3
from pathlib import Path

import pytest

from agentrunner.domain.check import Check
from agentrunner.domain.event import new_event
from agentrunner.domain.state import Reason, Status
from agentrunner.engine import events
from agentrunner.store import files, retention, soundness
from agentrunner.store.base import Tx
from agentrunner.store.sqlite import SqliteDatabase
from engine.world import Clock, World, begin, open_services, settings_of
from store.test_files import spoil


@pytest.fixture
async def path(sqlite_path: Path, tmp_path: Path) -> Path:
    """A database with runs in every kind of state."""
    database = SqliteDatabase(sqlite_path)
    await database.start()
    clock = Clock()
    world = World(open_services(database, settings_of(tmp_path), clock), clock)
    await database.write(begin, clock())
    for number in range(6):
        await world.create(agent="claude" if number % 2 else None)
    outside = await world.create(backend="external")
    await events.ingest(world.s, outside.id, [new_event("note", {"n": number}) for number in range(5)])
    host = await world.register()
    first, second, third = await host.claim(slots=3)
    await first.fact("run.started", pid=1)
    await second.fact("run.started", pid=2)
    await second.end(Status.COMPLETED)
    await third.end(Status.FAILED, Reason.SPAWN_ERROR)
    await database.stop()
    return sqlite_path


def found(path: Path, full: bool = True) -> dict[str, Check]:
    """Every check by name."""
    connection = files.open_readonly(path)
    try:
        return {check.name: check for check in soundness.checks(connection, path, full, lambda _: None)}
    finally:
        connection.close()


def change(path: Path, *statements: str) -> None:
    """Break something."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize("full", [False, True])
async def test_a_sound_database(path: Path, full: bool) -> None:
    """Everything is in order, a line each."""
    checks = found(path, full)
    assert list(checks) == ["file", "schema", "references", "counters", "timelines", "write-ahead log"]
    assert {check.status for check in checks.values()} == {"ok"}
    assert "7 runs" in checks["counters"].detail


@pytest.mark.parametrize(
    ("statement", "name", "detail"),
    [
        ("DELETE FROM runs WHERE id = 3", "references", "attempts"),
        ("UPDATE counts SET n = n + 1 WHERE name = 'active'", "counters", "active says 2, there are 1"),
        ("DELETE FROM counts WHERE name = 'status/QUEUED'", "counters", "status/QUEUED says 0, there are 3"),
        ("DELETE FROM events WHERE run_id = 7 AND seq = 3", "timelines", "run 7"),
        ("DELETE FROM events WHERE run_id = 7 AND seq = 6", "timelines", "run 7"),
        ("UPDATE runs SET last_seq = last_seq - 1 WHERE id = 7", "timelines", "run 7"),
        ("DROP TABLE schema_versions", "schema", "not a database of Agent Runner"),
        ("INSERT INTO schema_versions (version) VALUES (999)", "schema", "version 999"),
    ],
)
async def test_what_is_wrong_is_found(path: Path, statement: str, name: str, detail: str) -> None:
    """In a sample too, where there are few runs; each with advice."""
    change(path, "PRAGMA foreign_keys = OFF", statement)
    for full in (False, True):
        check = found(path, full)[name]
        assert (check.status, bool(check.advice)) == ("fail", True)
        assert detail in check.detail


async def test_events_of_no_run_are_found_when_all_are_read(path: Path) -> None:
    """A sample begins with the runs that are there."""
    change(path, "UPDATE events SET run_id = 99 WHERE run_id = 7")
    assert "run 99, which is not there" in found(path)["timelines"].detail


async def test_an_older_schema_is_no_fault(path: Path) -> None:
    """The next start brings it up to date."""
    change(path, "DELETE FROM schema_versions")
    check = found(path)["schema"]
    assert check.status == "warn"
    assert "`agentrunner up`" in str(check.advice)


async def test_a_damaged_page_is_found(path: Path) -> None:
    """And nothing is concluded from what is read through it."""
    spoil(path, page=3)
    checks = found(path)
    assert list(checks) == ["file"]
    assert checks["file"].status == "fail"
    assert "db restore" in str(checks["file"].advice)


async def test_a_timeline_cut_by_its_retention_is_whole(path: Path) -> None:
    """Of a run that had ended before the instant up to which timelines are cut; of any other run events are missing."""
    database = SqliteDatabase(path)
    await database.start()

    async def cut(tx: Tx) -> int:
        row = await tx.one("SELECT id, last_seq, ended_at FROM runs WHERE status = 'COMPLETED'")
        assert row is not None
        assert await retention.delete_events(tx, row[0], row[1], 500) > 0
        return int(row[2])

    ended_at = await database.write(cut)
    await database.write(retention.note_pruned, ended_at)
    assert found(path)["timelines"].status == "fail"
    await database.write(retention.note_pruned, ended_at + 1)
    assert found(path)["timelines"].status == "ok"
    await database.stop()
