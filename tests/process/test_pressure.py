"""Output under pressure: room that ends and comes back, a disk that refuses, descriptors that are used up."""

import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentrunner.process import procfs
from agentrunner.process.adopt import RunDirectory, Settled
from agentrunner.process.facts import Journal
from agentrunner.process.journal import Fact, read_facts
from agentrunner.process.pressure import Pressure
from mounts import small_disk
from process.given import PYTHON, Runs, fact, facts, lines, output, tell
from waiting import until

MIB = 1 << 20
LINE = 200
PHASES = """
import os, select, sys
def wait(name):
    while not os.path.exists(name): select.select([], [], [], 0.005)
def write(start, end):
    for i in range(start, end): sys.stdout.write('%0199d\\n' % i)
    sys.stdout.flush()
"""
"""Lines of 200 bytes with their numbers, written in phases that a test releases by making a file."""


def full_writer(folder: Path, first: int, second: int) -> list[str]:
    """An agent that writes some lines once `folder/one` is there, and some more once `folder/two` is."""
    script = f"wait('{folder}/one'); write(0, {first}); wait('{folder}/two'); write({first}, {first + second})"
    return [*PYTHON, PHASES + script]


def dropped(directory: RunDirectory) -> list[Fact]:
    """What was said of dropped output."""
    return [found for found in facts(directory) if found.name == "output_dropped"]


def limits(directory: RunDirectory) -> list[tuple[str, int]]:
    """What was said of waiting: the state, and how often it was by then."""
    found = [found.fields for found in facts(directory) if found.name == "limit"]
    return [(fields["state"], fields["times"]) for fields in found]


@contextmanager
def file_limit(pid: int, size: int) -> Iterator[Callable[[], None]]:
    """The kernel refuses a process every byte behind `size` of any file, until what is given is called."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, before[1]))
    yield lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, before) and None


def check_gap(directory: RunDirectory, written: int) -> None:
    """What is kept is what was written, up to a gap and again behind it; every byte is kept or counted."""
    record = directory.exit()
    assert record is not None
    assert record.exit_code == 0
    assert record.dropped > 0
    kept = output(directory)
    assert len(kept) == record.sizes.out
    # One newline of ours may end the line that the gap has cut.
    assert len(kept) + record.dropped - written * LINE in (0, 1)
    said = dropped(directory)
    assert sum(found.fields["bytes"] for found in said) == record.dropped
    assert said[-1].fields["total"] == record.dropped
    found = kept.split(b"\n")[:-1]
    whole = [int(line) for line in found if len(line) == LINE - 1]
    assert whole == sorted(whole)
    first = whole.index(next(number for number, line in zip(whole, range(written), strict=False) if number != line))
    assert whole[:first] == list(range(first))
    assert whole[-10:] == list(range(written - 10, written))
    # Offsets go on where they were: the first fact stands where bytes are missing, and there the line ends.
    gap = said[0].at_out
    assert kept[:gap].count(b"\n") == first
    assert b"\n" in (kept[gap - 1 : gap], kept[gap : gap + 1])
    # The last one does not stand behind what came later, but for the newline.
    assert said[-1].at_out <= gap + 1 or len(said) > 2
    short = [line for line in found if len(line) != LINE - 1]
    assert all(line.isdigit() for line in short)
    assert len(short) <= 2


def test_a_full_disk_drops_counts_and_goes_on(runs: Runs, tmp_path: Path) -> None:
    """The agent is never stopped by it; once there is room output is kept again, and the timeline says what is not."""
    with small_disk(tmp_path / "disk", 3072) as disk:
        runs.root = disk / "runs"
        directory = runs.start(full_writer(tmp_path, 10_000, 1000))
        filler = disk / "filler"
        filler.write_bytes(bytes(2 * MIB))
        (tmp_path / "one").touch()
        until(lambda: dropped(directory))
        # The kernel's pipe is empty once everything was counted: the first phase is over.
        until(lambda: b"S" in Path(f"/proc/{directory.proc().pid}/stat").read_bytes())  # type: ignore[union-attr]
        filler.unlink()
        (tmp_path / "two").touch()
        until(directory.exit)
        check_gap(directory, 11_000)
        assert dropped(directory)[0].fields["why"] == "No space left on device"


def test_a_refusal_of_the_kernel_drops_counts_and_goes_on(runs: Runs, tmp_path: Path) -> None:
    """The same on any host: files may not grow beyond a size for a while."""
    directory = runs.start(full_writer(tmp_path, 10_000, 1000))
    proc = directory.proc()
    assert proc is not None
    with file_limit(proc.shim_pid, MIB) as lift:
        (tmp_path / "one").touch()
        until(lambda: dropped(directory))
        lift()
    (tmp_path / "two").touch()
    until(directory.exit)
    check_gap(directory, 11_000)
    assert dropped(directory)[0].fields["why"] == "File too large"


def test_recorded_bytes_make_room_on_a_full_disk(runs: Runs, tmp_path: Path) -> None:
    """Before anything is dropped, what is stored elsewhere is given back: nothing is lost although the disk is full."""
    with small_disk(tmp_path / "disk", 3072) as disk:
        runs.root = disk / "runs"
        directory = runs.start(full_writer(tmp_path, 8_000, 8_000))
        (tmp_path / "one").touch()
        until(lambda: len(output(directory)) == 8_000 * LINE)
        tell(directory, "recorded", out=8_000 * LINE, err=0)
        (tmp_path / "two").touch()
        record = until(directory.exit)
        assert (record.dropped, record.sizes.out) == (0, 16_000 * LINE)
        assert output(directory)[8_000 * LINE :].splitlines()[-1] == b"%0199d" % 15_999


def test_the_end_is_told_on_a_full_disk(runs: Runs, tmp_path: Path) -> None:
    """Exit record and last facts have their room from the start."""
    with small_disk(tmp_path / "disk", 1024) as disk:
        runs.root = disk / "runs"
        directory = runs.start(["sh", "-c", f"until [ -e {tmp_path}/go ]; do sleep 0.01; done; echo x; exit 3"])
        fill(disk)
        (tmp_path / "go").touch()
        record = until(directory.exit)
        assert (record.exit_code, record.dropped) == (3, 2)
        assert [found.name for found in facts(directory)] == ["started", "output_dropped", "exited"]
        assert fact(directory, "output_dropped").fields["bytes"] == 2  # type: ignore[union-attr]


def test_the_end_waits_for_room_and_is_told_then(runs: Runs, tmp_path: Path) -> None:
    """More facts than have room: they wait, the shim still answers, and what is recorded makes room for them."""
    with small_disk(tmp_path / "disk", 1024) as disk:
        runs.root = disk / "runs"
        directory = runs.start(full_writer(tmp_path, 2_000, 0), stdin="pipe")
        (tmp_path / "one").touch()
        until(lambda: len(output(directory)) == 2_000 * LINE)
        fill(disk)
        for rev in range(1, 400):
            tell(directory, "pause" if rev % 2 else "resume", rev=rev)
        tell(directory, "resume", rev=400)
        (tmp_path / "two").touch()
        until(lambda: directory.proc().pid not in pids(directory))  # type: ignore[union-attr]
        assert directory.exit() is None
        tell(directory, "recorded", out=2_000 * LINE, err=0)
        record = until(directory.exit)
        assert (record.exit_code, record.dropped) == (0, 0)
        found = [entry.fields["rev"] for entry in facts(directory) if entry.name in ("paused", "resumed")]
        assert found == list(range(1, 401))
        assert facts(directory)[-1].name == "exited"


def pids(directory: RunDirectory) -> list[int]:
    """The children of an attempt's shim."""
    proc = directory.proc()
    assert proc is not None
    return [int(pid) for pid in Path(f"/proc/{proc.shim_pid}/task/{proc.shim_pid}/children").read_text().split()]


