"""The program behind the replay backend: writes a recorded attempt's output again. Standard library only.

`python -I -S replay_agent.py DIRECTORY SPEED`: the bytes of `out` and `err` come in the order of `idx`, at their
recorded times divided by SPEED (0: as fast as they are taken); then it ends as the recorded program did, by exit code
or signal, and by SIGKILL where nobody saw how. Without `idx`, where the program wrote into files, there are neither
order nor times: `out` comes first, all at once.
"""

import array
import fcntl
import json
import os
import resource
import signal
import stat
import struct
import sys
import termios
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_ENTRY = struct.Struct("<BxxxxxxxQQ")
_BLOCK = _ENTRY.size * 1024
_CHUNK = 65536
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.0002, 0.005
_BEHIND_S = 1.0
"""Whoever was kept from writing for longer, by a pause or a full spool, goes on from there and catches nothing up."""
_GONE = 70


def main() -> None:
    """Replay, then end as the recorded program ended."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    directory, speed = sys.argv[1], float(sys.argv[2])
    try:
        # All at once, first: whatever is deleted from now on can still be read.
        files = [_open(directory, name) for name in ("out", "err", "idx", "journal")]
        ending = _ending(directory)
    except (OSError, ValueError) as error:
        os.write(2, f"The recording cannot be read: {error}\n".encode())
        os._exit(_GONE)
    Player(files, speed).play()
    _end(ending)


def _open(directory: str, name: str) -> int:
    try:
        return os.open(os.path.join(directory, name), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


def _ending(directory: str) -> "dict[str, Any]":
    """The exit record; empty where the recorded attempt had none. Raises OSError where the recording is gone."""
    os.stat(os.path.join(directory, "spec.json"))
    try:
        with open(os.path.join(directory, "exit"), "rb") as file:
            return dict(json.load(file))
    except FileNotFoundError:
        return {}


def _end(ending: "dict[str, Any]") -> None:
    code = ending.get("exit_code")
    if code is not None:
        os._exit(code)
    number = ending.get("signal") or signal.SIGKILL
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


class Player:
    """Writes the spools behind the descriptors `out`, `err`, `idx`, `journal` to standard output and error."""

    def __init__(self, files: "list[int]", speed: float) -> None:
        self._spools, self._idx, self._journal = files[:2], files[2], files[3]
        self._speed = speed
        self._at = [0, 0]
        self._last = 0
        self._begun = time.monotonic()
        self._is_pipe = [stat.S_ISFIFO(os.fstat(number).st_mode) for number in (1, 2)]

    def play(self) -> None:
        """Everything, in order."""
        first = self._started_ns()
        for stream, end, ns in self._entries():
            first = ns if first is None else min(first, ns)
            if end > self._at[stream]:
                self._wait_until((ns - first) / 1e9)
                self._write(stream, end)
        for stream in (0, 1):
            self._write(stream, os.fstat(self._spools[stream]).st_size)

    def _started_ns(self) -> "int | None":
        """When the recorded program was started; None where the journal does not say."""
        try:
            return int(json.loads(os.pread(self._journal, _CHUNK, 0).partition(b"\n")[0])["t"]) * 1_000_000
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _entries(self) -> "Iterator[tuple[int, int, int]]":
        at = 0
        while data := os.pread(self._idx, _BLOCK, at):
            whole = len(data) // _ENTRY.size * _ENTRY.size
            if not whole:
                return
            yield from _ENTRY.iter_unpack(data[:whole])
            at += whole

    def _wait_until(self, recorded_s: float) -> None:
        if self._speed <= 0:
            return
        left = self._begun + recorded_s / self._speed - time.monotonic()
        if left > 0:
            time.sleep(left)
        elif left < -_BEHIND_S:
            self._begun -= left

    def _write(self, stream: int, end: int) -> None:
        """Write a stream up to `end`; where the other one was written last, only once its reader has taken that."""
        if stream != self._last:
            self._wait_taken(self._last)
            self._last = stream
        while self._at[stream] < end:
            data = os.pread(self._spools[stream], min(_CHUNK, end - self._at[stream]), self._at[stream])
            if not data:
                return
            self._at[stream] += os.write(stream + 1, data)

    def _wait_taken(self, stream: int) -> None:
        """Two pipes tell their reader no order between them, unless one is empty before the other is written."""
        waiting, pause_s = array.array("i", [0]), _FIRST_PAUSE_S
        while self._is_pipe[stream]:
            fcntl.ioctl(stream + 1, termios.FIONREAD, waiting)
            if not waiting[0]:
                return
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


if __name__ == "__main__":
    main()
