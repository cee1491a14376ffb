"""An agent that keeps its own books: three processes write numbered lines to stdout and stderr and into a ledger.

`python -I -S writer.py DIRECTORY '{"lines": 200, "every": 0.02, "width": 80, "code": 0, "leaver": false}'`

The parent, a child, and a double-forked child in a session of its own write `lines` lines each, alternating between the
streams, `every` seconds apart. A line goes to the stream by one write and then to `DIRECTORY/<tag>-<stream>` by one
O_APPEND write, so whatever kills a writer, the stream holds what the ledger holds and at most one line more. Each start
appends pid, start time and attempt to `DIRECTORY/starts`. SIGINT and SIGTERM end a writer behind a whole line. With
`leaver` the double-forked child never ends by itself: the runner has to end it.
"""

import json
import os
import random
import signal
import sys
import time

STREAMS = (("out", 1), ("err", 2))
stopped = False


def main() -> None:
    """Write, wait for the others, exit with the code that was asked for."""
    directory, plan = sys.argv[1], json.loads(sys.argv[2])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    with open("/proc/self/stat") as file:
        started = file.read().rpartition(")")[2].split()[19]
    append(f"{directory}/starts", f"{os.getpid()} {started} {os.environ.get('AGENTRUNNER_ATTEMPT', '')}\n".encode())
    child = os.fork()
    if child == 0:
        write(directory, "child", plan)
        os._exit(0)
    ended = fork_twice(directory, plan)
    write(directory, "parent", plan)
    if stopped:
        sys.exit(130)
    os.waitpid(child, 0)
    if not plan.get("leaver"):
        os.read(ended, 1)
    sys.exit(plan["code"])


def fork_twice(directory: str, plan: "dict[str, object]") -> int:
    """Start the writer that is no child of ours; its end of file on the answered pipe says that it has ended."""
    ended, held = os.pipe()
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
            os.close(ended)
            write(directory, "orphan", {**plan, "lines": 1 << 60} if plan.get("leaver") else plan)
        os._exit(0)
    os.close(held)
    return ended


def write(directory: str, tag: str, plan: "dict[str, object]") -> None:
    """Write this process's lines."""
    chance = random.Random(tag)
    ledgers = {name: open_ledger(f"{directory}/{tag}-{name}") for name, _ in STREAMS}
    for number in range(1, plan["lines"] + 1):  # type: ignore[operator]
        if stopped:
            return
        name, stream = STREAMS[chance.random() < 0.3]
        line = f"{tag} {number} ".encode().ljust(plan["width"] - 1, b".") + b"\n"  # type: ignore[operator, arg-type]
        os.write(stream, line)
        os.write(ledgers[name], line)
        time.sleep(plan["every"])  # type: ignore[arg-type]


def open_ledger(path: str) -> int:
    """A ledger to append to."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def append(path: str, data: bytes) -> None:
    """One write at a file's end."""
    ledger = open_ledger(path)
    os.write(ledger, data)
    os.close(ledger)


def stop(number: int, frame: object) -> None:
    """End behind the line being written."""
    global stopped
    stopped = True


if __name__ == "__main__":
    main()
