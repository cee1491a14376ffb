"""Copies of a SQLite database as files: made while it is written, verified before they count, put in place at once."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from agentrunner.domain.errors import ConfigurationError
from agentrunner.store import soundness, wal
from agentrunner.store.sqlite_tx import BUSY_S

SIBLINGS = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database of this name."""
_PAGES = 4096
"""Pages of one step: between two, a writer has its turn and progress is told."""
Tell = Callable[[str], None]


def backup(source: Path, target: Path, tell: Tell) -> None:
    """Copy a database, a server writing it or not, to a file of mode 0600 that needs nothing beside it.

    The target appears complete, sound and synced, or not at all. Raises ConfigurationError, also where it exists.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        if target.exists() or target.is_symlink():
            raise _exists(target)
        copy(source, temporary, tell)
        _put_in_place(temporary, target)
        sync_directory(target.parent)
    except FileExistsError as error:
        raise _exists(target) from error
    except OSError as error:
        raise ConfigurationError(f"{target} cannot be written: {error.strerror or error}.") from error
    finally:
        discard(temporary)


def _put_in_place(temporary: Path, target: Path) -> None:
    """A hard link refuses to replace what somebody made meanwhile; a rename would not."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:
        rename_unless_there(temporary, target)


def rename_unless_there(path: Path, target: Path) -> None:
    """The same for disks without hard links, such as exFAT. Killed in the middle it leaves an empty file.

    Raises FileExistsError, OSError.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    path.rename(target)


def _exists(target: Path) -> ConfigurationError:
    return ConfigurationError(f"{target} is there already and is not overwritten; choose another name.")


def copy(source: Path, target: Path, tell: Tell, *, is_at_rest: bool = False) -> None:
    """Copy a database to a new file, check every page of it, and sync it. Raises ConfigurationError, OSError.

    `is_at_rest`: nobody writes the source meanwhile, so it may lie where nothing can be written.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    try:
        reader = open_readonly(source, is_at_rest=is_at_rest)
        try:
            _copy(reader, target, tell)
        finally:
            reader.close()
    except soundness.UNREADABLE as error:
        raise ConfigurationError(f"{source} cannot be copied to {target}: {error}.") from error
    descriptor = os.open(target, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(reader: sqlite3.Connection, target: Path, tell: Tell) -> None:
    writer = sqlite3.connect(target, isolation_level=None)
    try:
        # One snapshot from here on: otherwise every commit of the server would begin the copy anew.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reader.backup(writer, pages=_PAGES, progress=lambda _, left, total: tell(_share(total - left, total)))
        # A copy in WAL mode could not be read from a medium that is read-only.
        writer.execute("PRAGMA journal_mode = DELETE")
        tell("Checking the copy")
        if found := soundness.defects(writer):
            raise ConfigurationError(f"The copy is damaged, and so is what was copied: {found[0]}.")
    finally:
        writer.close()


def _share(done: int, total: int) -> str:
    return f"Copying, {100 * done // max(total, 1)} %"


def open_readonly(path: Path, *, is_at_rest: bool = False) -> sqlite3.Connection:
    """A connection that changes nothing. `is_at_rest`: a file without a log is read without making one beside it.

    Raises ConfigurationError where there is no such file, sqlite3.Error.
    """
    if not path.is_file():
        raise ConfigurationError(f"There is no database {path}.")
    has_log = path.with_name(path.name + "-wal").exists()
    alone = "&immutable=1" if is_at_rest and not has_log else ""
    uri = f"{path.absolute().as_uri()}?mode=ro{alone}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_S)


def replace(new: Path, path: Path, aside: Path) -> None:
    """Put `new` in the place of a database that nobody has open; keep the replaced one, log and all, as `aside`.

    Killed at any moment, one of both is in place and whole. Raises OSError.
    """
    _empty_log(path)
    for sibling in SIBLINGS:
        beside = path.with_name(path.name + sibling)
        if beside.exists():
            # Left only by a database that cannot be opened any more; SQLite must not apply it to the new one.
            beside.rename(aside.with_name(aside.name + sibling))
    if path.exists():
        os.link(path, aside)
    new.rename(path)
    sync_directory(path.parent)


def _empty_log(path: Path) -> None:
    """Bring what is in the log into the file: closing the last connection removes it."""
    # SQLite deletes the log of what it does not take for a database, and with it what could still be saved.
    if not wal.is_read(path):
        return
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_S)
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.close()
    except soundness.UNREADABLE:
        return


def discard(path: Path) -> None:
    """Delete a copy with everything beside it."""
    for name in (path.name, *(path.name + sibling for sibling in SIBLINGS)):
        path.with_name(name).unlink(missing_ok=True)


def sync_directory(path: Path) -> None:
    """Make names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
