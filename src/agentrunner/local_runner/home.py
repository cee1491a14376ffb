"""A runner's private directory: its agents' files, its zygote's socket, its lock.

Without a `state_dir` it is made beside those of the user's other runners, and goes with the runner. What a killed
program has left there is removed by the next runner of the user, once its agents have ended.
"""

import os
import shutil
import tempfile
import time
import uuid
from pathlib import Path

from agentrunner.local_runner.errors import IoError
from agentrunner.process import holder
from agentrunner.process.adopt import is_live
from agentrunner.process.launch import ZygoteLink

_LOCK, _INSTANCE = "runner.lock", "instance"
_IDLE_S = 1.0
_TRIES, _PAUSE_S = 10, 0.02
_FRESH_S = 60.0
"""A directory without a lock that is younger is just being made."""


class Home:
    """Raises IoError where the directory cannot be used, or another runner has it."""

    def __init__(self, state_dir: Path | None) -> None:
        self.is_temporary = state_dir is None
        try:
            self.path = _temporary() if state_dir is None else state_dir.absolute()
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _take(self.path / _LOCK)
            self.instance = _instance(self.path / _INSTANCE)
        except OSError as error:
            raise IoError(f"The runner's directory cannot be used: {error}") from error
        self.runs = self.path / "runs" / self.instance
        self.zygote = ZygoteLink(self.path, idle_s=_IDLE_S)

    def close(self, is_empty: bool) -> None:
        """Let go of it. With `is_empty` no agent lives there, and a temporary one goes."""
        self.zygote.close()
        if self.is_temporary and is_empty:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _take(lock: Path) -> int:
    """The lock; one that looks whether a directory is still in use holds it for a moment."""
    for _ in range(_TRIES):
        try:
            return holder.take(lock)
        except holder.Held:
            time.sleep(_PAUSE_S)
    return holder.take(lock)


def _instance(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        name = f"local{uuid.uuid4().hex[:12]}"
        path.write_text(name)
        return name


def _temporary() -> Path:
    parent = Path(tempfile.gettempdir()) / f"agentrunner-{os.getuid()}"
    parent.mkdir(mode=0o700, exist_ok=True)
    found = parent.lstat()
    # Anybody may make a directory in /tmp first: one that is not ours alone is left alone.
    if found.st_uid != os.getuid() or found.st_mode & 0o170077 != 0o040000:
        return Path(tempfile.mkdtemp(prefix="agentrunner-"))
    sweep(parent)
    return Path(tempfile.mkdtemp(prefix="runner-", dir=parent))


def sweep(parent: Path) -> list[Path]:
    """Remove the directories that killed programs have left and in which no agent lives; answers which."""
    gone = []
    for path in parent.glob("runner-*"):
        if _is_abandoned(path):
            shutil.rmtree(path, ignore_errors=True)
            gone.append(path)
    return gone


def _is_abandoned(path: Path) -> bool:
    try:
        if not (path / _LOCK).exists():
            return time.time() - path.stat().st_mtime > _FRESH_S
        return not holder.is_held(path / _LOCK) and not any(is_live(run) for run in path.glob("runs/*/*"))
    except OSError:
        return False
