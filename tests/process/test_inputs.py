"""What goes to an agent's stdin as raw bytes: no id, no journal, nothing added."""

import os

from process.given import Runs, lines, output, tell
from waiting import until

ALL = "".join(map(chr, range(256)))


def test_raw_bytes_arrive_as_they_are(runs: Runs) -> None:
    """Every byte, in order, also beside texts with an id; then the end. Only the text is journalled."""
    directory = runs.start(["sh", "-c", "cat; exec sleep 60"], stdin="pipe")
    assert tell(directory, "input", raw=ALL) == {"ok": True}
    assert tell(directory, "input", id=1, text="text") == {"ok": True}
    assert tell(directory, "input", raw="last", end=True) == {"ok": True}
    assert tell(directory, "input", raw="late") == {"ok": True, "refused": "no stdin"}
    assert tell(directory, "input", id=2, text="late") == {"ok": True, "refused": "no stdin"}
    wanted = bytes(range(256)) + b"text\nlast"
    until(lambda: len(output(directory)) >= len(wanted))
    assert output(directory) == wanted
    journal = (directory.path / "journal").read_text()
    assert (journal.count('"input"'), journal.count('"input_delivered"')) == (1, 1)


def test_the_end_comes_behind_what_waits(runs: Runs) -> None:
    """A pipe holds 64 KiB: the rest waits with the shim, and so does the end."""
    gate = runs.state / "gate"
    os.mkfifo(gate)
    directory = runs.start(["sh", "-c", f"read go <{gate}; wc -c"], stdin="pipe")
    assert tell(directory, "input", raw="x" * 300_000) == {"ok": True}
    assert tell(directory, "input", raw="", end=True) == {"ok": True}
    gate.write_text("go\n")
    assert until(directory.exit).exit_code == 0
    assert lines(directory) == ["300000"]


def test_there_is_a_bound(runs: Runs) -> None:
    """Of 4 MiB; what is refused can be sent again later."""
    directory = runs.start(["sleep", "60"], stdin="pipe")
    answers = [tell(directory, "input", raw="x" * (1 << 20)) for _ in range(6)]
    assert answers[-1] == {"ok": True, "refused": "full"}
    assert answers[:4] == [{"ok": True}] * 4


def test_a_reader_who_is_gone_is_known_at_once(runs: Runs) -> None:
    """By the first write, not by the second."""
    directory = runs.start(["sh", "-c", "exec 0<&-; echo closed; exec sleep 60"], stdin="pipe")
    until(lambda: lines(directory) == ["closed"])
    assert tell(directory, "input", raw="x") == {"ok": True, "refused": "closed"}
    assert tell(directory, "input", raw="x") == {"ok": True, "refused": "no stdin"}
