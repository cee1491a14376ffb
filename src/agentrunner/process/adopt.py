"""Run directories as a worker sees them: what was asked for, what became of it, and how to speak to its shim.

Layout, version 2: `spec.json`, `prompt`, `lock`, `start` (a second name of `lock`), `proc.json`, `journal`, `ctl`,
`exit`; of a pipe `out`, `err` and `idx` are there from their first byte on.
"""

import errno
import fcntl
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from agentrunner.process import cgroups, tree
from agentrunner.process.procfs import boot_id, start_time

LAYOUT = 2
READABLE = frozenset({LAYOUT - 1, LAYOUT})
"""What the version before has written is read; its shims go on until their agents end."""
RECORDED = "recorded"
"""The file that says that everything of a directory is stored."""
_KILL_S = 30.0
_MOST_MISSING = 2

_this_boot = cache(boot_id)


class UnknownLayout(OSError):
    """The directory was written by another version of Agent Runner, which this one cannot read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """`spec.json`: everything a shim needs to know. Sizes in bytes, times in seconds, `deadline` on CLOCK_BOOTTIME.

    `owner` is pid and start time of a process with which the run ends.
    """

    instance: str
    uid: str
    backend: str
    run: int
    attempt: int
    epoch: int
    argv: list[str]
    env: dict[str, str]
    cwd: str
    stdio: str = "pipe"
    stdin: str = "null"
    prompt: str | None = None
    secrets: list[str] = field(default_factory=list)
    wall_s: float | None = None
    idle_s: float | None = None
    start_s: float | None = None
    output_bytes: int | None = None
    memory_mb: int | None = None
    cpu: float | None = None
    pids: int | None = None
    spool_cap_bytes: int = 256 << 20
    grace_s: float = 10.0
    tree: str | None = None
    deadline: float | None = None
    stall: str | None = None
    owner: list[int] | None = None
    layout: int = LAYOUT


class _Layout(msgspec.Struct, frozen=True):
    layout: Any = None


class Proc(msgspec.Struct, frozen=True):
    """`proc.json`: who runs there; pids with start times in clock ticks; `groups` keep its limits."""

    layout: int
    instance: str
    uid: str
    boot_id: str
    shim_pid: int
    shim_start: int
    pid: int
    start_time: int
    lock_device: int
    lock_inode: int
    tree: str
    tree_base: str
    groups: list[str] = []


class Sizes(msgspec.Struct, frozen=True):
    """Final sizes in bytes."""

    out: int
    err: int
    journal: int


class Used(msgspec.Struct, frozen=True):
    """CPU time of the whole tree in microseconds; the most memory, of all together where the kernel counts that."""

    cpu_us: int = 0
    memory_peak_bytes: int = 0


class ExitRecord(msgspec.Struct, frozen=True):
    """`exit`: how it ended. `step` is what made it end, `leftover` how many processes were left then.

    `dropped` are bytes that could not be kept, `reaped` the processes collected besides the agent.
    """

    exit_code: int | None
    signal: int | None
    spawn_error: str | None
    stopped: bool
    limit: str | None
    step: str | None
    leftover: int
    sizes: Sizes
    tree: str
    dropped: int = 0
    reaped: int = 0
    used: Used = Used()


class Settled(StrEnum):
    """The start gate, as a worker finds it."""

    STARTED = "started"
    UNDECIDED = "undecided"
    NEVER_WILL = "never_will"


class State(StrEnum):
    """What became of a started attempt."""

    ALIVE = "alive"
    EXITED = "exited"
    SHIM_LOST = "shim_lost"
    COPY = "copy"
    OTHER_BOOT = "other_boot"


class RunDirectory:
    """One directory; nothing is cached but what never changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._proc: Proc | None = None
        self._spec: Spec | None = None

    @classmethod
    def create(cls, root: Path, spec: Spec) -> "RunDirectory":
        """The next directory of an attempt, with its spec and prompt: `<uid>`, then `<uid>.2`, `<uid>.3`, …

        Raises OSError, with nothing left there.
        """
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = max(_numbers(root, spec.uid), default=0) + 1
        path = root / _name(spec.uid, number)
        path.mkdir(mode=0o700)
        try:
            _fill(path, spec)
        except OSError:
            # Nobody knows of it yet; left there, each try on a full disk would leave another one. No directory is read
            # for that: a descriptor may be what is missing.
            for name in ("prompt", "lock", "spec.tmp", "spec.json"):
                (path / name).unlink(missing_ok=True)
            path.rmdir()
            raise
        return cls(path)

    @classmethod
    def latest(cls, root: Path, uid: str) -> "RunDirectory | None":
        """The highest directory of an attempt that has a spec; None where there is none."""
        for number in sorted(_numbers(root, uid), reverse=True):
            path = root / _name(uid, number)
            if (path / "spec.json").exists():
                return cls(path)
        return None

    def spec(self) -> Spec:
        """What was asked for. Raises UnknownLayout."""
        if self._spec is None:
            content = json.loads((self.path / "spec.json").read_bytes())
            self._check_layout(content.get("layout"))
            self._spec = Spec(**content)
        return self._spec

    def proc(self) -> Proc | None:
        """Who runs there, once the gate is passed."""
        if self._proc is None and (data := _read(self.path / "proc.json")) is not None:
            self._check_layout(msgspec.json.decode(data, type=_Layout).layout)
            self._proc = msgspec.json.decode(data, type=Proc)
        return self._proc

    def _check_layout(self, layout: object) -> None:
        """Before anything else is read of a file: what another version means by it is not known."""
        if layout not in READABLE:
            raise UnknownLayout(f"{self.path} has layout {layout}; this version reads {min(READABLE)} to {LAYOUT}.")

    def exit(self) -> ExitRecord | None:
        """How it ended, once that is written."""
        data = _read(self.path / "exit")
        return None if data is None else msgspec.json.decode(data, type=ExitRecord)

    def settle(self) -> Settled:
        """One step at the start gate; never waits. Call it only where no start is on its way that should win.

        Creating `start` closes the gate to every shim that has not passed it. Whoever created it, the answer is certain
        once `proc.json` is there, or `lock` can be had and it still is not. Raises OSError.
        """
        if self.proc() is not None:
            return Settled.STARTED
        with self._locked() as is_free:
            is_closed = self._close_gate()
            if not is_free:
                return Settled.UNDECIDED
            if self.proc() is not None:
                return Settled.STARTED
            if not is_closed:
                # A rename needs neither inode nor block, and while `lock` is held here no shim passes.
                (self.path / "spec.json").rename(self.path / "start")
        return Settled.NEVER_WILL

    def _close_gate(self) -> bool:
        """Create `start`; False where the disk has no room even for that."""
        try:
            os.link(self.path / "lock", self.path / "start")
        except FileExistsError:
            pass
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            return False
        return True

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        """Hold `lock`; False where a shim does."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(descriptor)

    def _is_locked(self) -> bool:
        with self._locked() as is_free:
            return not is_free

    def state(self) -> State:
        """What became of the attempt; only after `settle` said STARTED."""
        proc = self.proc()
        assert proc is not None
        if self._is_copy(proc):
            return State.COPY
        if (self.path / "exit").exists():
            return State.EXITED
        if proc.boot_id != _this_boot():
            return State.OTHER_BOOT
        if self._is_locked():
            return State.ALIVE
        return State.EXITED if (self.path / "exit").exists() else State.SHIM_LOST

    def _is_copy(self, proc: Proc) -> bool:
        try:
            found = os.stat(self.path / "lock")
        except FileNotFoundError:
            return True
        is_other = (found.st_dev, found.st_ino) != (proc.lock_device, proc.lock_inode)
        return is_other or proc.uid != self.path.name.partition(".")[0]

    def open_shim(self) -> int | None:
        """A pidfd of the shim, proven by its start time; None where it is gone."""
        proc = self.proc()
        if proc is None or proc.boot_id != _this_boot():
            return None
        try:
            descriptor = os.pidfd_open(proc.shim_pid)
        except OSError:
            return None
        if start_time(proc.shim_pid) == proc.shim_start:
            return descriptor
        os.close(descriptor)
        return None

    def kill_leftovers(self) -> int:
        """End what a killed shim has left, and prove that nothing is; answers how many there were."""
        proc = self.proc()
        assert proc is not None
        left = tree.make(proc.tree, proc.tree_base, proc.instance, self.path.name)
        self._kill_agent(proc)
        found = left.kill(_KILL_S)
        left.remove()
        for group in proc.groups:
            cgroups.remove(group)
        return found

    def _kill_agent(self, proc: Proc) -> None:
        if proc.pid <= 0 or proc.boot_id != _this_boot():
            return
        try:
            descriptor = os.pidfd_open(proc.pid)
        except OSError:
            return
        try:
            if start_time(proc.pid) == proc.start_time:
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        except ProcessLookupError:
            pass
        finally:
            os.close(descriptor)

    def sizes(self) -> Sizes:
        """The sizes of the streams as they are now; final once the tree is empty."""
        return Sizes(*(_size(self.path / name) for name in ("out", "err", "journal")))

    def mark_recorded(self) -> None:
        """Everything of it is stored: it may be deleted after its retention."""
        (self.path / RECORDED).touch(mode=0o600)

    def recorded_at(self) -> float | None:
        """When that was, seconds since 1970; None where it is not yet."""
        try:
            return (self.path / RECORDED).stat().st_mtime
        except FileNotFoundError:
            return None


def foreign(root: Path, instance: str) -> list[Path]:
    """Live run directories of other instances: for people to look at, never to be touched."""
    others = [path for path in root.glob("*/*") if path.parent.name != instance and (path / "proc.json").exists()]
    return [path for path in others if is_live(path)]


def is_live(path: Path) -> bool:
    """True where a shim lives in this directory."""
    if os.path.exists(f"{path}/{RECORDED}"):
        return False
    try:
        directory = RunDirectory(path)
        return directory.proc() is not None and directory.state() is State.ALIVE
    except (OSError, msgspec.MsgspecError):
        return False


def _numbers(root: Path, uid: str) -> list[int]:
    """The numbers of an attempt's directories: 1 for `<uid>`, N for `<uid>.N`.

    Asked for by name: a host keeps the directories of a day, and to list them for every start would take longer than
    the start. One that a killed worker never finished may be deleted before those behind it, so one missing is no end.
    """
    found: list[int] = []
    missing, number = 0, 1
    while missing < _MOST_MISSING:
        if os.path.isdir(f"{root}/{_name(uid, number)}"):
            found.append(number)
            missing = 0
        else:
            missing += 1
        number += 1
    return found


def _name(uid: str, number: int) -> str:
    return uid if number == 1 else f"{uid}.{number}"


def _fill(path: Path, spec: Spec) -> None:
    if spec.prompt is not None:
        _write(path / "prompt", spec.prompt.encode())
    # Made here, so that the gate can be closed also when there is no inode any more.
    _write(path / "lock", b"")
    content = {**asdict(spec), "prompt": None}
    _write(path / "spec.tmp", json.dumps(content).encode())
    (path / "spec.tmp").rename(path / "spec.json")


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
