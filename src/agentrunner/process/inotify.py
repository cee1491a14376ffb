"""Hints that a run directory changed: one inotify instance per worker.

Hints may be lost (the queue overflows, a file system does not support them); the files themselves are the truth.
Source of the constants and the layout: inotify(7).
"""

import ctypes
import errno
import os
import struct
from collections.abc import Callable, Set
from pathlib import Path

_MODIFY, _MOVED_TO, _CREATE, _OVERFLOW, _IGNORED = 0x2, 0x80, 0x100, 0x4000, 0x8000
_HEADER = struct.Struct("iIII")
_READ_BYTES = 64 * 1024

_libc = ctypes.CDLL(None, use_errno=True)

Callback = Callable[[Set[bytes]], None]
"""Called with the names of the files that changed; without any where something did and the kernel has lost what."""


class Inotify:
    """Watches directories; `poll` calls the callback of each that changed, once however much happened in it."""

    def __init__(self) -> None:
        descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1: raise fs.inotify.max_user_instances")
        self._descriptor: int = descriptor
        self._callbacks: dict[int, Callback] = {}
        self._watches: dict[Path, int] = {}

    def fileno(self) -> int:
        """Readable where something changed."""
        return self._descriptor

    def watch(self, directory: Path, callback: Callback) -> bool:
        """Call `callback` when a file in `directory` grows, appears or is renamed into place.

        False where the kernel refuses (`fs.inotify.max_user_watches`): the caller has to look by itself.
        """
        mask = _MODIFY | _MOVED_TO | _CREATE
        watch = _libc.inotify_add_watch(self._descriptor, os.fsencode(directory), mask)
        if watch < 0:
            return False
        self._callbacks[watch] = callback
        self._watches[directory] = watch
        return True

    def forget(self, directory: Path) -> None:
        """End a watch; harmless where there is none."""
        watch = self._watches.pop(directory, None)
        if watch is not None:
            self._callbacks.pop(watch, None)
            _libc.inotify_rm_watch(self._descriptor, watch)

    def poll(self) -> None:
        """Deliver what is waiting; after an overflow every callback is called."""
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno == errno.EINTR:
                return
            raise
        for watch, names in self._changed(data).items():
            if (callback := self._callbacks.get(watch)) is not None:
                callback(names)

    def _changed(self, data: bytes) -> dict[int, set[bytes]]:
        changed: dict[int, set[bytes]] = {}
        offset = 0
        while offset < len(data):
            watch, mask, _cookie, length = _HEADER.unpack_from(data, offset)
            end = offset + _HEADER.size + length
            if mask & _OVERFLOW:
                return {known: set() for known in self._callbacks}
            if not mask & _IGNORED:
                changed.setdefault(watch, set()).add(data[offset + _HEADER.size : end].rstrip(b"\0"))
            offset = end
        return changed

    def close(self) -> None:
        """End every watch."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