def fill(disk: Path) -> None:
    """Leave no block free."""
    with (disk / "filler").open("wb", buffering=0) as file:
        size = MIB
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2


def test_nothing_is_executed_where_its_end_could_not_be_told(runs: Runs, tmp_path: Path) -> None:
    """On a full disk no directory is made; with room for that alone, the shim refuses before anything is forked."""
    with small_disk(tmp_path / "disk", 256) as disk:
        runs.root = disk / "runs"
        fill(disk)
        with pytest.raises(OSError, match="No space left"):
            runs.create(["touch", str(tmp_path / "executed")])
        assert [path.name for path in runs.root.glob("*")] == []
        free(disk, 3 * 4096)
        directory = runs.create(["touch", str(tmp_path / "executed")])
        fill(disk)
        # Enough for the words of the start, not for those of the end.
        free(disk, 2 * 4096)
        shim = runs.zygote.spawn(directory.path)
        until(lambda: not procfs.is_alive(shim))
        assert directory.settle() is Settled.NEVER_WILL or directory.exit()
        assert not (tmp_path / "executed").exists()


def free(disk: Path, size: int) -> None:
    """Take so much back from what fills a disk."""
    os.truncate(disk / "filler", os.stat(disk / "filler").st_size // 4096 * 4096 - size)


@pytest.mark.parametrize("files", [4, 8, 12, 16])
def test_a_zygote_without_descriptors_refuses(runs: Runs, tmp_path: Path, files: int) -> None:
    """The start is refused with a clear word or proven not to come, nothing leaks, running agents go on."""
    running = runs.start(["sh", "-c", f"until [ -e {tmp_path}/go ]; do sleep 0.01; done; echo on"])
    pid = runs.zygote.pid
    open_before = len(os.listdir(f"/proc/{pid}/fd"))
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (files, before[1]))
    directory = runs.create(["touch", str(tmp_path / "executed")])
    shim = runs.zygote.spawn(directory.path)
    until(lambda: not procfs.is_alive(shim))
    record = directory.exit()
    if record is None:
        assert directory.settle() is Settled.NEVER_WILL
        assert "Too many open files" in (runs.state / "zygote.log").read_text()
    else:
        assert "Too many open files" in (record.spawn_error or "")
    assert not (tmp_path / "executed").exists()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    assert len(os.listdir(f"/proc/{pid}/fd")) == open_before
    _, record = runs.run(["touch", str(tmp_path / "again")])
    assert (record.exit_code, (tmp_path / "again").exists()) == (0, True)
    (tmp_path / "go").touch()
    until(running.exit)
    assert lines(running) == ["on"]


