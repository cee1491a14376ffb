"""From raw files to parts: every line once, every fact in its place, wherever a worker is interrupted."""

import random
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrunner.agents.base import Backend
from agentrunner.agents.claude import ClaudeBackend
from agentrunner.agents.command import CommandBackend
from agentrunner.domain.control import Offsets
from agentrunner.domain.errors import OffsetMismatch
from agentrunner.domain.event import MAX_LOG_BYTES
from agentrunner.process.redaction import Redactor
from agentrunner.process.spool import LOOK_AHEAD, MAX_LINE, SpoolReader, Stream
from agentrunner.worker.tail import BATCH_BYTES, Tail
from worker.given import Spools, Stored

SECRET = "hunter2-hunter2"


class RacingReader(SpoolReader):
    """A reader with a shim that goes on writing between the look at the sizes and the look at the journal."""

    between: Callable[[], None] | None = None

    def sizes(self) -> dict[Stream, int]:
        """What is there, and then more happens."""
        found = super().sizes()
        if self.between is not None:
            write, self.between = self.between, None
            write()
        return found


PLAIN = CommandBackend()


class Reading:
    """A tail on a directory, and a server that it records to."""

    def __init__(
        self,
        directory: Path,
        indexed: bool = True,
        secrets: tuple[str, ...] = (),
        backend: Backend = PLAIN,
    ) -> None:
        self.spools = Spools(directory, indexed)
        self.stored = Stored()
        self._indexed = indexed
        self._redactor = Redactor(secrets)
        self._backend = backend
        self.restart()

    def restart(self, offsets: Offsets | None = None) -> None:
        """Another worker goes on from what is stored, or from something older."""
        self.reader = RacingReader(self.spools.directory, self._indexed)
        self.tail = Tail(self.reader, self._backend, self._redactor)
        if offsets is None:
            self.tail.reset(self.stored.offsets, self.stored.states)
        else:
            self.tail.reset(offsets, Stored().states)

    def crash(self) -> None:
        """The worker is killed, another goes on."""
        self.reader.close()
        self.restart()

    def record(self, twice: bool = False) -> bool:
        """One call, perhaps repeated because its answer was lost; answers whether more can be read."""
        batch = self.tail.read()
        try:
            self.stored.record(batch.parts)
            if twice:
                self.stored.record(batch.parts)
        except OffsetMismatch:
            self.tail.reset(self.stored.offsets, self.stored.states)
            return True
        return not batch.is_all

    def interrupt(self, how: str) -> None:
        """One call, or a worker that is killed before it or in it, or that begins with something old."""
        if how in {"read", "repeat"}:
            self.record(twice=how == "repeat")
            return
        if how == "unrecorded":
            self.tail.read()
        self.reader.close()
        self.restart(Offsets() if how == "stale" else None)

    def finish(self) -> None:
        """Everything that is left."""
        sizes, done = self.spools.final(), False
        while not done:
            batch = self.tail.read(sizes)
            try:
                self.stored.record(batch.parts, final=batch.is_all)
                done = batch.is_all
            except OffsetMismatch:
                self.tail.reset(self.stored.offsets, self.stored.states)
        self.reader.close()
        assert self.stored.offsets == sizes


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    """A directory in pipe mode."""
    return Reading(tmp_path / "run")


OUTPUT = st.tuples(st.sampled_from(["out", "err"]), st.binary(max_size=12).map(lambda data: data.replace(b"\r", b"\n")))
STEPS = st.one_of(
    OUTPUT,
    OUTPUT,
    st.just("fact"),
    st.sampled_from(["read", "read", "repeat", "crash", "unrecorded", "stale", "race"]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=40), st.booleans())
