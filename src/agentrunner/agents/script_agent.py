"""The program behind the script backend: plays a compiled scenario. Standard library only, so that it starts fast.

`python -I -S script_agent.py [FILE]`: the scenario is JSON, `[[word, {field: value}], …]`, from FILE or from the first
line of stdin; later lines of stdin are what `read` steps get.
"""

import json
import os
import resource
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_STREAMS = {"stdout": 1, "stderr": 2}
_CHUNK = 65536


def main() -> None:
    """Play the scenario, then exit 0."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if len(sys.argv) > 1:
        with open(sys.argv[1], "rb") as file:
            steps = json.load(file)
    else:
        steps = json.loads(sys.stdin.buffer.readline())
    for word, fields in steps:
        _STEPS[word](**fields)


def put(stream: str, data: bytes) -> None:
    """Write all of `data`; a closed stream takes nothing."""
    try:
        while data:
            data = data[os.write(_STREAMS[stream], data) :]
    except OSError:
        return


def say(stream: str, text: str) -> None:
    """Write a line by one write, so that lines of several processes do not mix."""
    put(stream, text.encode("utf-8", "surrogateescape") + b"\n")


def emit(
    text: str = "",
    lines: "list[str] | None" = None,
    repeat: int = 1,
    every: float = 0,
    stream: str = "stdout",
    numbered: bool = False,
) -> None:
    """Write lines, `every` seconds between two; `numbered` counts them from 1."""
    count = 0
    for _ in range(repeat):
        for line in [text] if lines is None else lines:
            if every and count:
                time.sleep(every)
            count += 1
            say(stream, f"{count} {line}" if numbered else line)


def write(path: str, text: str = "", append: bool = False) -> None:
    """Write a file."""
    with open(path, "a" if append else "w", encoding="utf-8") as file:
        file.write(text)


def spawn(count: int = 1, double_fork: bool = False, **life: "Any") -> None:
    """Start children that outlive this program; each says `child PID` once it is what it was asked to be."""
    for _ in range(count):
        ready, announced = os.pipe()
        if os.fork() == 0:
            os.close(ready)
            _become_child(announced, double_fork, life)
        os.close(announced)
        if double_fork:
            os.wait()
        # End of file says that the child has announced itself, or died trying.
        os.read(ready, 1)
        os.close(ready)


def _become_child(announced: int, double_fork: bool, life: "dict[str, Any]") -> None:
    try:
        if double_fork and os.fork():
            os._exit(0)
        _live(announced, **life)
    finally:
        os._exit(1)


def _live(announced: int, **life: "Any") -> None:
    if life.get("setsid"):
        os.setsid()
    ignore_signals(life.get("ignore", []))
    if "pids" in life:
        append(life["pids"], f"{os.getpid()}\n")
    say("stdout", f"child {os.getpid()}")
    if life.get("quiet"):
        close(["stdout", "stderr"])
    os.close(announced)
    time.sleep(life.get("lifetime", 3600))
    os._exit(0)


def append(path: str, text: str) -> None:
    """Append to a file by one write, so that what several processes write does not mix and no kill tears it."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, text.encode())
    os.close(file)


def leave_session() -> None:
    """Become a session leader; a process group leader cannot, so its child goes on and it waits for that child."""
    if os.getpid() != os.getpgid(0):
        os.setsid()
        return
    child = os.fork()
    if child == 0:
        os.setsid()
        return
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        die_by(-code)
    os._exit(code)


def ignore_signals(signals: "list[int]") -> None:
    """Ignore signals from here on; children inherit it."""
    for number in signals:
        signal.signal(number, signal.SIG_IGN)


def flood(bytes: int, line: int = 80, stream: str = "stdout") -> None:
    """Write exactly `bytes` bytes: lines of `line` bytes, newline included, numbered where there is room for it.

    The last line may be shorter; 0 writes one line that never ends.
    """
    written = number = 0
    batch = max(_CHUNK // max(line, 1), 1)
    while written < bytes:
        data = _lines(number, batch, line)[: bytes - written]
        put(stream, data)
        number += batch
        written += len(data)


def _lines(start: int, count: int, length: int) -> bytes:
    if length < 14:
        return (b"x" * (length - 1) + b"\n" if length else b"x") * count
    pad = b"x" * (length - 14) + b"\n"
    return b"".join([b"%012d " % number + pad for number in range(start, start + count)])


def close(streams: "list[str]") -> None:
    """Close standard streams."""
    for stream in streams:
        try:
            os.close(_STREAMS[stream])
        except OSError:
            continue


def crash(signal: "list[int] | None" = None, exit: int = 70) -> None:
    """End at once, without cleaning up: by a signal or with an exit code."""
    for number in signal or []:
        die_by(number)
    os._exit(exit)


def die_by(number: int) -> None:
    """Send oneself a signal whose default action is in force again; leaves no core file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def leave(code: int = 0) -> None:
    """Exit in good order."""
    sys.exit(code)


def read(prefix: str = "") -> None:
    """Read a line of stdin and say it; the end of stdin is said too."""
    line = sys.stdin.buffer.readline()
    text = line.rstrip(b"\n").decode("utf-8", "surrogateescape") if line else "(end of input)"
    say("stdout", prefix + text)


def ledger(path: str, lines: int = 1000, every: float = 0, width: int = 0) -> None:
    """Numbered lines `ledger N PID` to stdout, then to the file: what stands in the file has been said before."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for number in range(1, lines + 1):
        if every and number > 1:
            time.sleep(every)
        line = f"ledger {number} {os.getpid()}".ljust(width, ".").encode() + b"\n"
        put("stdout", line)
        os.write(file, line)
    os.close(file)


_STEPS: "dict[str, Callable[..., None]]" = {
    "emit": emit,
    "sleep": lambda seconds: time.sleep(seconds),
    "write": write,
    "spawn": spawn,
    "setsid": leave_session,
    "ignore": lambda signals: ignore_signals(signals),
    "flood": flood,
    "close": close,
    "crash": crash,
    "exit": leave,
    "read": read,
    "ledger": ledger,
}

if __name__ == "__main__":
    main()