@pytest.mark.parametrize("stdio", ["pipe", "file"])
def test_waiting_for_room_is_not_being_idle(runs: Runs, stdio: str) -> None:
    """Neither the idle nor, while frozen, the wall limit counts it; and it goes on where there is room again."""
    allowed = {"idle_s": 1.0} | ({"wall_s": 2.0} if stdio == "file" else {})
    # A moment just behind the cap: a file's writer is frozen when it is seen, which takes a while.
    script = (
        "import os, select\n"
        "for i in range(100):\n"
        "    os.write(1, b'x' * 99_999 + b'\\n')\n"
        "    if i == 84: select.select([], [], [], 0.5)\n"
    )
    directory = runs.start([*PYTHON, script], stdio=stdio, spool_cap_bytes=8 * MIB, **allowed)
    until(lambda: limits(directory))
    began = fact(directory, "limit")
    assert began is not None
    until(lambda: time.time() - began.ts / 1000 > 2.2)
    assert directory.exit() is None
    size = len(output(directory))
    tell(directory, "recorded", out=size, err=0)
    until(lambda: directory.exit() or len(output(directory)) > size)
    until(lambda: directory.exit() or tell_recorded(directory))
    record = directory.exit()
    assert record is not None
    assert (record.limit, record.exit_code, record.sizes.out) == (None, 0, 10_000_000)


def tell_recorded(directory: RunDirectory) -> bool:
    """Everything so far is recorded; False, so that it can be waited upon."""
    try:
        tell(directory, "recorded", out=os.stat(directory.path / "out").st_size, err=0)
    except OSError:
        return False
    return False


def test_unfinished_lines_never_freeze_for_ever(runs: Runs) -> None:
    """In file mode two unfinished lines and what is not told yet always leave room below the smallest cap."""
    script = (
        "import os, select\n"
        "for stream, size in ((1, 1_300_000), (2, 1_300_000), (1, 500_000)):\n"
        "    os.write(stream, b'x' * size)\n"
        "    select.select([], [], [], 0.2)\n"
    )
    _, record = runs.run([*PYTHON, script], stdio="file", spool_cap_bytes=1)
    assert (record.exit_code, record.sizes.out, record.sizes.err) == (0, 1_800_000, 1_300_000)


def test_a_progress_bar_is_one_line(runs: Runs) -> None:
    """Thousands of updates by carriage return stay what they are: bytes of one line."""
    script = "import os\nfor i in range(5000): os.write(1, b'\\r%3d%%' % (i // 50))\nos.write(1, b'\\rdone\\n')"
    directory, _ = runs.run([*PYTHON, script])
    assert output(directory).count(b"\n") == 1
    assert output(directory).count(b"\r") == 5001


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal of its own."""
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield Journal(descriptor, lambda: {"out": 0, "err": 0})
    os.close(descriptor)


def said(tmp_path: Path) -> list[tuple[str, int]]:
    """What such a journal says of waiting."""
    found = [entry.fields for entry in read_facts(tmp_path, 0)[0]]
    return [(fields["state"], fields["times"]) for fields in found]


def test_a_thousand_waits_are_two_facts(journal: Journal, tmp_path: Path) -> None:
    """The first at once, the rest together: a flood does not flood its own timeline."""
    pressure = Pressure(journal, ("held", "flowing"))
    assert pressure.left() is None
    for _ in range(1000):
        pressure.begin()
        pressure.end()
    assert said(tmp_path) == [("held", 1)]
    left = pressure.left()
    assert left is not None
    assert 50 < left <= 60
    pressure.say(at_once=True)
    assert said(tmp_path) == [("held", 1), ("flowing", 1000)]
    assert pressure.left() is None
    pressure.end()
    pressure.say(at_once=True)
    assert len(said(tmp_path)) == 2


def test_only_the_shim_itself_finds_that_there_is_no_room(runs: Runs) -> None:
    """A worker's word that there is much is a reason to look: who was frozen by it alone would be thawed by nobody."""
    directory = runs.start(["sh", "-c", "head -c 1000 /dev/zero; exec sleep 60"], stdio="file")
    until(lambda: len(output(directory)) == 1000)
    tell(directory, "cap", on=True)
    assert not tell(directory, "status")["frozen"]
    assert limits(directory) == []
