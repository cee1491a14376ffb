"""Sums of roll-ups, kept for whoever asks again: a chart is asked for every few seconds, and little of it has changed.

A sum is found by a digest of all that it is made of, so it is never out of date, whoever changes a roll-up.
"""

import hashlib
import marshal
import threading
from collections.abc import Sequence
from typing import NamedTuple

from agentrunner.domain.rollup import Tally
from agentrunner.domain.stats import Figures, added, figures
from agentrunner.store import rollups
from agentrunner.store.rollups import Sealed

MOST = 2048
"""How many sums are kept, of about 10 KiB each."""


class Sum(NamedTuple):
    """Roll-ups added up. `digest` is that of all that was added."""

    digest: bytes
    tally: Tally
    figures: Figures


_known: dict[bytes, Sum] = {}
_lock = threading.Lock()


def of_rollups(rows: Sequence[Sealed]) -> Sum:
    """The sum of roll-ups."""
    # Version 2 has no references, so equal values always give equal bytes; and it takes a third of the time of `repr`.
    digest = _digest(marshal.dumps([row.values for row in rows], 2))
    return _get(digest) or _keep(digest, added(map(rollups.opened, rows)))


def of_sums(sums: Sequence[Sum]) -> Sum:
    """The sum of sums."""
    digest = _digest(b"sums" + b"".join(each.digest for each in sums))
    return _get(digest) or _keep(digest, added(each.tally for each in sums))


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _get(digest: bytes) -> Sum | None:
    with _lock:
        found = _known.pop(digest, None)
        if found is not None:
            _known[digest] = found  # the last used is the last to go
        return found


def _keep(digest: bytes, tally: Tally) -> Sum:
    made = Sum(digest, tally, figures(tally))
    with _lock:
        _known[digest] = made
        while len(_known) > MOST:
            del _known[next(iter(_known))]
    return made
