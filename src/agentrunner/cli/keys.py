"""Single keys from a terminal."""

import os
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOCAL_FLAGS = 3


@contextmanager
def keys(descriptor: int) -> Iterator[Callable[[], str]]:
    """While the block lasts every key comes at once, unseen, Ctrl-C as `\\x03`; what is given answers the next one.

    It answers an empty text once the terminal is gone. Keys that were pressed before are kept.
    """
    before = termios.tcgetattr(descriptor)
    changed = termios.tcgetattr(descriptor)
    changed[_LOCAL_FLAGS] &= ~(termios.ICANON | termios.ECHO | termios.ISIG)
    termios.tcsetattr(descriptor, termios.TCSADRAIN, changed)
    try:
        yield lambda: _next(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _next(descriptor: int) -> str:
    try:
        return os.read(descriptor, 1).decode("latin-1").lower()
    except OSError:
        return ""
