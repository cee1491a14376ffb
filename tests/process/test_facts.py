"""What a shim writes: facts in order, also behind a full disk, and files that are whole or not there."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.process import facts
from agentrunner.process.facts import Journal
from agentrunner.process.journal import read_facts

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_json_like_any_other(content: dict[str, object]) -> None:
    """The encoder and decoder of the shim agree with the library's."""
    assert json.loads(facts.encode(content)) == content
    assert facts.decode(json.dumps(content).encode()) == content


@pytest.mark.parametrize("data", [b"", b"x", b"[]", b"1", b"\xff", b'{"a":'])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    """As a ValueError."""
    with pytest.raises(ValueError, match=r".*"):
        facts.decode(data)


def test_a_fact_finds_the_disk_full(tmp_path: Path) -> None:
    """It is kept, with what was true then, and written before those that follow."""
    directory = os.open(tmp_path, os.O_RDONLY)
    (tmp_path / "journal").symlink_to("/dev/full")
    sizes = {"out": 1, "err": 0}
    journal = Journal(directory, lambda: dict(sizes))
    journal.note("first", number=1)
    assert journal.is_behind
    assert not journal.flush()
    sizes["out"] = 2
    (tmp_path / "journal").unlink()
    room = os.open(tmp_path / "journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(room, journal._file)
    journal.note("second")
    assert not journal.is_behind
    found, _ = read_facts(tmp_path, 0)
    assert [(fact.name, fact.at_out) for fact in found] == [("first", 1), ("second", 2)]
    assert journal.size() == (tmp_path / "journal").stat().st_size
    for descriptor in (directory, room, journal._file):
        os.close(descriptor)


def test_whole_or_not_at_all(tmp_path: Path) -> None:
    """A refused write leaves what was there."""
    directory = os.open(tmp_path, os.O_RDONLY)
    facts.write_whole(directory, "a", {"x": 1})
    assert facts.read_whole(directory, "a") == {"x": 1}
    (tmp_path / "a.tmp").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space"):
        facts.write_whole(directory, "a", {"x": 2})
    assert facts.read_whole(directory, "a") == {"x": 1}
    os.close(directory)


def test_insisting_ends_with_success_or_with_the_directory(tmp_path: Path) -> None:
    """Nobody will ever read what was to be written into a deleted directory."""
    path = tmp_path / "gone"
    path.mkdir()
    directory = os.open(path, os.O_RDONLY)
    facts.insist(directory, lambda: facts.write_whole(directory, "a", {}))
    (path / "a").unlink()
    path.rmdir()
    facts.insist(directory, lambda: facts.write_whole(directory, "a", {}))
    os.close(directory)
