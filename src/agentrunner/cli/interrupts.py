"""Ctrl-C while a run is watched: it interrupts a wait at once and anything else at the next wait, so no line tears."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupts:
    """In force inside its `with` block, in the main thread; elsewhere Ctrl-C does what it did."""

    def __init__(self) -> None:
        self._is_waiting = False
        self._is_pending = False
        self._before: Any = None

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """A wait that Ctrl-C may end. Raises KeyboardInterrupt, also for a Ctrl-C since the last wait."""
        self._is_waiting = True
        try:
            if self._is_pending:
                self._is_pending = False
                raise KeyboardInterrupt
            yield
        finally:
            self._is_waiting = False

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self._is_waiting:
            self._is_waiting = False
            raise KeyboardInterrupt
        self._is_pending = True
