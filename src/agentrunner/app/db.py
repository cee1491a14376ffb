"""The database as files: check it, copy it, put a copy in its place. For SQLite; PostgreSQL has its own tools."""

import asyncio
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agentrunner.config import Settings
from agentrunner.domain.check import Check
from agentrunner.domain.errors import ConfigurationError
from agentrunner.engine import instance
from agentrunner.process import holder
from agentrunner.process.adopt import is_live
from agentrunner.store import files, soundness
from agentrunner.store.files import Tell
from agentrunner.store.sqlite import SqliteDatabase

NAME = "agentrunner.db"
_SECRETS = "secrets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore did: where the replaced database and secrets are, and what it means for runs."""

    path: Path
    replaced: Path | None
    replaced_secrets: Path | None
    instance_id: str
    ended: int
    held: int
    live: list[Path]


def database_path(settings: Settings) -> Path:
    """The SQLite database of a data directory. Raises ConfigurationError where PostgreSQL is used instead."""
    if settings.database_url:
        raise ConfigurationError(
            "The database is on PostgreSQL (`database_url`): `pg_dump` backs it up, `pg_restore` restores it and "
            "`pg_amcheck` checks it."
        )
    return settings.data_path / NAME


def refuse_emptied(settings: Settings) -> None:
    """A database of no bytes would become a new one without a word; raises ConfigurationError where runs were here."""
    path = settings.data_path / NAME
    has_runs = any((settings.data_path / "runs").glob("*/*"))
    if not settings.database_url and has_runs and path.is_file() and not path.stat().st_size:
        raise ConfigurationError(f"The database {path} is empty, and runs were here. {soundness.RESTORE}")


def check(settings: Settings, full: bool, tell: Tell) -> Iterator[Check]:
    """Every check of the database, a server using it or not; nothing is changed. Raises ConfigurationError."""
    path = database_path(settings)
    try:
        connection = files.open_readonly(path)
        try:
            yield from soundness.checks(connection, path, full, tell)
        finally:
            connection.close()
    except soundness.UNREADABLE as error:
        yield Check(name="file", status="fail", detail=f"{path}: {error}", advice=soundness.RESTORE)


def backup(settings: Settings, target: Path, tell: Tell) -> None:
    """Copy the database to a file that must not be there yet, a server using it or not. Raises ConfigurationError."""
    files.backup(database_path(settings), target, tell)


def restore(settings: Settings, source: Path, tell: Tell) -> Restored:
    """Put a backup in the place of the database, as a new instance; what it replaces is kept.

    Raises ConfigurationError where a server or `agentrunner up` holds the data directory, or the backup is no good;
    nothing is changed then.
    """
    path = database_path(settings)
    if source.exists() and path.exists() and source.samefile(path):
        raise ConfigurationError(f"{source} is the database in use, not a backup of it.")
    with held(settings.data_path):
        prepared = path.with_name(f"{NAME}.restoring")
        try:
            files.discard(prepared)
            return _restore(settings, source, prepared, tell)
        except OSError as error:
            raise ConfigurationError(f"{source} cannot be restored: {error.strerror or error}.") from error
        finally:
            files.discard(prepared)


def _restore(settings: Settings, source: Path, prepared: Path, tell: Tell) -> Restored:
    path, aside = settings.data_path / NAME, _free_name(settings.data_path / NAME)
    files.copy(source, prepared, tell, is_at_rest=True)
    is_same = _instance(prepared) == _instance(path)
    instance_id = uuid.uuid4().hex
    renewed = asyncio.run(_renew(prepared, instance_id))
    had = path.exists()
    secrets = settings.data_path / _SECRETS
    replaced_secrets = None
    if secrets.exists() and not is_same:
        # Another instance's runs have the same numbers; none may be given their secrets.
        replaced_secrets = _free_name(secrets)
        secrets.rename(replaced_secrets)
    files.replace(prepared, path, aside)
    return Restored(
        path=path,
        replaced=aside if had else None,
        replaced_secrets=replaced_secrets,
        instance_id=instance_id,
        ended=renewed.ended,
        held=renewed.held,
        live=[found for found in sorted((settings.data_path / "runs").glob("*/*")) if is_live(found)],
    )


async def _renew(path: Path, instance_id: str) -> instance.Renewed:
    """Through the driver, so that an older schema is brought up to date and a newer one refused."""
    database = SqliteDatabase(path)
    await database.start()
    try:
        return await database.write(instance.renew, instance_id, time.time_ns() // 1_000_000)
    finally:
        await database.stop()


def _instance(path: Path) -> str | None:
    """The instance of a database; None where it has none that can be read."""
    try:
        connection = files.open_readonly(path)
    except (ConfigurationError, *soundness.UNREADABLE):
        return None
    try:
        row = connection.execute("SELECT value FROM meta WHERE key = 'instance_id'").fetchone()
    except soundness.UNREADABLE:
        return None
    finally:
        connection.close()
    return None if row is None else str(row[0])


def _free_name(path: Path) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    names = [path.with_name(f"{path.name}.replaced-{stamp}{more}") for more in ("", *(f"-{n}" for n in range(2, 100)))]
    return next(name for name in names if not name.exists())


@contextmanager
def held(data_dir: Path) -> Iterator[None]:
    """Keep servers and `agentrunner up` out of the data directory. Raises ConfigurationError where one is in."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    locks: list[int] = []
    try:
        for name in ("up.lock", "server.lock"):
            locks.append(holder.take(data_dir / name))
        yield
    except holder.Held as error:
        raise ConfigurationError(
            f"A server holds {data_dir}: end `agentrunner up` there first (Ctrl-C, or `systemctl stop`). Agents go on."
        ) from error
    finally:
        for lock in locks:
            os.close(lock)
