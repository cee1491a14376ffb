"""A database that was damaged while nobody looked: refused with advice, or whole, or said to be cut; never silent."""

import asyncio
import random
import shlex
import shutil
import sqlite3
import struct
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import structlog

from agentrunner.domain.errors import ConfigurationError
from agentrunner.store import meta, wal
from agentrunner.store.sqlite import SqliteDatabase
from store.given import keys

CASES = 200
ROWS = 60
FRAME = 24 + 4096


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three files that a server leaves that is killed: most rows in the database, the last ones in the log."""
    directory = tmp_path_factory.mktemp("killed")

    async def make() -> None:
        database = SqliteDatabase(directory / "made.db")
        await database.start()
        for number in range(ROWS):
            if number == ROWS // 2:
                await database.stop()
                await database.start()
            await database.write(meta.put_once, f"row/{number:03}", f"{number:03}" * 400)
        for suffix in ("", "-wal", "-shm"):
            shutil.copy(directory / f"made.db{suffix}", directory / f"test.db{suffix}")
        await database.stop()

    asyncio.run(make())
    return directory / "test.db"


def copied(killed: Path, to: Path, suffixes: tuple[str, ...] = ("", "-wal", "-shm")) -> Path:
    """The same files again, to be damaged."""
    for suffix in suffixes:
        shutil.copy(f"{killed}{suffix}", to / f"test.db{suffix}")
    return to / "test.db"


def opened(path: Path) -> tuple[str, int]:
    """What the product says of a database, and how many rows are there then."""

    async def look() -> tuple[str, int]:
        database = SqliteDatabase(path)
        try:
            await database.start()
        except ConfigurationError as error:
            has_advice = "`" in str(error) or "move it away" in str(error)
            return "refused" if has_advice and str(path) in str(error) else f"refused without advice: {error}", 0
        found = [key for key in await database.read(keys) if key.startswith("row/")]
        await database.stop()
        return "opened", len(found)

    with structlog.testing.capture_logs() as said:
        answer, count = asyncio.run(look())
    return ("reported" if said and answer == "opened" else answer), count


def values(path: Path) -> list[str]:
    """The rows, as they are stored."""
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("SELECT value FROM meta WHERE key LIKE 'row/%' ORDER BY key")]
    finally:
        connection.close()


def test_what_a_killed_server_leaves_is_whole(killed: Path, tmp_path: Path) -> None:
    """Nothing is dropped, with the log's index or without it."""
    for suffixes in (("", "-wal", "-shm"), ("", "-wal")):
        path = copied(killed, tmp_path, suffixes)
        state = wal.examine(path)
        assert state.sound > ROWS // 2
        assert (state.dropped, state.is_damaged, state.size) == (0, False, path.with_name("test.db-wal").stat().st_size)
        assert opened(path) == ("opened", ROWS)


def test_random_damage_is_never_silent(killed: Path, tmp_path: Path) -> None:
    """Bytes are flipped and files cut off, with a seed: where not every row is there, somebody is told.

    The log has sums, so what is read from it is as it was written. A database file has none: text that is changed
    within a row is as SQLite finds it, and `docs/operations.md` says so.
    """
    seen: Counter[str] = Counter()
    silent: list[str] = []
    for seed in range(CASES):
        chance = random.Random(seed)
        path = copied(killed, tmp_path)
        file = tmp_path / chance.choice(["test.db", "test.db-wal"])
        what = damage(file, chance)
        answer, count = opened(path)
        seen[answer] += 1
        if answer == "opened" and count != ROWS:
            silent.append(f"seed {seed}: {what} leaves {count} of {ROWS} rows")
        if answer != "refused" and file.name == "test.db-wal":
            assert values(path) == [f"{number:03}" * 400 for number in range(count)], f"seed {seed}: {what}"
        for left in tmp_path.glob("test.db*"):
            left.unlink()
    assert silent == []
    assert seen.keys() <= {"refused", "opened", "reported"}, seen
    assert seen["refused"] > CASES // 10, seen
    assert seen["opened"] > 0, seen


