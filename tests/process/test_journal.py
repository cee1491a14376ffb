"""The journal, read: whole facts only, from any offset, whatever a crash has left."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.process.journal import read_facts


def line(name: str, out: int = 0, err: int = 0, **fields: object) -> bytes:
    """A line as the shim writes it."""
    return json.dumps({"fact": name, "t": 5, "at": {"out": out, "err": err}, **fields}).encode() + b"\n"


LINES = [
    line("started", pid=3),
    line("paused", 10, 2, rev=1),
    line("input", 11, 2, id=4, note="ü\n"),
    line("exited", 12, 3),
]


def test_facts_have_their_place(tmp_path: Path) -> None:
    """Name, time, what was spooled, where the line ends, and everything else as fields."""
    (tmp_path / "journal").write_bytes(b"".join(LINES))
    facts, offset = read_facts(tmp_path, 0)
    assert [(f.name, f.ts, f.at_out, f.at_err) for f in facts] == [
        ("started", 5, 0, 0), ("paused", 5, 10, 2), ("input", 5, 11, 2), ("exited", 5, 12, 3)
    ]  # fmt: skip
    assert [fact.fields for fact in facts] == [{"pid": 3}, {"rev": 1}, {"id": 4, "note": "ü\n"}, {}]
    assert facts[-1].end == offset == sum(map(len, LINES))


@given(cut=st.integers(0, sum(map(len, LINES))))
def test_any_prefix_gives_whole_lines_only(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A line that is still being written is left for later, and reading on from there misses nothing."""
    directory = tmp_path_factory.mktemp("run")
    (directory / "journal").write_bytes(b"".join(LINES)[:cut])
    first, offset = read_facts(directory, 0)
    (directory / "journal").write_bytes(b"".join(LINES))
    rest, end = read_facts(directory, offset)
    assert [fact.name for fact in first + rest] == ["started", "paused", "input", "exited"]
    assert (first[-1].end if first else 0) == offset
    assert end == sum(map(len, LINES))


def test_no_further_than_asked(tmp_path: Path) -> None:
    """The final size of an ended attempt bounds what is read."""
    (tmp_path / "journal").write_bytes(b"".join(LINES))
    facts, offset = read_facts(tmp_path, 0, len(LINES[0]) + len(LINES[1]))
    assert [fact.name for fact in facts] == ["started", "paused"]
    assert offset == len(LINES[0]) + len(LINES[1])


@pytest.mark.parametrize("bad", [b"garbage\n", b"{}\n", b"[1]\n", b'{"fact": "x"}\n', b"\0\0\0\n", b"\xff\n", b"\n"])
def test_a_line_that_is_no_fact_stops_nothing(tmp_path: Path, bad: bytes) -> None:
    """The facts around it are read."""
    (tmp_path / "journal").write_bytes(LINES[0] + bad + LINES[1])
    facts, offset = read_facts(tmp_path, 0)
    assert [fact.name for fact in facts if fact.name != "unreadable"] == ["started", "paused"]
    assert offset == len(LINES[0]) + len(bad) + len(LINES[1])


def test_no_journal_is_an_empty_one(tmp_path: Path) -> None:
    """A directory whose shim has not come so far."""
    assert read_facts(tmp_path, 0) == ([], 0)
