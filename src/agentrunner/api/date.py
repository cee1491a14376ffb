"""The header `date` of answers, written once a second."""

import time
from email.utils import formatdate
from functools import lru_cache


def value() -> bytes:
    """Now, as HTTP writes it: `Sat, 21 Nov 2026 12:00:00 GMT`."""
    return _written(int(time.time()))


@lru_cache(maxsize=1)
def _written(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
