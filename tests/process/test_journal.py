"""The journal, read."""

from pathlib import Path

from agentrunner.process.journal import read_facts

LINE = b'{"fact":"paused","t":5,"at":{"out":3,"err":4},"rev":2}\n'


def test_whole_lines_only(tmp_path: Path) -> None:
    """Half a line is left for later, and `end` says where to go on."""
    assert read_facts(tmp_path, 0) == ([], 0)
    (tmp_path / "journal").write_bytes(LINE + LINE[:10])
    facts, offset = read_facts(tmp_path, 0)
    assert offset == len(LINE)
    assert [(f.name, f.ts, f.at_out, f.at_err, f.end, f.fields) for f in facts] == [
        ("paused", 5, 3, 4, len(LINE), {"rev": 2})
    ]
    assert read_facts(tmp_path, offset) == ([], offset)
    assert read_facts(tmp_path, 0, end=len(LINE) - 1) == ([], 0)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    """And what follows is read."""
    (tmp_path / "journal").write_bytes(b"nonsense\n[]\n{}\n" + LINE)
    facts, _ = read_facts(tmp_path, 0)
    assert [fact.name for fact in facts] == ["unreadable"] * 3 + ["paused"]
