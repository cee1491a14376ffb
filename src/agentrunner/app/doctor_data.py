"""What doctor looks at in the data directory: readers, room, file system, tokens, database, run directories."""

import json
import os
import socket
import sqlite3
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from agentrunner.app.address import read_address
from agentrunner.app.db import NAME
from agentrunner.app.tokens import LOCAL_TOKENS
from agentrunner.config import Settings
from agentrunner.domain.check import Check
from agentrunner.domain.errors import ConfigurationError
from agentrunner.process import holder
from agentrunner.process.adopt import foreign
from agentrunner.store import files

ENOUGH_BYTES = 1 << 30
ENOUGH_INODES = 10_000
_FEW = 10
"""Below a tenth of enough it is no longer a warning."""
_LOOK_S = 2.0
_STEPS = 100_000
_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = (
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "ceph",
    "glusterfs",
    "lustre",
    "afs",
    "fuse.sshfs",
    "virtiofs",
)
_PASSING = ("tmpfs", "ramfs")


def checks(settings: Settings) -> Iterator[Check]:
    """Every check of the data directory; nothing is made or changed, and no process is signalled."""
    path = settings.data_path
    if not path.is_dir():
        yield Check(name="data directory", status="ok", detail=f"{path} will be made by `agentrunner up`")
    else:
        yield mode(path)
        yield room(path)
        yield inodes(path)
        yield file_system(path)
        yield tokens(path)
        yield database(settings)
        yield run_directories(settings)
    yield up(settings)


def mode(path: Path) -> Check:
    """Whether others can read it."""
    found, name = path.stat(), "data directory"
    why = "Goals, output and tokens are in it: who can read it can command this server."
    if found.st_uid != os.geteuid():
        detail, advice = f"{path} belongs to user {found.st_uid}", f"chown -R $(id -u) {path}"
        return Check(name=name, status="fail", detail=detail, why=why, advice=advice)
    bits = stat.S_IMODE(found.st_mode)
    if bits & 0o077:
        detail = f"{path} can be read by other users ({bits:o})"
        return Check(name=name, status="warn", detail=detail, why=why, advice=f"chmod 700 {path}")
    return Check(name=name, status="ok", detail=str(path), why=why)


def room(path: Path, enough: int = ENOUGH_BYTES) -> Check:
    """Bytes that this user may still write."""
    found = os.statvfs(path)
    free, whole = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    detail = f"{free / (1 << 30):.1f} of {whole / (1 << 30):.1f} GiB free"
    why = "With a full disk nothing new is taken, and output that agents write is lost."
    advice = f"du -xh --max-depth=2 {path} | sort -h | tail; then delete what is not needed"
    return _enough("disk space", free, enough, detail=detail, why=why, advice=advice)


def inodes(path: Path, enough: int = ENOUGH_INODES) -> Check:
    """Files that can still be made."""
    found = os.statvfs(path)
    if not found.f_files:
        return Check(name="inodes", status="ok", detail="this file system does not count them")
    why = "Each attempt has a directory of some ten files; without inodes none can be made, whatever room there is."
    advice = f"du --inodes -x --max-depth=2 {path} | sort -n | tail; then delete what is not needed"
    return _enough("inodes", found.f_favail, enough, detail=f"{found.f_favail} free", why=why, advice=advice)


