"""A command run in the foreground of this one: its output shown and handed on, signals passed on, its tree ended."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO

from agentrunner.process.kernel import become_subreaper
from agentrunner.process.procfs import descendants, living

CHUNK = 64 * 1024
DRAIN_S = 1.0
GRACE_S = 3.0
_PASSED_ON = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2}
_FROM_TERMINAL = 0x80
"""`si_code` SI_KERNEL: the terminal sent it, to the command too, for it is in the same process group."""

Told = Callable[[str, int, list[str]], None]


class Lines:
    """Cuts output into lines; what has no end yet is kept up to `CHUNK` bytes. Offsets count the bytes before."""

    def __init__(self) -> None:
        self._rest = b""
        self._offset = 0

    def feed(self, chunk: bytes) -> tuple[int, list[str]]:
        """The lines that `chunk` completes, and the offset of the first."""
        text = self._rest + chunk
        whole, self._rest = text[: text.rfind(b"\n") + 1], text[text.rfind(b"\n") + 1 :]
        if len(self._rest) >= CHUNK:
            whole, self._rest = text, b""
        return self._taken(whole)

    def end(self) -> tuple[int, list[str]]:
        """What is left."""
        whole, self._rest = self._rest, b""
        return self._taken(whole)

    def _taken(self, whole: bytes) -> tuple[int, list[str]]:
        offset = self._offset
        self._offset += len(whole)
        lines = whole.decode("utf-8", "backslashreplace").split("\n")
        return offset, lines if lines[-1] else lines[:-1]


class Child:
    """A command with this one's standard input, whose output goes through us. Made in the main thread, without others.

    Raises OSError where it cannot be started.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        become_subreaper()
        self._watched = {*_PASSED_ON, signal.SIGCHLD}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, self._watched)
        try:
            # Safe: nobody may have started a thread yet. The command must not begin with our signals blocked.
            self._process = subprocess.Popen(
                argv,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, before),
            )
        except OSError:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            raise
        self._status: int | None = None

    def watch(self, tell: Told) -> int:
        """Pass output and signals on until the command and everything it started has ended.

        Answers its exit code, negative for the signal that killed it. `tell` gets stream, offset and lines, from a
        thread for each stream.
        """
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        streams = (("stdout", self._process.stdout, sys.stdout), ("stderr", self._process.stderr, sys.stderr))
        readers = [
            threading.Thread(target=_pass_on, args=(name, source, to.fileno(), tell), daemon=True)
            for name, source, to in streams
        ]
        for reader in readers:
            reader.start()
        while self._status is None:
            self._step(None)
        deadline = time.monotonic() + DRAIN_S
        while any(reader.is_alive() for reader in readers) and time.monotonic() < deadline:
            self._step(0.02)
        self._end_tree()
        for reader in readers:
            reader.join(DRAIN_S)
        return os.waitstatus_to_exitcode(self._status)

    def _step(self, timeout: float | None) -> None:
        """Wait for a signal and do what it asks for."""
        found = signal.sigwaitinfo(self._watched) if timeout is None else signal.sigtimedwait(self._watched, timeout)
        if found is None:
            return
        if found.si_signo == signal.SIGCHLD:
            self._reap()
        elif found.si_code != _FROM_TERMINAL:
            _signal_all(found.si_signo)

    def _reap(self) -> None:
        """Collect whoever has ended: the command, and orphans of its."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._process.pid:
                self._status = status
                self._process.returncode = os.waitstatus_to_exitcode(status)

    def _end_tree(self) -> None:
        """End what the command has left running: asked first, then killed until nobody is left.

        Whoever has become another user is not ours to kill: that is left behind, and said.
        """
        if not _signal_all(signal.SIGTERM):
            return
        deadline = time.monotonic() + GRACE_S
        while _tree() and time.monotonic() < deadline:
            self._step(0.02)
        deadline += GRACE_S
        while (left := _signal_all(signal.SIGKILL)) and time.monotonic() < deadline:
            self._step(0.02)
        if left:
            print(f"agentrunner: {left} processes of the command cannot be ended and go on.", file=sys.stderr)


def _tree() -> set[int]:
    return descendants({os.getpid()}, living())


def _signal_all(number: int) -> int:
    """Signal everything below this process; answers how many there were."""
    found = _tree()
    for pid in found:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
    return len(found)


def _pass_on(name: str, source: IO[bytes], to: int, tell: Told) -> None:
    """Show what comes, as it comes, and tell its lines; where nobody reads any more, let the command see that."""
    lines = Lines()
    with source, contextlib.suppress(OSError):
        while chunk := os.read(source.fileno(), CHUNK):
            offset, found = lines.feed(chunk)
            if found:
                tell(name, offset, found)
            _write(to, chunk)
    offset, found = lines.end()
    if found:
        tell(name, offset, found)


def _write(to: int, chunk: bytes) -> None:
    while chunk:
        chunk = chunk[os.write(to, chunk) :]
