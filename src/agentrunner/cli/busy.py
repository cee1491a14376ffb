"""A sign of life on standard error while a person waits for more than a second; nothing where nobody looks."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from agentrunner.cli import terminal
from agentrunner.cli.output import Output

QUIET_S = 1.0
_TICK_S = 0.1
_SIGNS = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_CLEAR = "\r\x1b[K"


class Busy:
    """Draws a turning sign with a text from the second second of a wait on, and takes it away at its end."""

    def __init__(self, out: Output) -> None:
        self._draws = out.errors_to_terminal
        self._lock = threading.Lock()
        self._began: float | None = None
        self._text = ""
        self._is_drawn = False
        self._thread: threading.Thread | None = None
        self._woken = threading.Event()
        self._is_closed = False

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Around whatever may take long."""
        self.begin(text)
        try:
            yield
        finally:
            self.end()

    def begin(self, text: str) -> None:
        """A wait begins."""
        if not self._draws:
            return
        self._text, self._began = text, time.monotonic()
        if self._thread is None:
            self._thread = threading.Thread(target=self._turn, name="busy", daemon=True)
            self._thread.start()
        self._woken.set()

    def say(self, text: str) -> None:
        """The same wait goes on with something else."""
        self._text = text

    @contextmanager
    def aside(self) -> Iterator[None]:
        """The line is clean while something else is printed."""
        with self._lock:
            self._erase()
            yield

    def end(self) -> None:
        """It is over; the line is clean again."""
        if not self._draws:
            return
        with self._lock:
            self._began = None
            self._woken.clear()
            self._erase()

    def _erase(self) -> None:
        if self._is_drawn:
            self._is_drawn = False
            click.echo(_CLEAR, nl=False, err=True)

    def close(self) -> None:
        """End for good."""
        self.end()
        self._is_closed = True
        self._woken.set()
        if self._thread is not None:
            self._thread.join(timeout=1.0)

    def _turn(self) -> None:
        while True:
            self._woken.wait()
            if self._is_closed:
                return
            with self._lock:
                self._draw()
            time.sleep(_TICK_S)

    def _draw(self) -> None:
        if self._began is None or (waited := time.monotonic() - self._began) < QUIET_S:
            return
        sign = _SIGNS[int(waited / _TICK_S) % len(_SIGNS)]
        space = shutil.get_terminal_size().columns
        click.echo(f"\r{sign} {terminal.cropped(terminal.one_line(self._text), space - 3)}\x1b[K", nl=False, err=True)
        self._is_drawn = True