def damage(file: Path, chance: random.Random) -> str:
    """Flip some bytes, or cut the end off."""
    data = bytearray(file.read_bytes())
    if chance.random() < 0.5:
        del data[chance.randrange(1, len(data)) :]
        what = f"{file.name} cut to {len(data)} bytes"
    else:
        # Anywhere is mostly where no row is; the first bytes of pages hold what finds the others.
        places = [chance.randrange(len(data)) for _ in range(4)]
        places += [chance.randrange(len(data) // 4096) * 4096 + chance.randrange(100) for _ in range(2)]
        for place in places:
            data[min(place, len(data) - 1)] ^= chance.randrange(1, 256)
        what = f"{file.name} flipped at {places}"
    file.write_bytes(data)
    return what


def test_every_flip_in_a_synced_log_is_refused(killed: Path, tmp_path: Path) -> None:
    """Without the index too, unless it is in the last commit: that one might never have been told of."""
    data = Path(f"{killed}-wal").read_bytes()
    frames = (len(data) - 32) // FRAME
    for number in range(0, frames - 4, 5):
        path = copied(killed, tmp_path, ("", "-wal"))
        broken = bytearray(data)
        broken[32 + number * FRAME + 1000] ^= 1
        path.with_name("test.db-wal").write_bytes(broken)
        state = wal.examine(path)
        assert state.is_damaged, number
        assert state.sound <= number
        assert opened(path) == ("refused", 0)


def test_a_cut_last_commit_is_undone_and_said(killed: Path, tmp_path: Path) -> None:
    """As a power cut leaves it: opened, reported, and not reported again."""
    path = copied(killed, tmp_path, ("", "-wal"))
    log = path.with_name("test.db-wal")
    data = bytearray(log.read_bytes())
    data[-1] ^= 1
    log.write_bytes(data)
    assert opened(path) == ("reported", ROWS - 1)
    assert opened(path) == ("opened", ROWS - 1)


def test_a_log_that_lost_its_end_is_told_by_its_index(killed: Path, tmp_path: Path) -> None:
    """At the border of a commit nothing in the log itself says that more was there."""
    path = copied(killed, tmp_path)
    log = path.with_name("test.db-wal")
    ends = commit_ends(log.read_bytes())
    log.write_bytes(log.read_bytes()[: ends[-3]])
    assert wal.examine(path).dropped == 0
    assert wal.examine(path).is_damaged
    assert opened(path) == ("refused", 0)


def commit_ends(data: bytes) -> list[int]:
    """Where commits end in a log."""
    starts = range(32, len(data), FRAME)
    return [start + FRAME for start in starts if struct.unpack_from(">I", data, start + 4)[0]]


def test_the_advice_works(killed: Path, tmp_path: Path) -> None:
    """The command that goes on with the sound part does: a prefix of the rows is there, each as it was."""
    path = copied(killed, tmp_path)
    log = path.with_name("test.db-wal")
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(data)
    advice = wal.advice(log, wal.examine(path))
    command = next(part for part in advice.split("`") if shlex.quote(str(log)) in part)
    subprocess.run(command, shell=True, check=True, timeout=10)  # noqa: S602 - it is written for a shell
    answer, count = opened(path)
    assert answer == "opened"
    assert ROWS // 2 <= count < ROWS
    assert values(path) == [f"{number:03}" * 400 for number in range(count)]
    assert log.with_name("test.db-wal.damaged").read_bytes() == data


def test_with_normal_a_damaged_log_is_only_said(killed: Path, tmp_path: Path) -> None:
    """There a power cut may take any of the last commits, and that was accepted."""
    path = copied(killed, tmp_path, ("", "-wal"))
    log = path.with_name("test.db-wal")
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(data)

    async def start() -> None:
        database = SqliteDatabase(path, "normal")
        await database.start()
        await database.stop()

    with structlog.testing.capture_logs() as said:
        asyncio.run(start())
    assert [line["log_level"] for line in said] == ["warning"]