def test_every_line_once_and_every_fact_in_its_place(steps: list[object], indexed: bool) -> None:
    """Output, facts, reads, lost answers, kills and stale beginnings in any order tell the same story."""
    with tempfile.TemporaryDirectory() as directory:
        reading = Reading(Path(directory) / "run", indexed)
        written, facts = play(reading, steps)
        reading.finish()
        timeline = reading.stored.timeline()
    for stream, data in written.items():
        assert [text for name, text in timeline if name == stream] == lines_of(data)
    assert [value for name, value in timeline if name == "paused"] == list(range(len(facts)))
    for revision, at in enumerate(facts):
        before = timeline[: timeline.index(("paused", revision))]
        for stream, data in written.items():
            seen = [text for name, text in before if name == stream]
            assert seen == lines_of(data)[: data[: at[stream]].count(b"\n")], "output on the wrong side of a fact"


def play(reading: Reading, steps: list[object]) -> tuple[dict[str, bytes], list[dict[str, int]]]:
    """Do the steps; answers what was written, and where each fact stands."""
    written, facts = {"out": b"", "err": b""}, []

    def write(stream: str, data: bytes) -> None:
        written[stream] += data
        reading.spools.write(stream, data)

    def note() -> None:
        facts.append(reading.spools.note("paused", rev=len(facts)))

    def race() -> None:
        write("out", b"late\n")
        note()
        write("err", b"later\n")

    for step in steps:
        match step:
            case (str(stream), bytes(data)):
                write(stream, data)
            case "fact":
                note()
            case "race":
                reading.reader.between = race
                reading.record()
            case str(name):
                reading.interrupt(name)
    return written, facts


def lines_of(data: bytes) -> list[str]:
    """The lines of some output as events show them."""
    lines = data.split(b"\n")
    return [line.decode("utf-8", "backslashreplace") for line in (lines[:-1] if not lines[-1] else lines)]


def test_a_fact_waits_for_the_output_before_it(reading: Reading) -> None:
    """The shim writes output and a fact just after the sizes were looked at: the fact comes behind that output."""
    reading.spools.write("out", b"first\n")

    def more() -> None:
        reading.spools.write("out", b"second\n")
        reading.spools.note("paused", rev=1)

    reading.reader.between = more
    while reading.record():
        pass
    assert reading.stored.timeline() == [("out", "first"), ("out", "second"), ("paused", 1)]


def test_a_fact_comes_although_the_index_is_defective(reading: Reading) -> None:
    """On a full disk the index may miss an entry; what the fact says of the sizes holds all the same."""
    reading.spools.write("out", b"one\n", indexed=False)
    reading.spools.note("paused", rev=1)
    while reading.record():
        pass
    assert reading.stored.timeline() == [("out", "one"), ("paused", 1)]


def test_a_long_journal_is_read_to_its_end(reading: Reading) -> None:
    """More than is read at once: no fact is left out, and none is overtaken by output behind it."""
    count = 30_000
    with (reading.spools.directory / "journal").open("ab") as journal:
        for number in range(count):
            journal.write(b'{"fact": "paused", "t": 1, "at": {"out": 0, "err": 0}, "rev": %d}\n' % number)
    reading.spools.write("out", b"behind\n")
    reading.finish()
    assert reading.stored.timeline() == [*(("paused", number) for number in range(count)), ("out", "behind")]


def test_output_keeps_the_order_of_its_streams(reading: Reading) -> None:
    """In pipe mode the index says which stream came first."""
    for stream, data in (("err", b"1\n"), ("out", b"2\n"), ("out", b"3\n"), ("err", b"4\n")):
        reading.spools.write(stream, data)
    reading.record()
    assert reading.stored.timeline() == [("err", "1"), ("out", "2"), ("out", "3"), ("err", "4")]


def test_the_end_of_a_cut_line_is_said_although_its_bytes_are_stored(reading: Reading) -> None:
    """What is missing of an endless line is known only at the end: it comes with the outcome, without bytes."""
    reading.spools.write("out", b"x" * (MAX_LINE + LOOK_AHEAD))
    while reading.record():
        pass
    reading.spools.write("out", b"y" * 5000)
    while reading.record():
        pass
    assert reading.stored.offsets.out == MAX_LINE + LOOK_AHEAD + 5000
    reading.finish()
    missing = [payload["cut_bytes"] for type, payload in reading.stored.timeline() if type == "output.truncated"]
    assert sum(missing) == LOOK_AHEAD + 5000


