"""Floods, caps and full disks: disk and memory stay bounded, and what is said about it is true."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentrunner.process.output import LEAST_CAP
from agentrunner.process.spool import SpoolReader
from process.attempts import Attempt, Host, host_in, passed
from waiting import until

MIB = 1 << 20
CAP = LEAST_CAP
NUMBERED = """
import os, sys
count, step = int(sys.argv[1]), 1000
for first in range(0, count, step):
    os.write(1, b"".join(b"%0199d\\n" % number for number in range(first, first + step)))
"""


def disk(attempt: Attempt) -> int:
    """Bytes of disk that an attempt's spools use."""
    names = ("out", "err", "idx")
    return sum((attempt.path / name).stat().st_blocks * 512 for name in names if (attempt.path / name).exists())


def recorded(attempt: Attempt, out: int) -> None:
    """Say that so much is stored elsewhere."""
    attempt.tell("recorded", out=out, err=0)


def read_on(attempt: Attempt, reader: SpoolReader, at: int) -> bytes:
    """What there is behind `at`, a MiB at most."""
    sizes = reader.sizes()
    return b"".join(c.data for c in reader.chunks({"out": at, "err": 0}, {"out": sizes["out"], "err": 0}, MIB))


@pytest.mark.parametrize("stdio", ["pipe", "file"])
def test_a_flood_is_held_at_the_cap(host: Host, stdio: str) -> None:
    """With nothing recorded the agent has to wait; with everything recorded it goes on, and no line is lost."""
    lines = 6 * CAP // 200 // 1000 * 1000
    attempt = host.python(NUMBERED, str(lines), stdio=stdio, spool_cap_bytes=CAP)
    until(lambda: len(attempt.output()) > CAP // 2)
    if stdio == "file":
        attempt.fact("frozen", cause="cap")
    peak = 0
    reader, at, found = SpoolReader(attempt.path, stdio == "pipe"), 0, []
    passed(0.3)
    held_at = (attempt.path / "out").stat().st_size
    passed(0.3)
    assert (attempt.path / "out").stat().st_size == held_at < lines * 200
    while attempt.directory.exit() is None or at < (attempt.path / "out").stat().st_size:
        data = read_on(attempt, reader, at)
        at += len(data)
        found.append(data)
        peak = max(peak, disk(attempt))
        if attempt.directory.exit() is None:
            try:
                recorded(attempt, at)
            except OSError:
                attempt.ended()
    reader.close()
    assert b"".join(found) == b"".join(b"%0199d\n" % number for number in range(lines))
    slack = MIB if stdio == "pipe" else 4 * CAP
    assert peak <= CAP + slack, (peak, CAP)


def test_recorded_bytes_are_given_back_and_the_rest_is_not(host: Host) -> None:
    """Offsets stay valid: what is punched out reads as zeros, what is not recorded is untouched."""
    lines = CAP * 7 // 8 // 200
    attempt = host.python(
        NUMBERED + "\nsys.stdin.read(1)", str(lines // 1000 * 1000), stdin="pipe", spool_cap_bytes=CAP
    )
    total = lines // 1000 * 200_000
    until(lambda: len(attempt.output()) == total)
    before = attempt.output()
    recorded(attempt, total // 2)
    attempt.tell("input", id=1, text="go")
    attempt.ended()
    after = attempt.output()
    assert len(after) == total
    assert after[total // 2 :] == before[total // 2 :]


def test_a_pause_goes_before_a_cap(host: Host) -> None:
    """A run that is paused while its spool is full stays paused when room comes, until it is resumed."""
    attempt = host.python(NUMBERED, str(4 * CAP // 200), stdio="file", spool_cap_bytes=CAP)
    attempt.fact("frozen", cause="cap", timeout=20)
    attempt.tell("pause", rev=1)
    attempt.fact("paused", rev=1)
    size = (attempt.path / "out").stat().st_size
    recorded(attempt, size)
    attempt.fact("thawed", cause="cap")
    assert attempt.tell("status")["frozen"] is True
    assert (attempt.path / "out").stat().st_size == size
    attempt.tell("stop", rev=2, grace_s=0)
    assert attempt.ended().stopped is True


@pytest.mark.parametrize("stdio", ["pipe", "file"])
def test_a_run_held_by_its_cap_can_be_stopped(host: Host, stdio: str) -> None:
    """It dies in time although nobody reads."""
    attempt = host.python(NUMBERED, str(8 * CAP // 200), stdio=stdio, spool_cap_bytes=CAP, grace_s=0.6)
    until(lambda: (attempt.path / "out").exists() and (attempt.path / "out").stat().st_size >= CAP * 3 // 4)
    attempt.tell("stop", rev=1)
    assert attempt.ended().stopped is True


@pytest.mark.parametrize("stdio", ["pipe", "file"])
def test_the_total_of_output_is_a_limit(host: Host, stdio: str) -> None:
    """What is written in all ends the run under the limit's name."""
    attempt = host.shell("while :; do echo 0123456789; done", stdio=stdio, output_bytes=100_000, grace_s=0.5)
    record = attempt.ended()
    assert (record.limit, record.stopped) == ("output_mb", False)
    if stdio == "pipe":
        assert len(attempt.output()) <= 100_000
    attempt.fact("limit", limit="output_mb")


def test_bytes_stay_bytes(host: Host) -> None:
    """Invalid UTF-8, NUL and carriage returns are in the spool as they were written."""
    raw = bytes(range(256)) * 4 + b"\r\n\0\xff\xfe no newline at the end"
    attempt = host.python("import os, sys; os.write(1, bytes.fromhex(sys.argv[1]))", raw.hex())
    attempt.ended()
    assert attempt.output() == raw


def test_a_line_of_100_mb_costs_no_memory(host: Host) -> None:
    """The shim only moves it on; its memory does not grow with it."""
    script = "import os\nos.write(1, b'a')\ninput()\nfor _ in range(100): os.write(1, bytes(1 << 20))\ninput()"
    attempt = host.python(script, stdin="pipe", spool_cap_bytes=1 << 30)
    attempt.says(b"a")
    attempt.tell("input", id=1, text="")
    before = _rss_kb(attempt.shim)
    until(lambda: (attempt.path / "out").stat().st_size == (100 << 20) + 1, 30)
    assert _rss_kb(attempt.shim) - before < 2048
    attempt.tell("input", id=2, text="")
    assert attempt.ended().exit_code == 0


def _rss_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def test_out_and_err_keep_their_order(host: Host) -> None:
    """Written in turn with a pause in between, they are read in turn, with times that do not go back."""
    script = "import os, time\nfor n in range(20):\n    os.write(1 + n % 2, b'%d\\n' % n); time.sleep(0.005)"
    attempt = host.python(script)
    record = attempt.ended()
    reader = SpoolReader(attempt.path, True)
    chunks = reader.chunks({"out": 0, "err": 0}, {"out": record.sizes.out, "err": record.sizes.err}, MIB)
    reader.close()
    assert [int(number) for chunk in chunks for number in chunk.data.split()] == list(range(20))
    times = [chunk.ts for chunk in chunks]
    assert times == sorted(times)
    assert times[-1] > times[0]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB; only root can make one."""
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", tmp_path], capture_output=True).returncode
    ):
        pytest.skip("no file system can be mounted here")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


def test_a_full_disk_ends_no_run(small_disk: Path) -> None:
    """The agent goes on to its end; what had no room is counted, said, and recorded with the exit."""
    with host_in(small_disk) as host:
        attempt = host.python(NUMBERED, str(20_000), spool_cap_bytes=64 * MIB)
        record = attempt.ended(30)
        assert record.exit_code == 0
        assert record.dropped > 0
        assert record.dropped + record.sizes.out == 20_000 * 200
        kept = attempt.output()
        assert len(kept) == record.sizes.out
        dropped = [fact.fields for fact in attempt.facts() if fact.name == "output_dropped"]
        assert sum(fields["bytes"] for fields in dropped) == record.dropped
        assert attempt.facts()[-1].name == "exited"
        host.end_attempts()
