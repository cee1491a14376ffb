"""Output on its way to the spools: nothing is lost, whatever it is, and the disk in use stays below the cap."""

import contextlib
import os
from pathlib import Path

import pytest

from agentrunner.process.adopt import RunDirectory
from agentrunner.process.output import LEAST_CAP
from agentrunner.process.spool import Framer, SpoolReader, Stream
from process.given import PYTHON, Runs, disk_bytes, fact, facts, lines, output, tell
from waiting import until

STDIO = pytest.mark.parametrize("stdio", ["pipe", "file"])
_MB = 1 << 20
COUNT = "import sys\nfor i in range({n}): sys.stdout.write('%0199d\\n' % i)"


def say_recorded(directory: RunDirectory, out: int) -> None:
    """Tell the shim, which may just have ended."""
    with contextlib.suppress(OSError):
        tell(directory, "recorded", out=out, err=0)


def consume(directory: RunDirectory, indexed: bool) -> tuple[int, int]:
    """Read to the end as a worker does, telling what is recorded: how many lines came, and the peak on disk."""
    reader = SpoolReader(directory.path, indexed)
    framer = Framer(0, None, lambda line, at: at)
    read: dict[Stream, int] = {"out": 0, "err": 0}
    expected = peak = told = 0

    def step() -> bool:
        nonlocal expected, peak, told
        record = directory.exit()
        bound = reader.sizes()
        for chunk in reader.chunks(read, bound, _MB):
            read[chunk.stream] = chunk.start + len(chunk.data)
            for line in framer.feed(chunk.data):
                assert int(line.data) == expected
                expected += 1
        peak = max(peak, disk_bytes(directory))
        if framer.offset - told >= LEAST_CAP // 8 and record is None:
            told = framer.offset
            say_recorded(directory, told)
        return record is not None and read["out"] >= record.sizes.out

    until(step, timeout=40, every=0.002)
    reader.close()
    return expected, peak


def test_a_flood_through_a_pipe_stays_below_the_cap(runs: Runs) -> None:
    """The agent has to wait; every line arrives, in order."""
    directory = runs.create([*PYTHON, COUNT.format(n=200_000)], spool_cap_bytes=8 * _MB)
    runs.zygote.spawn(directory.path)
    until(lambda: fact(directory, "limit"))
    count, peak = consume(directory, indexed=True)
    assert count == 200_000
    assert peak <= 8 * _MB
    record = directory.exit()
    assert record is not None
    assert (record.dropped, record.sizes.out) == (0, 40_000_000)


def test_a_flood_into_a_file_is_frozen_before_the_cap(runs: Runs) -> None:
    """The same for an agent that writes the file by itself: it is frozen while there is no room."""
    directory = runs.create([*PYTHON, COUNT.format(n=200_000)], spool_cap_bytes=16 * _MB, stdio="file")
    runs.zygote.spawn(directory.path)
    until(lambda: fact(directory, "limit"))
    count, peak = consume(directory, indexed=False)
    assert count == 200_000
    assert peak <= 16 * _MB
    assert [found.fields["state"] for found in facts(directory) if found.name == "limit"] == ["frozen", "thawed"]


@pytest.mark.parametrize("cap_mb", [1, 4, 16])
def test_an_unrecorded_line_never_blocks_for_ever(runs: Runs, cap_mb: int) -> None:
    """A line longer than a small cap flows on: a smaller cap than two unfinished lines is not used."""
    script = "import sys; sys.stdout.write('x' * 30_000_000); sys.stdout.write('\\n')"
    directory = runs.create([*PYTHON, script], spool_cap_bytes=cap_mb * _MB)
    runs.zygote.spawn(directory.path)
    reader, framer = SpoolReader(directory.path, True), Framer(0, None, lambda line, at: at)
    read: dict[Stream, int] = {"out": 0, "err": 0}
    found = []

    def step() -> bool:
        record = directory.exit()
        for chunk in reader.chunks(read, reader.sizes(), _MB):
            read[chunk.stream] = chunk.start + len(chunk.data)
            found.extend(framer.feed(chunk.data))
        if record is None and fact(directory, "started"):
            say_recorded(directory, framer.offset)
        return record is not None and read["out"] >= record.sizes.out

    until(step, timeout=30)
    reader.close()
    assert [(len(line.data), line.cut) for line in found] == [(_MB, 0), (0, 30_000_000 - _MB)]


