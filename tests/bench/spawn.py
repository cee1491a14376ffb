"""Spawn to exit record, start gate and cgroup included, against a C loop of posix_spawn and waitpid."""

import os
import select
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agentrunner.process import tree
from agentrunner.process.adopt import RunDirectory, Spec
from agentrunner.process.inotify import Inotify
from agentrunner.process.launch import ZygoteLink
from bench.plan import Plan
from bench.report import Row, compare
from waiting import until

AT_ONCE = 8
_WITHIN_S = 30.0


@contextmanager
def zygote(state_dir: Path) -> Iterator[ZygoteLink]:
    """A zygote that is gone behind the block; no shim may be left by then."""
    link = ZygoteLink(state_dir, idle_s=1.0)
    link.ensure()
    pid = link.pid
    descriptor = os.pidfd_open(pid)
    try:
        yield link
    finally:
        link.close()
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        select.select([descriptor], [], [], 5.0)
        os.close(descriptor)


def spec(argv: list[str], cwd: Path) -> Spec:
    """A run directory's spec for a small program."""
    return Spec(
        instance="bench",
        uid=uuid.uuid4().hex,
        backend="command",
        run=1,
        attempt=1,
        epoch=1,
        argv=argv,
        env={"PATH": os.defpath},
        cwd=str(cwd),
    )


class Spawner:
    """Runs a program many times under shims, some at once, each until its exit record is there."""

    def __init__(self, link: ZygoteLink, place: Path) -> None:
        self._link = link
        self._place = place
        self._runs = place / "runs" / "bench"
        self._inotify = Inotify()
        self._ended = 0
        self._live: dict[Path, RunDirectory] = {}

    def rate(self, argv: list[str], count: int) -> float:
        """Runs a second, from the first directory made to the last exit record."""
        self._ended = 0
        deadline = time.monotonic() + _WITHIN_S
        began = time.perf_counter()
        for _ in range(count):
            while len(self._live) >= AT_ONCE:
                self._wait(deadline)
            self._start(argv)
        while self._live:
            self._wait(deadline)
        elapsed = time.perf_counter() - began
        assert self._ended == count
        return count / elapsed

    def _start(self, argv: list[str]) -> None:
        directory = RunDirectory.create(self._runs, spec(argv, self._place))
        self._live[directory.path] = directory
        assert self._inotify.watch(directory.path, lambda _: self._look(directory))
        self._link.spawn(directory.path)

    def _look(self, directory: RunDirectory) -> None:
        if directory.path not in self._live or not (directory.path / "exit").exists():
            return
        record = directory.exit()
        assert record is not None
        assert record.exit_code == 0, record
        self._inotify.forget(directory.path)
        del self._live[directory.path]
        self._ended += 1

    def _wait(self, deadline: float) -> None:
        assert time.monotonic() < deadline, f"{len(self._live)} runs did not end"
        select.select([self._inotify], [], [], 1.0)
        self._inotify.poll()

    def close(self) -> None:
        """End every watch, once the last shim has let go of its lock."""
        self._inotify.close()


def measure(plan: Plan) -> list[Row]:
    """The row."""
    loop = plan.program("spawn_loop")
    place = plan.place("spawn")
    count = plan.pick(80, 250)

    def limit() -> float:
        done = subprocess.run(
            [loop, str(count * 4), "/bin/true"], capture_output=True, text=True, timeout=60, check=True
        )
        return 1e9 / float(done.stdout)

    with zygote(place) as link:
        spawner = Spawner(link, place)
        try:
            spawner.rate(["/bin/true"], 16)
            row = Row(name="spawn", unit="/s", must=0.10, wish=0.20, note=f"{AT_ONCE} at once, {tree.probe().name}")
            return [compare(row, lambda: spawner.rate(["/bin/true"], count), limit, plan.rounds, plan.tell)]
        finally:
            until(lambda: not _has_children(link.pid), _WITHIN_S)
            spawner.close()


def _has_children(pid: int) -> bool:
    return bool(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
