"""Hints that a run directory changed, as far as the kernel gives them: without inotify it is looked at now and then."""

import asyncio
from pathlib import Path

import structlog

from agentrunner.process.inotify import Callback, Inotify

log = structlog.get_logger("agentrunner.worker")


class Hints:
    """One inotify instance for all executions, or none where this user has used up what the kernel allows."""

    def __init__(self) -> None:
        self._inotify: Inotify | None = None
        self._is_told = False
        try:
            self._inotify = Inotify()
            asyncio.get_running_loop().add_reader(self._inotify.fileno(), self._inotify.poll)
        except OSError as error:
            self._tell(str(error))

    def watch(self, directory: Path, callback: Callback) -> bool:
        """Call `callback` when something happens there; False where the caller has to look by itself."""
        if self._inotify is not None and self._inotify.watch(directory, callback):
            return True
        self._tell("raise fs.inotify.max_user_watches")
        return False

    def forget(self, directory: Path) -> None:
        """End a watch; harmless where there is none."""
        if self._inotify is not None:
            self._inotify.forget(directory)

    def close(self) -> None:
        """End every watch."""
        if self._inotify is not None:
            asyncio.get_running_loop().remove_reader(self._inotify.fileno())
            self._inotify.close()
            self._inotify = None

    def _tell(self, why: str) -> None:
        if not self._is_told:
            log.warning("inotify refuses; run directories are looked at now and then instead", why=why)
            self._is_told = True
