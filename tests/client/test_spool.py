"""A spool keeps what was appended in order, whatever is torn, lost or full; one at a time has it."""

import os
import random
from pathlib import Path

import pytest

from agentrunner.client import spool
from agentrunner.client.spool import Head, Lock, Note, Reader, Writer

HEAD = Head(producer="p", server_url="", data_dir="/d", pid=1, key="k", is_owner=True, run={"backend": "external"})
ROOM = 1 << 30


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A new spool that nobody has."""
    path, lock = spool.make(tmp_path, HEAD)
    lock.release()
    return path


def all_lines(reader: Reader) -> list[bytes]:
    """Everything there is to send, noted as delivered."""
    found = []
    while (batch := reader.batch()) is not None:
        found += batch.lines
        reader.advance(batch, is_ended=False)
    return found


def test_what_is_written_is_read_in_order_over_files(made: Path) -> None:
    """Also while it is written; files that are delivered are removed."""
    writer, reader = Writer(made, ROOM), Reader(made)
    line, found = b"x" * 100_000, []
    for _ in range(3):
        assert all(writer.append(b"%d" % number + line) for number in range(50))
        found += all_lines(reader)
    writer.close()
    assert [int(each.split(b"x")[0]) for each in found] == [*range(50)] * 3
    assert len(list(made.glob("*.events"))) == 1
    assert reader.note.segment > 2


@pytest.mark.parametrize("torn", [b"x", b'{"type":', b"y" * 5000])
def test_a_torn_tail_is_nothing(made: Path, torn: bytes) -> None:
    """Of the last file it waits for its end of line; of an earlier one nobody will write that."""
    writer, reader = Writer(made, ROOM), Reader(made)
    writer.append(b"one")
    writer.close()
    with (made / "1.events").open("ab") as file:
        file.write(torn)
    assert all_lines(reader) == [b"one"]
    (made / "2.events").write_bytes(b"two\n")
    assert all_lines(Reader(made)) == [b"two"]


@pytest.mark.parametrize("seed", range(20))
def test_notes_may_be_torn_anywhere(made: Path, seed: int) -> None:
    """The last whole one counts: at most something is sent again, nothing is left out."""
    chance = random.Random(seed)
    writer = Writer(made, ROOM)
    for number in range(30):
        writer.append(b"%d" % number)
    writer.close()
    found: list[bytes] = []
    sent = made / "sent"
    while True:
        reader = Reader(made)
        batch = reader.batch()
        if batch is None:
            break
        kept = batch.lines[: chance.randint(1, 5)]
        offset = batch.offset - sum(len(line) + 1 for line in batch.lines[len(kept) :])
        reader.advance(spool.Batch(kept, batch.segment, offset), is_ended=False)
        found += kept
        if chance.random() < 0.3:
            os.truncate(sent, max(0, sent.stat().st_size - chance.randint(1, 4)))
            with sent.open("ab") as file:
                file.write(b"[")
    assert list(dict.fromkeys(found)) == [b"%d" % number for number in range(30)]


def test_notes_do_not_grow_for_ever(made: Path) -> None:
    """Their file begins anew, and says the same."""
    writer, reader = Writer(made, ROOM), Reader(made)
    for number in range(6000):
        writer.append(b"%d" % number)
        reader.created(7)
        reader.advance(reader.batch() or pytest.fail("nothing there"), is_ended=number == 5)
    writer.close()
    assert (made / "sent").stat().st_size < 200_000
    assert Reader(made).note == Note(run_id=7, segment=1, offset=writer.written, is_ended=True)


def test_room_is_bounded_and_comes_back(made: Path) -> None:
    """What has no room is refused, but for what has a reserve; delivered bytes make room again."""
    writer = Writer(made, 100)
    assert [writer.append(b"x" * 39) for _ in range(3)] == [True, True, False]
    assert writer.append(b"x" * 39, reserve=50)
    writer.delivered = writer.written
    assert writer.append(b"x" * 39)
    writer.close()
    assert not writer.append(b"x")


def test_one_at_a_time_has_a_spool(tmp_path: Path) -> None:
    """Whoever made it, until that lets go; a removed one is nobody's."""
    path, lock = spool.make(tmp_path, HEAD)
    assert Lock.take(path) is None
    assert list(spool.abandoned(tmp_path)) == []
    lock.release()
    ((found, taken),) = spool.abandoned(tmp_path)
    assert found == path
    assert Lock.take(path) is None
    spool.remove(path)
    taken.release()
    assert Lock.take(path) is None


def test_a_directory_of_spools_is_closed_to_others(tmp_path: Path) -> None:
    """Mode 0700, also where it was open; its files are 0600."""
    root = tmp_path / "a" / "b"
    root.mkdir(parents=True, mode=0o755)
    path, lock = spool.make(spool.root_of(root), HEAD)
    lock.release()
    assert root.stat().st_mode & 0o777 == 0o700
    Writer(path, ROOM).close()
    assert {each.stat().st_mode & 0o777 for each in path.iterdir()} == {0o600}


def test_an_unfinished_spool_is_left_alone_while_it_is_young(tmp_path: Path) -> None:
    """It may be being made; an old one is of somebody who died over it."""
    for name, age in ((".young.new", 0), (".old.new", 10_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lock").touch()
        moment = (tmp_path / name).stat().st_mtime - age
        os.utime(tmp_path / name, (moment, moment))
    assert list(spool.abandoned(tmp_path)) == []
    assert [each.name for each in tmp_path.iterdir()] == [".young.new"]