@STDIO
def test_bytes_are_kept_as_they_are(runs: Runs, stdio: str) -> None:
    """Invalid UTF-8, NUL, and no newline at the end."""
    script = "import os; os.write(1, b'\\xff\\x00\\n\\xc3'); os.write(2, b'e\\x00')"
    directory, record = runs.run([*PYTHON, script], stdio=stdio)
    assert (output(directory), output(directory, "err")) == (b"\xff\x00\n\xc3", b"e\x00")
    assert (record.sizes.out, record.sizes.err) == (4, 2)


@STDIO
def test_an_agent_that_closes_its_output_lives_on(runs: Runs, stdio: str) -> None:
    """The end of the pipe is not the end of the run."""
    _, record = runs.run(["sh", "-c", "exec >&- 2>&-; sleep 0.3; exit 5"], stdio=stdio)
    assert record.exit_code == 5


def test_a_child_that_keeps_the_pipe_delays_the_end_by_a_second_at_most(runs: Runs) -> None:
    """Exit decides, never the end of the file; what it writes in that time is kept."""
    directory, record = runs.run(["sh", "-c", "(sleep 0.2; echo late; sleep 60) & echo now; exit 4"], timeout=5)
    assert (record.exit_code, record.leftover >= 1) == (4, True)
    assert lines(directory) == ["now", "late"]


def test_output_mb_is_exact_through_a_pipe(runs: Runs) -> None:
    """Not a byte more is spooled, and writing exactly that much is no hit."""
    _, record = runs.run(["sh", "-c", "head -c 300000 /dev/zero; sleep 60"], output_bytes=100_000)
    assert (record.limit, record.sizes.out) == ("output_mb", 100_000)
    assert record.dropped > 0
    _, record = runs.run(["head", "-c", "100000", "/dev/zero"], output_bytes=100_000)
    assert (record.limit, record.exit_code, record.sizes.out, record.dropped) == (None, 0, 100_000, 0)


def test_output_mb_ends_a_run_with_files(runs: Runs) -> None:
    """Noticed at the next look, which comes the sooner the faster it is written."""
    _, record = runs.run(["sh", "-c", "head -c 300000 /dev/zero; sleep 60"], output_bytes=100_000, stdio="file")
    assert record.limit == "output_mb"


def test_index_orders_the_streams(runs: Runs) -> None:
    """Out against err as they came, with their times."""
    script = "for i in 1 2 3 4; do echo o$i; sleep 0.03; echo e$i >&2; sleep 0.03; done"
    directory, record = runs.run(["sh", "-c", script])
    reader = SpoolReader(directory.path, True)
    chunks = reader.chunks({"out": 0, "err": 0}, {"out": record.sizes.out, "err": record.sizes.err}, _MB)
    reader.close()
    assert b"".join(chunk.data for chunk in chunks) == b"o1\ne1\no2\ne2\no3\ne3\no4\ne4\n"
    assert sorted(chunk.ts for chunk in chunks) == [chunk.ts for chunk in chunks]


def test_a_full_disk_drops_and_says_so(runs: Runs, tmp_path: Path) -> None:
    """The agent goes on, the bytes lost are counted, the exit record is written."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    directory = runs.create(["sh", "-c", "head -c 200000 /dev/zero; echo e >&2"])
    os.symlink(full, directory.path / "out")
    runs.zygote.spawn(directory.path)
    record = until(directory.exit)
    assert (record.exit_code, record.dropped, record.sizes.out, record.sizes.err) == (0, 200_000, 0, 2)
    said = [found.fields for found in facts(directory) if found.name == "output_dropped"]
    assert sum(fields["bytes"] for fields in said) == 200_000
    assert "No space left" in said[0]["why"]


def test_stdin_modes(runs: Runs) -> None:
    """Nothing, the prompt, or what is sent."""
    directory, _ = runs.run(["cat"])
    assert output(directory) == b""
    directory, _ = runs.run(["cat"], stdin="prompt", prompt="the goal\n")
    assert output(directory) == b"the goal\n"
    assert (directory.path / "prompt").stat().st_mode & 0o777 == 0o600
    directory = runs.start(["head", "-n2"], stdin="pipe")
    tell(directory, "input", id=1, text="a")
    tell(directory, "input", id=2, text="b\n")
    until(directory.exit)
    assert output(directory) == b"a\nb\n"
