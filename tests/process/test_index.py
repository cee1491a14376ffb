"""The index, written: whole entries, given back with the output that they are of, and kept behind a full disk."""

import os
from pathlib import Path

from agentrunner.process.index import ENTRY, Index

BLOCK_ENTRIES = 12288 // ENTRY.size


def entries(path: Path) -> list[tuple[int, int]]:
    """Stream and end of each entry."""
    return [(stream, end) for stream, end, _ in ENTRY.iter_unpack(path.read_bytes())]


def test_recorded_entries_are_given_back(tmp_path: Path) -> None:
    """Whole blocks whose entries are all of recorded output, of both streams; what follows stays as it is."""
    directory = os.open(tmp_path, os.O_RDONLY)
    index = Index(directory)
    for number in range(2 * BLOCK_ENTRIES):
        index.add(number % 2, number + 1)
    before = index.used()
    index.punch({0: 2 * BLOCK_ENTRIES, 1: 10})
    assert index.used() == before
    index.punch({0: BLOCK_ENTRIES + 5, 1: BLOCK_ENTRIES + 5})
    assert index.used() == before - 12288
    assert (tmp_path / "idx").stat().st_blocks * 512 <= before - 12288
    found = entries(tmp_path / "idx")
    assert set(found[:BLOCK_ENTRIES]) == {(0, 0)}
    assert found[BLOCK_ENTRIES:] == [(n % 2, n + 1) for n in range(BLOCK_ENTRIES, 2 * BLOCK_ENTRIES)]
    os.close(directory)


def test_a_full_disk_keeps_the_newest_entry_of_each_stream(tmp_path: Path) -> None:
    """It stands for those before it, so that little has to be remembered; all is written once there is room."""
    directory = os.open(tmp_path, os.O_RDONLY)
    (tmp_path / "idx").symlink_to("/dev/full")
    index = Index(directory)
    for end in (1, 2, 3):
        index.add(0, end)
        index.add(1, end * 10)
    assert index.is_behind
    (tmp_path / "idx").unlink()
    room = os.open(tmp_path / "idx", os.O_RDWR | os.O_CREAT)
    os.dup2(room, index._file)
    index.flush()
    assert not index.is_behind
    assert entries(tmp_path / "idx") == [(0, 3), (1, 30)]
    for descriptor in (directory, room):
        os.close(descriptor)
