"""Spools, read: lines are the same however they come, and wherever reading is taken up again."""

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrunner.process import kernel
from agentrunner.process.index import ENTRY
from agentrunner.process.spool import LOOK_AHEAD, MAX_LINE, Chunk, Framer, RawLine, SpoolReader, Stream

LENGTHS = st.lists(
    st.one_of(
        st.integers(0, 40),
        st.sampled_from([MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, MAX_LINE + LOOK_AHEAD, MAX_LINE + LOOK_AHEAD + 1]),
        st.just(3 * MAX_LINE),
    ),
    max_size=5,
)


def cut_before(line: bytes, at: int) -> int:
    """A cut that depends on what is there, as one between secrets does."""
    return at - 3 if line[at - 1 : at] == b"b" else at


def text_of(lengths: list[int], ended: bool) -> bytes:
    """Lines of these lengths."""
    text = b"".join(b"ab" * (length // 2) + b"c" * (length % 2) + b"\n" for length in lengths)
    return text if ended else text[:-1]


def framed(text: bytes, cuts: list[int], restarts: bool) -> list[RawLine]:
    """Framed in chunks; with `restarts` each chunk by a new framer from the kept offset and state."""
    framer, lines, bounds = Framer(0, None, cut_before), [], sorted({*(min(cut, len(text)) for cut in cuts), len(text)})
    read = 0
    for bound in bounds:
        lines += framer.feed(text[read:bound])
        read = bound
        if restarts:
            framer = Framer(framer.offset, framer.state(), cut_before)
            read = framer.offset
    lines += framer.feed(text[read:])
    return lines + framer.finish()


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.booleans(), st.lists(st.integers(0, 4 * MAX_LINE), max_size=6), st.booleans())
def test_any_chunks_and_any_restart_give_the_same_lines(
    lengths: list[int], ended: bool, cuts: list[int], restarts: bool
) -> None:
    """Bytes, offsets and counts of what was cut."""
    text = text_of(lengths, ended)
    assert framed(text, cuts, restarts) == framed(text, [], False)


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.booleans(), st.lists(st.integers(0, 4 * MAX_LINE), max_size=6), st.integers(1, 9_000))
def test_lines_together_are_the_same_lines(lengths: list[int], ended: bool, cuts: list[int], together: int) -> None:
    """Bytes, offsets and counts; what is given as one fits together, and only where one more would not it is two."""
    text = text_of(lengths, ended)
    framer, blocks, read = Framer(0, None, cut_before, together), [], 0
    for bound in sorted({*(min(cut, len(text)) for cut in cuts), len(text)}):
        found = framer.feed(text[read:bound])
        assert all(len(block.data) < together or b"\n" not in block.data for block in found)
        blocks, read = blocks + found, bound
    assert apart(blocks + framer.finish()) == framed(text, [], False)


def apart(blocks: list[RawLine]) -> list[RawLine]:
    """Each line by itself."""
    lines = []
    for block in blocks:
        offset = block.offset
        for data in block.data.split(b"\n"):
            lines.append(RawLine(data, offset, block.cut))
            offset += len(data) + 1
    return lines


def test_a_long_line_in_small_pieces_is_put_together_once() -> None:
    """What is held is not copied again with every piece, which would be a hundred gigabytes here."""
    framer = Framer(0, None, lambda line, at: at)
    for _ in range(250_000):
        assert framer.feed(b"abcd") == []
    (line,) = framer.feed(b"\n")
    assert line == RawLine(b"abcd" * 250_000, 0)


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.booleans())
def test_lines_account_for_every_byte(lengths: list[int], ended: bool) -> None:
    """Given and cut bytes and newlines make the whole, and offsets point where the bytes are."""
    text = text_of(lengths, ended)
    lines = framed(text, [], False)
    assert sum(len(line.data) + line.cut for line in lines) + text.count(b"\n") == len(text)
    assert all(text[line.offset : line.offset + len(line.data)] == line.data for line in lines)
    assert all(len(line.data) <= MAX_LINE for line in lines)


def test_a_hundred_megabytes_without_a_newline() -> None:
    """Given up to a MiB, the rest counted; next to nothing is held."""
    framer, lines = Framer(0, None, lambda line, at: at), []
    for _ in range(100):
        lines += framer.feed(b"x" * 1_000_000)
    lines += framer.feed(b"\nnext\n")
    assert [(len(line.data), line.cut) for line in lines] == [(MAX_LINE, 0), (0, 100_000_000 - MAX_LINE), (4, 0)]
    assert lines[-1].offset == 100_000_001


