"""`idx`: which stream a spooled chunk belongs to, where it ends and when it came. Stand-alone.

24 bytes a chunk, little-endian: stream (0 out, 1 err) in 8, end offset in 8, nanoseconds since 1970 in 8. Entries
whose output is recorded are punched out with it; a hole reads as entries that end at 0.
"""

from __future__ import annotations

import os
import struct
import time

from agentrunner.process import kernel

ENTRY = struct.Struct("<BxxxxxxxQQ")
_BLOCK = 12288
"""Whole entries and whole pages."""


class Index:
    """Written by the shim; made with its first entry."""

    def __init__(self, directory: int) -> None:
        self._directory = directory
        self._file = -1
        self._size = 0
        self._punched = 0
        self._waiting: dict[int, bytes] = {}

    @property
    def is_behind(self) -> bool:
        """True while an entry waits for a disk that is full."""
        return bool(self._waiting)

    def used(self) -> int:
        """Bytes on disk."""
        return self._size - self._punched

    def add(self, stream: int, end: int) -> None:
        """A chunk of a stream was spooled and ends there. On a full disk a newer entry stands for the one before it."""
        self._waiting.pop(stream, None)
        self._waiting[stream] = ENTRY.pack(stream, end, time.time_ns())
        self.flush()

    def flush(self) -> None:
        """Write what waits, whole entries only."""
        for stream, entry in list(self._waiting.items()):
            try:
                if self._file < 0:
                    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
                    self._file = os.open("idx", flags, 0o600, dir_fd=self._directory)
                written = os.pwrite(self._file, entry, self._size)
            except OSError:
                return
            # Half an entry is written again from its beginning; a reader takes whole ones only.
            if written < ENTRY.size:
                return
            self._size += ENTRY.size
            del self._waiting[stream]

    def punch(self, recorded: dict[int, int]) -> None:
        """Give back the blocks whose entries are all of recorded output."""
        end = self._punched
        while end + _BLOCK <= self._size and self._is_recorded(end, recorded):
            end += _BLOCK
        if end > self._punched and kernel.punch(self._file, self._punched, end - self._punched):
            self._punched = end

    def _is_recorded(self, start: int, recorded: dict[int, int]) -> bool:
        data = os.pread(self._file, _BLOCK, start)
        return all(end <= recorded[stream] for stream, end, _ in ENTRY.iter_unpack(data))
