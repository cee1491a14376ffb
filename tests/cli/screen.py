"""A command on a real terminal: a pty, what it shows, and keys that are pressed."""

import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Screen:
    """A process whose standard streams and controlling terminal are a pty."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.shown = ""

    def wait_for(self, pattern: str, timeout: float = 15.0) -> str:
        """Everything up to the first match of `pattern`; what follows is kept for the next call."""
        deadline = time.monotonic() + timeout
        while not (match := re.search(pattern, self.shown)):
            assert self._read(deadline), f"{pattern!r} did not come: {self.shown!r}"
        before, self.shown = self.shown[: match.end()], self.shown[match.end() :]
        return before

    def rest(self, timeout: float = 15.0) -> str:
        """Everything until the process ends."""
        deadline = time.monotonic() + timeout
        while self._read(deadline):
            pass
        assert time.monotonic() < deadline, f"it does not end: {self.shown!r}"
        return self.shown

    def press(self, keys: str) -> None:
        """Press keys; `\\x03` is Ctrl-C."""
        os.write(self._master, keys.encode())

    def exit_code(self) -> int:
        """The exit code, once the process has ended."""
        return self.process.wait(15)

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait(10)
        os.close(self._master)

    def _read(self, deadline: float) -> bool:
        if not select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux says EIO where the last process has closed the other end.
            return False
        self.shown += data.decode("utf-8", "replace")
        return bool(data)


@contextmanager
def screen(command: list[str], environment: dict[str, str]) -> Iterator[Screen]:
    """A command on a terminal, gone afterwards."""
    made = Screen(command, environment)
    try:
        yield made
    finally:
        made.close()