def test_secrets_are_masked_however_reads_cut_them(tmp_path: Path) -> None:
    """A secret that arrives in pieces, with workers killed between them, never reaches an event."""
    reading = Reading(tmp_path / "run", secrets=(SECRET,))
    cuts = random.Random(1)
    text = "".join(f"{number} {SECRET} {'x' * (number % 7)}\n" for number in range(500)).encode()
    while text:
        size = cuts.randrange(1, 20)
        reading.spools.write("out", text[:size])
        text = text[size:]
        reading.record()
        if cuts.random() < 0.2:
            reading.crash()
    reading.finish()
    lines = [text for _, text in reading.stored.timeline()]
    assert lines == [f"{number} *** {'x' * (number % 7)}" for number in range(500)]


def test_a_flood_of_messages_comes_in_bites(tmp_path: Path) -> None:
    """A MiB of the smallest messages would keep the worker busy for long: one call takes a part of them."""
    reading = Reading(tmp_path / "run", backend=ClaudeBackend())
    reading.spools.write("out", b"{}\n" * (BATCH_BYTES // 3))
    batch = reading.tail.read()
    assert not batch.is_all
    assert batch.parts[-1].end < BATCH_BYTES // 2


def test_a_flood_of_lines_is_read_at_once(reading: Reading) -> None:
    """A MiB of empty lines is a few events."""
    reading.spools.write("out", b"\n" * BATCH_BYTES)
    batch = reading.tail.read()
    assert batch.is_all
    assert sum(len(part.events) for part in batch.parts) <= BATCH_BYTES // MAX_LOG_BYTES + len(batch.parts)
    reading.stored.record(batch.parts)
    reading.finish()
    assert len(reading.stored.timeline()) == BATCH_BYTES


def test_a_long_line_without_end_gets_further(reading: Reading) -> None:
    """As long as a line fits nothing can be sent, and nothing is waited for either."""
    reading.spools.write("out", b"x" * (MAX_LINE - 10))
    batches = 1
    while not (batch := reading.tail.read()).is_all:
        assert batch.parts == []
        batches += 1
    assert batches < 20
    assert reading.tail.read().is_all


def test_a_truncated_spool_ends_all_the_same(tmp_path: Path) -> None:
    """An agent may empty its own output file: what was stored stays, the end is reached."""
    reading = Reading(tmp_path / "run", indexed=False)
    reading.spools.write("out", b"0123456789\n" * 10)
    reading.record()
    (reading.spools.directory / "out").write_bytes(b"")
    reading.spools.note("paused", rev=0)
    reading.finish()
    assert [name for name, _ in reading.stored.timeline()] == ["out"] * 10 + ["paused"]


def test_a_long_index_is_read_to_its_end(reading: Reading) -> None:
    """Only a part of it is held in memory; the rest follows without waiting for more output."""
    count = 70_000
    ends = b"".join(struct.pack("<BxxxxxxxQQ", number % 2, 2 * (number // 2 + 1), 1) for number in range(count))
    for name in ("out", "err"):
        (reading.spools.directory / name).write_bytes(b"x\n" * (count // 2))
    (reading.spools.directory / "idx").write_bytes(ends)
    while reading.record():
        pass
    assert reading.stored.offsets == Offsets(out=count, err=count)


def test_confirmed_inputs_are_told(reading: Reading) -> None:
    """The worker need not remember an input whose delivery is recorded."""
    reading.spools.note("input_delivered", id=41)
    assert reading.tail.read().delivered == [41]


def test_half_a_fact_is_covered_at_the_end(reading: Reading) -> None:
    """A shim that is killed while it writes a fact leaves bytes that are stored and say nothing."""
    reading.spools.note("paused", rev=0)
    with (reading.spools.directory / "journal").open("ab") as journal:
        journal.write(b'{"fact": "resu')
    reading.finish()
    assert reading.stored.timeline() == [("paused", 0)]
