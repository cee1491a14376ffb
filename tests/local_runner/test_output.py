"""Lines from a spool, and waiting for the next."""

import asyncio
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentrunner.local_runner.output import LineReader, Pulse, Subscription, last_line
from agentrunner.process import kernel
from agentrunner.process.spool import MAX_LINE, Stream


class Spool:
    """A spool that a test writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pulse = Pulse()
        self.end: int | None = None
        self.gone = 0
        self.reads = 0

    def write(self, data: bytes) -> None:
        """More came."""
        with (self.path / "out").open("ab") as file:
            file.write(data)
        self.pulse.beat()

    def finish(self) -> None:
        """Nothing comes any more."""
        file = self.path / "out"
        self.end = file.stat().st_size if file.exists() else 0
        self.pulse.beat()

    def give_up(self, length: int) -> None:
        """The beginning goes, as the shim punches it out."""
        self.gone = length
        with (self.path / "out").open("r+b") as file:
            assert kernel.punch(file.fileno(), 0, length), "this file system cannot punch holes"

    def end_of(self, stream: Stream) -> int | None:
        """Of `out` alone."""
        return self.end

    def given_up(self, stream: Stream) -> int:
        """What was."""
        return self.gone

    def note_read(self) -> None:
        """Counted."""
        self.reads += 1


def all_lines(reader: LineReader) -> list[bytes]:
    """What can be read now."""
    found = []
    while (line := reader.next()) is not None:
        found.append(line)
    return found


@given(st.lists(st.binary(max_size=40), max_size=20))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_are_the_same_however_they_come(tmp_path: Path, pieces: list[bytes]) -> None:
    """Any bytes in any pieces, read at any time; the last line may have no newline."""
    (tmp_path / "out").unlink(missing_ok=True)
    spool = Spool(tmp_path)
    reader, found = LineReader(spool, "out"), []
    for piece in pieces:
        spool.write(piece)
        found += all_lines(reader)
    assert all(line.endswith(b"\n") for line in found)
    spool.finish()
    found += all_lines(reader)
    whole = b"".join(pieces)
    lines = whole.split(b"\n")
    assert found == [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    assert reader.is_over
    assert (reader.missed, reader.cut) == (0, 0)


def test_nothing_is_nothing(tmp_path: Path) -> None:
    """A stream that was never written to has no file."""
    spool = Spool(tmp_path)
    reader = LineReader(spool, "out")
    assert (reader.next(), reader.is_over) == (None, False)
    spool.finish()
    assert (reader.next(), reader.is_over) == (None, True)


def test_a_long_line_is_cut_and_counted(tmp_path: Path) -> None:
    """Also one that has no end."""
    spool = Spool(tmp_path)
    spool.write(b"a" * (2 * MAX_LINE) + b"\nb\n" + b"c" * (3 * MAX_LINE))
    spool.finish()
    reader = LineReader(spool, "out")
    assert [(line[:1], len(line)) for line in all_lines(reader)] == [
        (b"a", MAX_LINE + 1), (b"b", 2), (b"c", MAX_LINE + 1),
    ]  # fmt: skip
    assert reader.cut == 3 * MAX_LINE


def test_what_was_given_up_is_counted(tmp_path: Path) -> None:
    """Reading goes on with the first whole line behind it, also in the middle of reading."""
    spool = Spool(tmp_path)
    lines = [f"{number:099}\n".encode() for number in range(3000)]
    spool.write(b"".join(lines))
    reader = LineReader(spool, "out")
    first = reader.next()
    spool.give_up(200 << 10)
    rest = all_lines(reader)
    assert first == lines[0]
    start = lines.index(next(line for line in rest if int(line) > 1000))
    assert rest[-1] == lines[-1]
    assert rest == lines[1 : len(rest) - (3000 - start) + 1] + lines[start:]
    assert reader.missed == 100 * (3000 - 1 - len(rest))


async def test_a_subscriber_waits_and_ends(tmp_path: Path) -> None:
    """For the next line, and with the stream."""
    spool = Spool(tmp_path)
    subscription = Subscription(spool, "out")

    async def collect() -> list[bytes]:
        return [line async for line in subscription]

    task = asyncio.create_task(collect())
    loop = asyncio.get_running_loop()
    loop.call_later(0.01, spool.write, b"one\ntw")
    loop.call_later(0.02, spool.write, b"o\nthree")
    loop.call_later(0.03, spool.finish)
    assert await asyncio.wait_for(task, 5) == [b"one\n", b"two\n", b"three"]
    assert subscription.position == 13
    assert spool.reads > 3


def test_the_last_line(tmp_path: Path) -> None:
    """Whole, and not longer than what is looked at."""
    path = tmp_path / "out"
    assert last_line(path) == b""
    for content, expected in ((b"", b""), (b"a", b""), (b"a\n", b"a"), (b"a\nbc\nd", b"bc"), (b"x" * 50 + b"\n", b"")):
        path.write_bytes(content)
        assert last_line(path, most=20) == expected
