"""The processes of one data directory, as /proc shows them, proven by pid and start time before anything is signalled.

Zombies count as gone: whoever is to reap them is another matter.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_SHIM = ("shim ", "agentrunner-shi")


class Process(NamedTuple):
    """A process that was there when it was looked for; `started` in clock ticks since boot."""

    pid: int
    started: int
    parent: int
    name: str
    command: str

    @property
    def is_alive(self) -> bool:
        """Whether this very process still is."""
        return (now := look(self.pid)) is not None and now.started == self.started

    @property
    def kind(self) -> str:
        """server, worker, zygote, shim, or agent for everything else."""
        words = self.command.split()
        if "agentrunner.app" in words:
            return words[words.index("agentrunner.app") + 1]
        # A shim is forked and not executed, so its command line may still be its zygote's.
        if any(word.startswith(_SHIM) for word in (self.name, self.command)):
            return "shim"
        if any(word.endswith("/zygote.py") for word in words):
            return "zygote"
        return "up" if "up" in words and "agentrunner" in self.command else "agent"

    @property
    def resident_bytes(self) -> int:
        """Memory that it holds now."""
        return int((_PROC / str(self.pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def send(self, number: signal.Signals) -> bool:
        """Signal this very process; False where it is gone."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            # The start time is looked at behind pidfd_open: from there on the pid cannot become somebody else's.
            if not self.is_alive:
                return False
            signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(descriptor)
        return True

    def kill(self) -> bool:
        """SIGKILL it; False where it is gone."""
        return self.send(signal.SIGKILL)


def look(pid: int) -> Process | None:
    """The process with this pid, or None where there is none or only its zombie."""
    try:
        name, _, rest = (_PROC / str(pid) / "stat").read_text().partition("(")[2].rpartition(") ")
        command = (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    stat = rest.split()
    return None if stat[0] in "ZX" else Process(pid, int(stat[19]), int(stat[1]), name, command)


def everything() -> Iterator[Process]:
    """Every process that there is."""
    for name in os.listdir(_PROC):
        if name.isdecimal() and (process := look(int(name))) is not None:
            yield process


def of_directory(data_dir: Path, *kinds: str) -> list[Process]:
    """Every process (of some kinds) that has to do with a data directory: by what it was started with, or has open.

    This process itself and its ancestors are left out.
    """
    mine = _ancestors()
    candidates = [process for process in everything() if not kinds or process.kind in kinds]
    return [process for process in candidates if process.pid not in mine and _concerns(process, str(data_dir))]


def agents(data_dir: Path) -> list[Process]:
    """What agents of this data directory left or have running: everything but the product's own processes."""
    return of_directory(data_dir, "agent")


def children(parent: Process) -> list[Process]:
    """The children of a process."""
    return [process for process in everything() if process.parent == parent.pid]


def _ancestors() -> set[int]:
    found, pid = {os.getpid()}, os.getppid()
    while pid > 0 and (process := look(pid)) is not None:
        found.add(pid)
        pid = process.parent
    return found


def _concerns(process: Process, directory: str) -> bool:
    if directory in process.command:
        return True
    root = _PROC / str(process.pid)
    try:
        if directory.encode() in (root / "environ").read_bytes():
            return True
        links = [root / "cwd", *(root / "fd").iterdir()]
        return any(_target(link).startswith(directory) for link in links)
    except OSError:
        return False


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""
