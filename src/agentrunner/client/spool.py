"""Spools: what a reporter has to say, in append-only files, until a server has it; whoever dies, the files are there.

A spool is a directory `<producer>` of files: `lock` (a flock, held by whoever writes or delivers it), `head` (what run
it is and which server gets it; written once), `1.events`, `2.events`, … (one event a line, as it is sent) and `sent`
(one note a line: how far the server has it). Every line counts only with its end of line, so a torn tail is nothing.
A note that was lost costs a second sending, which stores nothing twice.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

SEGMENT_BYTES = 4 * 1024 * 1024
"""A file of events is left for the next one at this size, and removed once the server has all of it."""
MOST_BATCH_BYTES = 1024 * 1024
MOST_BATCH_LINES = 2000
_MOST_LINE_BYTES = 4 * 1024 * 1024
_MOST_NOTES_BYTES = 64 * 1024
_UNFINISHED_S = 3600.0


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a spool is about. `run` is the request that creates the run, or `run_id` names one that is there.

    `key` is the Idempotency-Key of the creation. `is_owner` says that the run is over when this reporter is: one that
    ends without a word has died.
    """

    version: int = 1
    producer: str
    server_url: str
    data_dir: str
    pid: int
    key: str
    is_owner: bool
    run: dict[str, Any] | None = None
    run_id: int | None = None


