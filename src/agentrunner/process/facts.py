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

_RESERVED_WHOLE, _RESERVED_JOURNAL = 4096, 16384
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
    """Appends facts. One that finds the disk full is kept in memory, in order, and written when there is room."""

    def __init__(self, directory: int, sizes: Callable[[], dict[str, int]]) -> None:
        self._file = os.open("journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600, dir_fd=directory)
        kernel.reserve(self._file, _RESERVED_JOURNAL)
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
                self._waiting = self._waiting[os.write(self._file, self._waiting) :]
        except OSError:
            return False
        return True

    def size(self) -> int:
        """Bytes written."""
        return os.fstat(self._file).st_size


def reserve_whole(directory: int, name: str) -> None:
    """Have room for such a file from now on: a disk that is full by then does not keep it from being written."""
    descriptor = os.open(name + ".tmp", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=directory)
    kernel.reserve(descriptor, _RESERVED_WHOLE)
    os.close(descriptor)


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
    while True:
        try:
            if write() is not False:
                return
        except OSError:
            pass
        if os.fstat(directory).st_nlink == 0:
            return
        time.sleep(1.0)
