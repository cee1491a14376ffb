"""The replay program as a process on spools made by hand."""

import json
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from agentrunner.agents.replay import PROGRAM

_ENTRY = struct.Struct("<BxxxxxxxQQ")
SECOND = 1_000_000_000


def spool(directory: Path, entries: list[tuple[int, bytes, float]], ending: Any = None, rest: bytes = b"") -> Path:
    """A recorded directory: pieces of (stream, bytes, seconds since the start), then output that no entry covers."""
    ends, index = [0, 0], b""
    for name in ("out", "err"):
        (directory / name).write_bytes(b"")
    for stream, data, at_s in entries:
        ends[stream] += len(data)
        index += _ENTRY.pack(stream, ends[stream], 5 * SECOND + round(at_s * SECOND))
        with (directory / ("out", "err")[stream]).open("ab") as file:
            file.write(data)
    with (directory / "out").open("ab") as file:
        file.write(rest)
    (directory / "idx").write_bytes(index + b"half an entry")
    (directory / "journal").write_text(json.dumps({"fact": "started", "t": 5000}) + "\n")
    (directory / "spec.json").write_text("{}")
    if ending is not None:
        (directory / "exit").write_text(json.dumps(ending))
    return directory


def play(directory: Path, speed: str = "0") -> subprocess.CompletedProcess[bytes]:
    """Run it to its end."""
    argv = [sys.executable, "-I", "-S", str(PROGRAM), str(directory), speed]
    return subprocess.run(argv, capture_output=True, timeout=20, check=False)


def test_bytes_and_exit_code(tmp_path: Path) -> None:
    """Every byte once, also those that a killed shim had not indexed."""
    pieces = [(0, b"a\n", 0), (1, b"x\n", 0), (0, b"\xff\x00" * 100_000, 9.0)]
    done = play(spool(tmp_path, pieces, {"exit_code": 7, "signal": None}, rest=b"tail"))
    assert (done.stdout, done.stderr, done.returncode) == (b"a\n" + b"\xff\x00" * 100_000 + b"tail", b"x\n", 7)


def test_ends_by_signal(tmp_path: Path) -> None:
    """By the recorded one, and by SIGKILL where nobody saw how."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert play(spool(tmp_path / "a", [], {"exit_code": None, "signal": 15})).returncode == -signal.SIGTERM
    assert play(spool(tmp_path / "b", [(0, b"last words", 0)])).returncode == -signal.SIGKILL


def test_times(tmp_path: Path) -> None:
    """A second recorded takes a quarter of one at speed 4, from the start and not from the first byte."""
    directory = spool(tmp_path, [(0, b"a", 1.0), (0, b"b", 2.0)], {"exit_code": 0})
    begun = time.monotonic()
    assert play(directory, "4").stdout == b"ab"
    assert 0.5 <= time.monotonic() - begun


def test_a_second_stream_waits_for_the_reader_of_the_first(tmp_path: Path) -> None:
    """What comes first is taken before the other stream is written; a slow reader loses nothing."""
    directory = spool(tmp_path, [(0, b"first", 0), (1, b"second", 0), (0, b"third", 0)], {"exit_code": 0})
    argv = [sys.executable, "-I", "-S", str(PROGRAM), str(directory), "0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert os.read(process.stdout.fileno(), 100) == b"first"
        assert os.read(process.stderr.fileno(), 100) == b"second"
        assert os.read(process.stdout.fileno(), 100) == b"third"
        assert process.wait(10) == 0


def test_a_recording_that_is_gone(tmp_path: Path) -> None:
    """It says so and fails, and is not taken for an empty one."""
    done = play(tmp_path / "gone")
    assert done.returncode == 70
    assert b"The recording cannot be read" in done.stderr
