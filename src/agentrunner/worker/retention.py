"""Raw output of ended attempts on this worker: how long it is kept, and how much of it.

Only directories that are marked as recorded are ever deleted, of one instance only; each is renamed before anything in
it goes, so that a worker which is killed meanwhile takes what is left of it for nothing else.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from agentrunner.process.adopt import RECORDED

GONE = ".gone"
"""The ending of a directory that is being deleted."""
_BLOCK = 512


class Kept(NamedTuple):
    """A recorded directory: since when (seconds since 1970), and what it uses of the disk."""

    path: Path
    recorded_at: float
    size: int

    @property
    def uid(self) -> str:
        """The attempt's name."""
        return self.path.name.partition(".")[0]


class Spools:
    """The recorded directories below one instance's `runs`; what was seen once is not measured again."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._known: dict[str, Kept] = {}
        self.problems: dict[Path, str] = {}
        """What the last sweep could not delete, and why; the next one tries again."""

    def kept(self) -> list[Kept]:
        """Every recorded directory, the one that was recorded first at the front."""
        try:
            names = os.listdir(self._runs)
        except FileNotFoundError:
            names = []
        found: dict[str, Kept] = {}
        for name in names:
            known = None if name.endswith(GONE) else self._known.get(name) or _measure(self._runs / name)
            if known is not None:
                found[name] = known
        self._known = found
        return sorted(found.values(), key=lambda kept: (kept.recorded_at, kept.path))

    def sweep(self, retention_s: float, most_bytes: int, is_used: Callable[[str], bool]) -> list[Kept]:
        """Delete what is due and nobody uses, and what an earlier sweep has left half deleted; answers what went."""
        for path in self._runs.glob(f"*{GONE}"):
            shutil.rmtree(path, ignore_errors=True)
        gone, self.problems = [], {}
        for old in due_now([kept for kept in self.kept() if not is_used(kept.uid)], retention_s, most_bytes):
            try:
                if remove(old.path):
                    gone.append(old)
            except OSError as error:
                self.problems[old.path] = str(error)
        return gone


def due(kept: Iterable[Kept], now: float, retention_s: float, most_bytes: int) -> list[Kept]:
    """What is older than its retention, then the oldest of the rest until it fits into `most_bytes` (0: no cap)."""
    ordered = sorted(kept, key=lambda each: (each.recorded_at, each.path))
    total = sum(each.size for each in ordered)
    found = []
    for each in ordered:
        if now - each.recorded_at <= retention_s and (not most_bytes or total <= most_bytes):
            break
        found.append(each)
        total -= each.size
    return found


def due_now(kept: Iterable[Kept], retention_s: float, most_bytes: int) -> list[Kept]:
    """What is due at this moment."""
    return due(kept, time.time(), retention_s, most_bytes)


def remove(path: Path) -> bool:
    """Delete a run directory; False where somebody else does. Raises OSError."""
    doomed = path.with_name(path.name + GONE)
    try:
        path.rename(doomed)
    except FileNotFoundError:
        return False
    shutil.rmtree(doomed, ignore_errors=True)
    return True


def _measure(path: Path) -> Kept | None:
    """A directory with its size; None where it is not recorded, or going."""
    try:
        recorded_at = os.stat(path / RECORDED).st_mtime
        with os.scandir(path) as entries:
            blocks = sum(entry.stat(follow_symlinks=False).st_blocks for entry in entries)
    except OSError:
        return None
    return Kept(path, recorded_at, blocks * _BLOCK)
