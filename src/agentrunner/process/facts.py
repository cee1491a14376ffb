"""What a shim writes for others to read: facts, one a line, and small files that are there whole or not at all.

Stand-alone. Nothing is synced: it survives the death of any process, which is what it is for.
"""

from __future__ import annotations

import json
import os
import time

from agentrunner.process import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_ENOSPC = 28
_RESERVED_WHOLE, _RESERVED_JOURNAL, _LEAST_RESERVED = 4096, 16384, 8192
_decode: Any = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
_make_encoder: Any = json.encoder.c_make_encoder  # type: ignore[attr-defined]
_encode_parts = _make_encoder(None, None, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, True)


def encode(content: dict[str, object]) -> bytes:
    """JSON of plain values, in one line.

    The C encoder, made once: each `json.dumps` makes it anew, and that costs a shim 60 KB of memory of its own.
    """
    return "".join(_encode_parts(content, 0)).encode()


def decode(data: bytes) -> dict[str, Any]:
    """A JSON object. Raises ValueError."""
    try:
        content, _ = _decode(data.decode(), 0)
    except StopIteration as error:
        raise ValueError("not JSON") from error
    if not isinstance(content, dict):
        raise ValueError("not a JSON object")
    return content


class Journal:
    """Appends facts. One that finds the disk full is kept in memory, in order, and written when there is room.

    Raises OSError where not even the first facts have room.
    """

    def __init__(self, directory: int, sizes: Callable[[], dict[str, int]]) -> None:
        self._file = os.open("journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600, dir_fd=directory)
        _reserve(self._file, _RESERVED_JOURNAL)
        self._reserved = _RESERVED_JOURNAL
        self._written = os.fstat(self._file).st_size
        self._sizes = sizes
        self._waiting = b""

    @property
    def is_behind(self) -> bool:
        """True while a fact waits for room; `flush` tries again."""
        return bool(self._waiting)

    def note(self, fact: str, **fields: object) -> None:
        """Append a fact, with what was spooled when it became true."""
        line = {"fact": fact, "t": time.time_ns() // 1_000_000, "at": self._sizes(), **fields}
        self._waiting += encode(line) + b"\n"
        self.flush()

    def flush(self) -> bool:
        """Write what waits; True once nothing does. A full disk may take half a line: the rest follows it later."""
        try:
            while self._waiting:
                count = os.write(self._file, self._waiting)
                self._waiting = self._waiting[count:]
                self._written += count
        except OSError:
            return False
        # Ahead of need, while there is room: the last facts of a run are written on a disk that is full by then.
        if self._written > self._reserved - _LEAST_RESERVED and kernel.reserve(
            self._file, self._written + _RESERVED_JOURNAL
        ):
            self._reserved = self._written + _RESERVED_JOURNAL
        return True

    def size(self) -> int:
        """Bytes written."""
        return os.fstat(self._file).st_size


def reserve_whole(directory: int, name: str) -> None:
    """Have room for such a file from now on: a disk that is full by then does not keep it from being written.

    Raises OSError.
    """
    descriptor = os.open(name + ".tmp", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=directory)
    try:
        _reserve(descriptor, _RESERVED_WHOLE)
    finally:
        os.close(descriptor)


def _reserve(descriptor: int, length: int) -> None:
    """Raises OSError where the disk is full by then; a file system that cannot reserve is taken as it is."""
    if not kernel.reserve(descriptor, length):
        found = os.fstatvfs(descriptor)
        if found.f_bavail * found.f_frsize < length:
            raise OSError(_ENOSPC, os.strerror(_ENOSPC))


def write_whole(directory: int, name: str, content: dict[str, object]) -> None:
    """Write JSON by rename. Raises OSError, with nothing under that name."""
    data = encode(content)
    temporary = name + ".tmp"
    # Not truncated at first, because that would give back what was reserved.
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600, dir_fd=directory)
    try:
        length = len(data)
        while data:
            data = data[os.write(descriptor, data) :]
        os.ftruncate(descriptor, length)
    finally:
        os.close(descriptor)
    os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)


def read_whole(directory: int, name: str) -> dict[str, Any]:
    """Read such a file. Raises OSError, ValueError."""
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        data = b""
        while part := os.read(descriptor, 65536):
            data += part
    finally:
        os.close(descriptor)
    return decode(data)


def insist(directory: int, write: Callable[[], object]) -> None:
    """Call until it succeeds, once a second: without these words the end of the run is unknown.

    Given up only where the directory itself was deleted, for then nobody will ever read them.
    """
    while not has_written(directory, write):
        time.sleep(1.0)


def has_written(directory: int, write: Callable[[], object]) -> bool:
    """Call once: False where it has to be called again. True also where the directory was deleted."""
    try:
        if write() is not False:
            return True
    except OSError:
        pass
    return os.fstat(directory).st_nlink == 0