class Note(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """How far a spool is delivered: the run, the file, the offset in it, whether the run's end was among it."""

    run_id: int | None = None
    segment: int = 1
    offset: int = 0
    is_ended: bool = False


class Lock:
    """An exclusive flock on a spool; the kernel lets it go with the process that has it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def take(cls, spool: Path) -> "Lock | None":
        """The lock of a spool; None where somebody has it, or it is no spool any more."""
        try:
            descriptor = os.open(spool / "lock", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had it may have removed the spool between our open and our lock.
            if os.stat(spool / "lock").st_ino == os.fstat(descriptor).st_ino:
                return cls(descriptor)
        except OSError:
            pass
        os.close(descriptor)
        return None

    def release(self) -> None:
        """Let it go; more than once is harmless. In a forked child this leaves the parent's lock in force."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def make(root: Path, head: Head) -> tuple[Path, Lock]:
    """A new, empty spool, ours from the first moment that others can see it. Raises OSError."""
    unfinished, path = root / f".{head.producer}.new", root / head.producer
    unfinished.mkdir(mode=0o700)
    lock = Lock(os.open(unfinished / "lock", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        fcntl.flock(lock.descriptor, fcntl.LOCK_EX)
        _write(unfinished / "head", msgspec.json.encode(head))
        unfinished.rename(path)
    except BaseException:
        lock.release()
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return path, lock


def root_of(directory: Path) -> Path:
    """The directory of a user's spools, made where it is missing and closed to others. Raises OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.stat()
    if found.st_uid != os.geteuid():
        raise PermissionError(f"{directory} is another user's")
    if found.st_mode & 0o077:
        directory.chmod(0o700)
    return directory


def abandoned(root: Path) -> Generator[tuple[Path, Lock], None, None]:
    """Every spool that nobody has, locked now, the oldest first; the taker has to release it."""
    for path in _by_age(root):
        if path.name.startswith("."):
            _clear_away(path)
        elif (lock := Lock.take(path)) is not None:
            yield path, lock


def _clear_away(unfinished: Path) -> None:
    """Remove a spool whose maker died over it; a young one may be being made."""
    with suppress(OSError):
        if time.time() - unfinished.stat().st_mtime > _UNFINISHED_S:
            shutil.rmtree(unfinished, ignore_errors=True)


def _by_age(root: Path) -> list[Path]:
    found = []
    for entry in root.iterdir():
        try:
            found.append(((entry / "lock").stat().st_mtime_ns, entry))
        except OSError:
            continue
    return [entry for _, entry in sorted(found)]


def size(root: Path) -> int:
    """Bytes that all spools have on disk."""
    total = 0
    for directory, _, names in os.walk(root):
        for name in names:
            try:
                total += os.stat(os.path.join(directory, name)).st_size
            except OSError:
                continue
    return total


def remove(path: Path) -> None:
    """Remove a spool that is delivered; its holder does it, before it lets the lock go."""
    shutil.rmtree(path, ignore_errors=True)


class Writer:
    """Appends events to a spool. `cap` bounds the bytes that are not delivered; what is more is refused."""

    def __init__(self, path: Path, cap: int) -> None:
        self._path = path
        self._cap = cap
        self._segment = 1
        self._size = 0
        self._descriptor = self._open()
        self.written = 0
        self.delivered = 0

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.open(self._path / f"{self._segment}.events", flags, 0o600)

    @property
    def has_much_room(self) -> bool:
        """Whether half of it is free, and what was refused for a while may be taken again."""
        return self.written - self.delivered <= self._cap // 2

    def append(self, line: bytes, reserve: int = 0) -> bool:
        """Append one event, which may go `reserve` bytes past the cap; False where there is no room for it."""
        if self.written - self.delivered + len(line) + 1 > self._cap + reserve or self._descriptor < 0:
            return False
        if self._size >= SEGMENT_BYTES:
            self._next_segment()
        try:
            count = os.write(self._descriptor, line + b"\n")
        except OSError:
            return False
        if count != len(line) + 1:
            self._undo()
            return False
        self._size += count
        self.written += count
        return True

    def _undo(self) -> None:
        """Take a torn line away again; where even that fails it ends its file, whose torn tail nobody reads."""
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError:
            self._next_segment()

    def _next_segment(self) -> None:
        os.close(self._descriptor)
        self._descriptor, self._size = -1, 0
        self._segment += 1
        try:
            self._descriptor = self._open()
        except OSError:
            self._segment -= 1
            self._descriptor = self._open()
            self._size = os.fstat(self._descriptor).st_size

    def close(self) -> None:
        """More than once is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Batch(msgspec.Struct, frozen=True):
    """Whole lines that are to be sent next, and the place behind them."""

    lines: list[bytes]
    segment: int
    offset: int


class Reader:
    """Reads a spool behind what is delivered, also while it is written, and notes what is delivered."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.head = msgspec.json.decode((path / "head").read_bytes(), type=Head)
        self.note = self._last_note()
        if self.head.run_id is not None:
            self.note = msgspec.structs.replace(self.note, run_id=self.head.run_id)

    def _last_note(self) -> Note:
        try:
            content = (self._path / "sent").read_bytes()
        except FileNotFoundError:
            return Note()
        for line in reversed(content[: content.rfind(b"\n") + 1].splitlines()):
            try:
                return msgspec.json.decode(line, type=Note)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
        return Note()

    def batch(self) -> Batch | None:
        """The next events; None where there is none yet."""
        segment, offset = self.note.segment, self.note.offset
        while True:
            # Looked for before the file is read: once it is there, nothing more comes to this one.
            is_complete = (self._path / f"{segment + 1}.events").exists()
            lines = self._lines(segment, offset)
            if lines:
                return Batch(lines, segment, offset + sum(map(len, lines)) + len(lines))
            if not is_complete:
                return None
            segment, offset = segment + 1, 0

    def _lines(self, segment: int, offset: int) -> list[bytes]:
        try:
            with open(self._path / f"{segment}.events", "rb") as file:
                file.seek(offset)
                content = file.read(MOST_BATCH_BYTES)
                if b"\n" not in content:
                    content += file.read(_MOST_LINE_BYTES)
        except FileNotFoundError:
            return []
        return content[: content.rfind(b"\n") + 1].split(b"\n")[:-1][:MOST_BATCH_LINES]

    def created(self, run_id: int) -> None:
        """Note the run's id. Raises OSError."""
        self._say(msgspec.structs.replace(self.note, run_id=run_id))

    def advance(self, batch: Batch, *, is_ended: bool) -> None:
        """Note that a batch is delivered, and remove what is delivered whole. Raises OSError."""
        before = self.note.segment
        is_ended = is_ended or self.note.is_ended
        self._say(msgspec.structs.replace(self.note, segment=batch.segment, offset=batch.offset, is_ended=is_ended))
        for segment in range(before, batch.segment):
            (self._path / f"{segment}.events").unlink(missing_ok=True)

    def _say(self, note: Note) -> None:
        self.note = note
        sent = self._path / "sent"
        line = msgspec.json.encode(note) + b"\n"
        if sent.exists() and sent.stat().st_size > _MOST_NOTES_BYTES:
            _write(self._path / "sent.new", line)
            os.replace(self._path / "sent.new", sent)
            return
        descriptor = os.open(sent, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            # The end of line first: what another note left torn must not swallow this one.
            os.write(descriptor, b"\n" + line)
        finally:
            os.close(descriptor)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