def _enough(name: str, free: int, enough: int, **words: str) -> Check:
    if free >= enough:
        return Check(name=name, status="ok", detail=words["detail"], why=words["why"])
    return Check(name=name, status="warn" if free >= enough // _FEW else "fail", **words)


def file_system(path: Path, mounts: Path = _MOUNTS) -> Check:
    """What kind of file system it is on."""
    name = "file system"
    kind, mount = mounted(path, mounts)
    if kind in _NETWORK:
        why = "Locks and mapped memory of a network file system do not keep what SQLite and the start gate rely on."
        advice = "Put the data directory on a local disk: `agentrunner up --data-dir DIR`."
        return Check(name=name, status="fail", detail=f"{kind} on {mount}", why=why, advice=advice)
    if kind in _PASSING:
        why = "It is memory: everything is gone with the next restart of this host."
        advice = "For data that is to stay: `agentrunner up --data-dir DIR` on a disk."
        return Check(name=name, status="warn", detail=f"{kind} on {mount}", why=why, advice=advice)
    return Check(name=name, status="ok", detail=f"{kind} on {mount}")


def mounted(path: Path, mounts: Path = _MOUNTS) -> tuple[str, str]:
    """The type and place of the file system that a path is on; of those mounted over each other the last."""
    wanted, found = path.resolve(), ("unknown", "/")
    for line in mounts.read_text().splitlines():
        before, _, after = line.partition(" - ")
        place = before.split(" ")[4].encode().decode("unicode_escape")
        if wanted.is_relative_to(place) and len(place) >= len(found[1]):
            found = (after.split(" ")[0], place)
    return found


def tokens(path: Path) -> Check:
    """Whether the files with tokens and secrets are this user's alone."""
    name, why = "token files", "Who can read one can command this server."
    wanted = [path / file for file, _ in LOCAL_TOKENS] + [path / "secrets"]
    there = [each for each in wanted if each.exists()]
    open_ones = [each for each in there if stat.S_IMODE(each.stat().st_mode) & 0o077]
    if open_ones:
        names = " ".join(map(str, open_ones))
        detail, advice = f"other users can read {names}", f"chmod go-rwx {names}"
        return Check(name=name, status="fail", detail=detail, why=why, advice=advice)
    return Check(
        name=name, status="ok", detail=f"{len(there)} of {len(wanted)} are there, for this user alone", why=why
    )


def database(settings: Settings) -> Check:
    """A quick look at the database's pages, bounded in time."""
    name = "database"
    if settings.database_url:
        return Check(name=name, status="ok", detail="on PostgreSQL, which has checks of its own (`pg_amcheck`)")
    path = settings.data_path / NAME
    if not path.exists():
        return Check(name=name, status="ok", detail="not made yet; `agentrunner up` makes it")
    why = "A damaged page loses runs later, and backups made until then have it too."
    advice = "`agentrunner db check` says what is damaged, `agentrunner db restore FILE` puts a backup in its place."
    try:
        found = _look(path)
    except (sqlite3.Error, ConfigurationError, OSError) as error:
        return Check(name=name, status="fail", detail=f"{path}: {error}", why=why, advice=advice)
    size = f"{path.stat().st_size / (1 << 20):.1f} MiB"
    if found is None:
        detail = f"{size}; no damage in {_LOOK_S:g} s, `agentrunner db check` looks at all of it"
        return Check(name=name, status="ok", detail=detail, why=why)
    if found != "ok":
        return Check(name=name, status="fail", detail=f"{path}: {found}", why=why, advice=advice)
    return Check(name=name, status="ok", detail=f"{size}, every page is sound", why=why)


def _look(path: Path) -> str | None:
    """What SQLite's quick check says first; None where it was not done in time."""
    connection = files.open_readonly(path)
    deadline = time.monotonic() + _LOOK_S
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    try:
        return str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return None
        raise
    finally:
        connection.close()


def run_directories(settings: Settings) -> Check:
    """Live runs of other databases than the one that is here."""
    name = "run directories"
    live = _strangers(settings)
    if not live:
        return Check(name=name, status="ok", detail="no live run of another database")
    detail = f"{len(live)} live runs of another database, for example {live[0]}; they are left alone"
    why = "A worker touches only the runs of its own database, so nobody here will ever end these."
    advice = f"Serve their database again, or look up the pids and end them yourself: cat {live[0]}/proc.json"
    return Check(name=name, status="warn", detail=detail, why=why, advice=advice)


def _strangers(settings: Settings) -> list[Path]:
    runs = settings.data_path / "runs"
    if not settings.database_url:
        return foreign(runs, _instance(settings.data_path / NAME))
    # Which database is ours is not to be seen from here; of several only one can be.
    live = foreign(runs, "")
    return live if len({path.parent for path in live}) > 1 else []


def _instance(path: Path) -> str:
    try:
        connection = files.open_readonly(path)
        try:
            row = connection.execute("SELECT value FROM meta WHERE key = 'instance_id'").fetchone()
        finally:
            connection.close()
    except (sqlite3.Error, ConfigurationError):
        return ""
    return str(row[0]) if row else ""


def up(settings: Settings) -> Check:
    """Whether an `up` runs here, and where not, whether its port is somebody else's."""
    name = "up"
    lock = settings.data_path / "up.lock"
    if lock.exists() and holder.is_held(lock):
        return Check(name=name, status="ok", detail=f"runs as process {_pid(lock)}")
    why = "`agentrunner up` cannot listen on an address that another process has."
    taken = not read_address(settings.data_path) and _answers(settings.host, settings.port)
    if taken:
        detail = f"does not run, and {settings.host}:{settings.port} is taken by another process"
        advice = f"ss -ltnp 'sport = :{settings.port}' names it; `agentrunner up --port 0` takes a free one."
        return Check(name=name, status="warn", detail=detail, why=why, advice=advice)
    return Check(name=name, status="ok", detail="does not run; its address is free", why=why)


def _pid(lock: Path) -> str:
    try:
        return str(json.loads(lock.read_text())["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return "that names itself not"


def _answers(host: str, port: int) -> bool:
    if not port:
        return False
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False
