"""The database as files: checks, backups, and what a restore changes and what it refuses."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from agentrunner.app import db
from agentrunner.app.wiring import open_services as open_services_of
from agentrunner.config import Settings, load
from agentrunner.domain.errors import ConfigurationError
from agentrunner.process import holder
from agentrunner.store.sqlite import SqliteDatabase
from engine.world import Clock, World, begin, open_services


def silent(_: str) -> None:
    """Nobody reads progress."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data directory of this test's own."""
    return load({"AGENTRUNNER_DATA_DIR": str(tmp_path / "data")})


async def worked(settings: Settings, work: Callable[[World], object]) -> None:
    """A server was here: some work, and its end."""
    settings.data_path.mkdir(mode=0o700, exist_ok=True)
    database = SqliteDatabase(settings.data_path / db.NAME)
    await database.start()
    clock = Clock()
    world = World(open_services(database, settings, clock), clock)
    await database.write(begin, clock())
    await work(world)  # type: ignore[misc]
    await database.stop()


async def one_each(world: World) -> None:
    """A finished, an active and a queued run, and a secret."""
    for _ in range(3):
        await world.create(secrets={"NAME": "geheim"})
    host = await world.register()
    await (await host.take()).fact("run.started", pid=1)


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Rows of a database that nobody uses."""
    connection = sqlite3.connect(path)
    try:
        return list(connection.execute(sql))
    finally:
        connection.close()


@pytest.fixture
async def backed_up(settings: Settings, tmp_path: Path) -> Path:
    """A backup of a database with work in it."""
    await worked(settings, one_each)
    db.backup(settings, tmp_path / "backup.db", silent)
    return tmp_path / "backup.db"


def restored(settings: Settings, source: Path) -> db.Restored:
    """Restore from outside of any loop."""
    return db.restore(settings, source, silent)


def test_a_restore(settings: Settings, backed_up: Path) -> None:
    """The rows of the backup under a new instance; what was there is kept, and nothing else is left."""
    path = settings.data_path / db.NAME
    query(path, "UPDATE runs SET title = 'after the backup'")
    before = path.read_bytes()
    done = restored(settings, backed_up)
    assert done.replaced is not None
    assert done.replaced.read_bytes() == before
    assert (done.ended, done.held, done.live, done.replaced_secrets) == (1, 2, [], None)
    assert [row[0] for row in query(path, "SELECT status FROM runs")] == ["FAILED", "QUEUED", "QUEUED"]
    assert query(path, "SELECT value FROM meta WHERE key = 'instance_id'") == [(done.instance_id,)]
    assert query(backed_up, "SELECT value FROM meta WHERE key = 'instance_id'") == [("instance",)]
    assert {check.status for check in db.check(settings, True, silent)} == {"ok"}
    names = {entry.name for entry in settings.data_path.iterdir()}
    assert names - {"secrets", "up.lock", "server.lock", f"{db.NAME}-wal", f"{db.NAME}-shm"} == {
        db.NAME,
        done.replaced.name,
    }
    assert path.stat().st_mode & 0o777 == 0o600


def test_restoring_twice_keeps_both(settings: Settings, backed_up: Path) -> None:
    """In the same second too."""
    first, second = restored(settings, backed_up), restored(settings, backed_up)
    assert first.instance_id != second.instance_id
    assert first.replaced != second.replaced
    assert len(list(settings.data_path.glob(f"{db.NAME}.replaced-*Z*"))) == 2


def test_secrets_of_another_instance_are_put_aside(settings: Settings, backed_up: Path) -> None:
    """Its runs have the same numbers: none of the backup's may be started with their secrets."""
    restored(settings, backed_up)
    (settings.data_path / "secrets").mkdir(exist_ok=True)
    done = restored(settings, backed_up)
    assert done.replaced_secrets is not None
    assert not (settings.data_path / "secrets").exists()


def test_a_damaged_database_is_replaced_and_kept(settings: Settings, backed_up: Path) -> None:
    """That is what backups are for."""
    path = settings.data_path / db.NAME
    path.write_bytes(b"gone" * 5000)
    checks = list(db.check(settings, False, silent))
    assert [(check.name, check.status) for check in checks] == [("file", "fail")]
    assert "db restore" in str(checks[0].advice)
    done = restored(settings, backed_up)
    assert done.replaced is not None
    assert done.replaced.read_bytes() == b"gone" * 5000
    assert {check.status for check in db.check(settings, True, silent)} == {"ok"}


def test_a_restore_where_nothing_was(settings: Settings, backed_up: Path, tmp_path: Path) -> None:
    """On another machine."""
    other = load({"AGENTRUNNER_DATA_DIR": str(tmp_path / "other")})
    done = restored(other, backed_up)
    assert (done.replaced, done.replaced_secrets, done.ended) == (None, None, 1)
    assert other.data_path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["server.lock", "up.lock"])
def test_a_used_data_directory_is_refused(settings: Settings, backed_up: Path, name: str) -> None:
    """And not a byte is changed; nor is it held any longer than it takes to say so."""
    path = settings.data_path / db.NAME
    before = path.read_bytes()
    lock = holder.take(settings.data_path / name)
    try:
        with pytest.raises(ConfigurationError, match="end `agentrunner up` there first"):
            restored(settings, backed_up)
    finally:
        os.close(lock)
    assert path.read_bytes() == before
    assert not holder.is_held(settings.data_path / "up.lock")


def test_what_is_no_backup_is_refused(settings: Settings, backed_up: Path, tmp_path: Path) -> None:
    """A missing file, a letter, the database itself, another program's; nothing is changed and nothing left."""
    path = settings.data_path / db.NAME
    before = path.read_bytes()
    letter = tmp_path / "letter"
    letter.write_text("dear friend, " * 1000)
    foreign = tmp_path / "foreign.db"
    query(foreign, "CREATE TABLE visits (url TEXT)")
    newer = tmp_path / "newer.db"
    newer.write_bytes(backed_up.read_bytes())
    connection = sqlite3.connect(newer)
    connection.execute("INSERT INTO schema_versions VALUES (999)")
    connection.commit()
    connection.close()
    for source, words in (
        (tmp_path / "none", "no database"),
        (letter, "cannot be copied"),
        (path, "database in use"),
        (foreign, "another program"),
        (newer, "has schema 999"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            restored(settings, source)
    assert path.read_bytes() == before
    assert list(settings.data_path.glob("*restoring*")) == []
    assert list(settings.data_path.glob("*replaced*")) == []


def test_postgresql_has_its_own_tools(tmp_path: Path) -> None:
    """Each verb names them."""
    settings = load({"AGENTRUNNER_DATA_DIR": str(tmp_path), "AGENTRUNNER_DATABASE_URL": "postgresql://x/y"})
    with pytest.raises(ConfigurationError, match="`pg_dump` backs it up"):
        list(db.check(settings, False, silent))
    with pytest.raises(ConfigurationError, match="`pg_dump` backs it up"):
        db.backup(settings, tmp_path / "b", silent)
    with pytest.raises(ConfigurationError, match="`pg_dump` backs it up"):
        restored(settings, tmp_path / "b")


async def test_an_emptied_database_is_refused_where_runs_were(settings: Settings) -> None:
    """It would become a new one without a word; where nothing ever ran, a killed first start left it."""
    settings.data_path.mkdir()
    path = settings.data_path / db.NAME
    path.touch()
    async with open_services_of(settings):
        pass
    path.unlink()
    path.touch()
    (settings.data_path / "runs" / "instance" / "uid").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="is empty, and runs were here"):
        async with open_services_of(settings):
            pass
