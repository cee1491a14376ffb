"""Copies of a database: of one moment, whole, and never instead of something else."""

import asyncio
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from agentrunner.domain.errors import ConfigurationError
from agentrunner.store import files, meta
from agentrunner.store.sqlite import SqliteDatabase
from store.given import put


def silent(_: str) -> None:
    """Nobody reads progress."""


def spoil(path: Path, page: int) -> None:
    """Write nonsense over a page."""
    data = bytearray(path.read_bytes())
    data[4096 * page : 4096 * (page + 1)] = b"\xff" * 4096
    path.write_bytes(data)


def rows(path: Path) -> list[str]:
    """The keys in a database."""
    connection = files.open_readonly(path, is_at_rest=True)
    try:
        return [row[0] for row in connection.execute("SELECT key FROM meta ORDER BY key")]
    finally:
        connection.close()


async def test_a_backup_while_a_server_writes(sqlite_database: SqliteDatabase, sqlite_path: Path) -> None:
    """What was acknowledged before it began is in it, in order, 0600, in one file."""
    for number in range(50):
        await sqlite_database.write(meta.put_once, f"{number:06}", "x" * 20_000)
    target = sqlite_path.with_name("copy.db")
    done = asyncio.create_task(asyncio.to_thread(files.backup, sqlite_path, target, silent))
    number = 50
    while not done.done():
        await sqlite_database.write(meta.put_once, f"{number:06}", "x")
        number += 1
    await done
    found = rows(target)
    assert found == [f"{n:06}" for n in range(len(found))]
    assert len(found) >= 50
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(path.name for path in target.parent.glob("*copy*")) == ["copy.db"]


async def test_nothing_is_overwritten(sqlite_database: SqliteDatabase, sqlite_path: Path) -> None:
    """Neither a file nor a link that leads to none; and nothing is left of the try."""
    target = sqlite_path.with_name("copy.db")
    target.write_text("precious")
    link = sqlite_path.with_name("link.db")
    link.symlink_to("nowhere")
    for name in (target, link):
        with pytest.raises(ConfigurationError, match="is there already"):
            files.backup(sqlite_path, name, silent)
    assert target.read_text() == "precious"
    assert not sqlite_path.with_name("nowhere").exists()
    assert list(sqlite_path.parent.glob(".*")) == []


def test_a_disk_without_hard_links(tmp_path: Path) -> None:
    """The name is taken first, so nothing is overwritten there either."""
    new, target = tmp_path / "new", tmp_path / "target"
    new.write_text("new")
    files.rename_unless_there(new, target)
    assert target.read_text() == "new"
    new.write_text("newer")
    with pytest.raises(FileExistsError):
        files.rename_unless_there(new, target)
    assert (target.read_text(), new.read_text()) == ("new", "newer")


async def test_where_nothing_can_be_written(sqlite_database: SqliteDatabase, sqlite_path: Path) -> None:
    """A sentence, whatever the kernel says."""
    with pytest.raises(ConfigurationError, match="cannot be written: No such file"):
        files.backup(sqlite_path, sqlite_path.parent / "missing" / "copy.db", silent)
    with pytest.raises(ConfigurationError, match="There is no database"):
        files.backup(sqlite_path.with_name("none.db"), sqlite_path.with_name("copy.db"), silent)
    assert not sqlite_path.with_name("copy.db").exists()


async def test_a_damaged_database_makes_no_backup(sqlite_path: Path) -> None:
    """A copy that cannot be restored is worse than none."""
    database = SqliteDatabase(sqlite_path)
    await database.start()
    for number in range(50):
        await database.write(put, f"{number}" * 100)
    await database.stop()
    spoil(sqlite_path, page=2)
    target = sqlite_path.with_name("copy.db")
    with pytest.raises(ConfigurationError, match=r"damaged|cannot be copied"):
        files.backup(sqlite_path, target, silent)
    assert list(sqlite_path.parent.glob("*copy*")) == []


def made(path: Path, key: str) -> Path:
    """A small database in WAL mode."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE meta (key TEXT)")
    connection.execute("INSERT INTO meta VALUES (?)", (key,))
    connection.close()
    return path


def test_a_replaced_database_keeps_its_log(tmp_path: Path) -> None:
    """What a killed server left in the log goes with the replaced file, and never into the new one."""
    path, aside = made(tmp_path / "a.db", "old"), tmp_path / "aside.db"
    program = "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
    program += "c.execute(\"INSERT INTO meta VALUES ('in the log')\"); os._exit(0)"
    assert os.spawnlp(os.P_WAIT, "python3", "python3", "-c", program, str(path)) == 0
    assert path.with_name("a.db-wal").stat().st_size > 0
    files.replace(made(tmp_path / "new.db", "new"), path, aside)
    assert rows(path) == ["new"]
    assert rows(aside) == ["in the log", "old"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.db", "aside.db"]


def test_a_replaced_database_that_cannot_be_opened(tmp_path: Path) -> None:
    """It is kept as it was, with what lies beside it."""
    path, aside = tmp_path / "a.db", tmp_path / "aside.db"
    path.write_bytes(b"no database" * 1000)
    path.with_name("a.db-wal").write_bytes(b"no log")
    files.replace(made(tmp_path / "new.db", "new"), path, aside)
    assert rows(path) == ["new"]
    assert aside.read_bytes() == b"no database" * 1000
    assert aside.with_name("aside.db-wal").read_bytes() == b"no log"