class Written:
    """A run directory as a shim leaves it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sizes: dict[Stream, int] = {"out": 0, "err": 0}

    def write(self, stream: Stream, data: bytes, ts: int, indexed: bool = True) -> None:
        """One chunk."""
        with (self.path / stream).open("ab") as file:
            file.write(data)
        self.sizes[stream] += len(data)
        if indexed:
            with (self.path / "idx").open("ab") as file:
                file.write(ENTRY.pack(("out", "err").index(stream), self.sizes[stream], ts * 1_000_000))


def joined(chunks: list[Chunk]) -> bytes:
    """All data in order."""
    return b"".join(chunk.data for chunk in chunks)


def test_the_index_orders_and_bounds(tmp_path: Path) -> None:
    """Only what is indexed can be read while the run lives; a killed shim's rest comes at the end, out first."""
    shim = Written(tmp_path)
    reader = SpoolReader(tmp_path, indexed=True)
    assert reader.sizes() == {"out": 0, "err": 0}
    for number in range(3):
        shim.write("out", b"o%d" % number, number * 100)
        shim.write("err", b"e%d" % number, number * 100 + 50)
    shim.write("err", b"!", 999, indexed=False)
    shim.write("out", b"?", 999, indexed=False)
    sizes = reader.sizes()
    assert sizes == {"out": 6, "err": 6}
    chunks = reader.chunks({"out": 0, "err": 0}, sizes, 1000)
    assert joined(chunks) == b"o0e0o1e1o2e2"
    assert [chunk.ts for chunk in chunks] == [0, 50, 100, 150, 200, 250]
    assert joined(reader.chunks(dict(sizes), shim.sizes, 1000)) == b"?!"
    reader.close()


def test_reading_again_keeps_the_order(tmp_path: Path) -> None:
    """Going back to what is stored reads the index again too."""
    shim = Written(tmp_path)
    for number in range(4):
        shim.write("out", b"o", number * 100)
        shim.write("err", b"e", number * 100 + 50)
    reader = SpoolReader(tmp_path, indexed=True)
    assert joined(reader.chunks({"out": 0, "err": 0}, reader.sizes(), 1000)) == b"oeoeoeoe"
    assert joined(reader.chunks({"out": 2, "err": 1}, reader.sizes(), 1000)) == b"eoeoe"
    reader.close()


@pytest.mark.parametrize("budget", [1, 2, 3, 7, 1000])
def test_a_budget_bounds_what_is_read_at_once(tmp_path: Path, budget: int) -> None:
    """And all comes in the end, in the same order."""
    shim = Written(tmp_path)
    for number in range(5):
        shim.write("out", b"abc", number * 100)
        shim.write("err", b"XY", number * 100 + 50)
    reader, read, found = SpoolReader(tmp_path, indexed=True), {"out": 0, "err": 0}, b""
    while chunks := reader.chunks(read, reader.sizes(), budget):  # type: ignore[arg-type]
        assert len(joined(chunks)) <= budget
        found += joined(chunks)
        read = {**read, **{chunk.stream: chunk.start + len(chunk.data) for chunk in chunks}}
    reader.close()
    assert found == b"abcXY" * 5


def test_in_file_mode_out_goes_first(tmp_path: Path) -> None:
    """There is no index, and the files' sizes say what can be read."""
    shim = Written(tmp_path)
    shim.write("err", b"e", 0, indexed=False)
    shim.write("out", b"o", 0, indexed=False)
    reader = SpoolReader(tmp_path, indexed=False)
    assert joined(reader.chunks({"out": 0, "err": 0}, reader.sizes(), 10)) == b"oe"
    reader.close()
    assert reader.file_sizes() == {"out": 0, "err": 0}


def test_a_punched_index_is_taken_up_behind_the_hole(tmp_path: Path) -> None:
    """What is recorded is given back, whole entries only; a new worker reads the rest."""
    shim = Written(tmp_path)
    for number in range(2000):
        shim.write("out", b"x", number * 100)
    descriptor = os.open(tmp_path / "idx", os.O_RDWR)
    assert kernel.punch(descriptor, 0, 12288 * 3)
    os.close(descriptor)
    reader = SpoolReader(tmp_path, indexed=True)
    assert reader.sizes()["out"] == 2000
    chunks = reader.chunks({"out": 1600, "err": 0}, reader.sizes(), 10_000)
    reader.close()
    assert (len(joined(chunks)), chunks[0].ts) == (400, 160_000)


def test_half_an_entry_is_left_for_later(tmp_path: Path) -> None:
    """A full disk can leave one."""
    shim = Written(tmp_path)
    shim.write("out", b"abc", 0)
    with (tmp_path / "idx").open("ab") as file:
        file.write(struct.pack("<B", 1))
    reader = SpoolReader(tmp_path, indexed=True)
    assert reader.sizes() == {"out": 3, "err": 0}
    reader.close()
