"""What doctor finds of a data directory; each condition is made, none is pretended."""

import json
import os
import socket
import sqlite3
from pathlib import Path

import pytest

from agentrunner.app import doctor_data
from agentrunner.app.db import NAME
from agentrunner.config import Settings, load
from agentrunner.domain.check import Check
from agentrunner.process import holder
from agentrunner.process.adopt import foreign
from e2e.product import product
from waiting import until


def settings(path: Path, **more: object) -> Settings:
    """Settings of a data directory."""
    return load({}, {"data_dir": str(path), "port": 0, **more})


def found(path: Path, **more: object) -> dict[str, Check]:
    """The checks by name."""
    return {check.name: check for check in doctor_data.checks(settings(path, **more))}


def test_a_fresh_directory_is_well(tmp_path: Path) -> None:
    """Nothing is warned of that is as it should be, and nothing is made by looking."""
    tmp_path.chmod(0o700)
    made = found(tmp_path)
    assert set(made) == {
        *("data directory", "disk space", "inodes", "file system", "token files", "database", "run directories", "up")
    }
    assert [name for name, check in made.items() if check.status == "fail"] == []
    assert list(tmp_path.iterdir()) == []


def test_a_token_that_others_can_read_is_a_failure(tmp_path: Path) -> None:
    """The command that mends it does."""
    (tmp_path / "token").write_text("ar_x")
    (tmp_path / "token").chmod(0o644)
    check = found(tmp_path)["token files"]
    assert (check.status, check.advice) == ("fail", f"chmod go-rwx {tmp_path}/token")
    assert os.system(str(check.advice)) == 0  # noqa: S605
    assert found(tmp_path)["token files"].status == "ok"


@pytest.mark.parametrize(("share", "status"), [(0.5, "ok"), (2, "warn"), (20, "fail")])
def test_little_room_is_said(tmp_path: Path, share: float, status: str) -> None:
    """Against what is there now: enough, too little, far too little."""
    free = os.statvfs(tmp_path)
    for check in (
        doctor_data.room(tmp_path, int(free.f_bavail * free.f_frsize * share)),
        doctor_data.inodes(tmp_path, int(free.f_favail * share)),
    ):
        assert check.status == (status if free.f_files or check.name == "disk space" else "ok")
        assert (check.advice is None) == (check.status == "ok")


def test_memory_is_no_place_to_stay() -> None:
    """A real file system in memory is warned of."""
    check = doctor_data.file_system(Path("/dev/shm"))
    assert (check.status, check.detail) == ("warn", "tmpfs on /dev/shm")


@pytest.mark.parametrize(
    ("kind", "status"), [("nfs4", "fail"), ("fuse.sshfs", "fail"), ("ext4", "ok"), ("tmpfs", "warn")]
)
def test_the_nearest_mount_decides(tmp_path: Path, kind: str, status: str) -> None:
    """Of mounts over each other the last; blanks in a path are written as the kernel writes them."""
    here = tmp_path / "a b"
    here.mkdir()
    mounts = tmp_path / "mountinfo"
    shown = str(here).replace(" ", "\\040")
    mounts.write_text(
        f"1 0 0:1 / / rw - overlay overlay rw\n2 1 0:2 / {shown} rw shared:1 - xfs /dev/a rw\n"
        f"3 2 0:3 / {shown} rw - {kind} x rw\n4 1 0:4 / {shown}b rw - btrfs x rw\n"
    )
    assert doctor_data.mounted(here, mounts) == (kind, str(here))
    check = doctor_data.file_system(here, mounts)
    assert check.status == status


def test_a_damaged_database_is_found(tmp_path: Path) -> None:
    """A page overwritten in the file."""
    path = tmp_path / NAME
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE x (a TEXT)")
    connection.executemany("INSERT INTO x VALUES (?)", [("y" * 500,)] * 400)
    connection.commit()
    connection.close()
    assert found(tmp_path)["database"].status == "ok"
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 4096)
    check = found(tmp_path)["database"]
    assert check.status == "fail"
    assert "agentrunner db check" in str(check.advice)


def test_what_is_no_database_is_a_failure(tmp_path: Path) -> None:
    """And said so, not raised."""
    (tmp_path / NAME).write_bytes(b"not a database, but long enough to be one" * 100)
    assert found(tmp_path)["database"].status == "fail"


def test_another_process_on_the_address_is_said(tmp_path: Path) -> None:
    """A socket that listens there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        check = found(tmp_path, port=port)["up"]
        assert (check.status, str(port) in check.detail) == ("warn", True)
    assert found(tmp_path, port=port)["up"].status == "ok"


def test_the_up_that_runs_is_named(tmp_path: Path) -> None:
    """By its lock, which is not taken from it."""
    lock = holder.take(tmp_path / "up.lock")
    try:
        assert found(tmp_path)["up"].detail == f"runs as process {os.getpid()}"
    finally:
        os.close(lock)
    assert found(tmp_path)["up"].detail.startswith("does not run")


def test_live_runs_of_another_database_are_named_and_left_alone() -> None:
    """A run goes on whose database was taken away: doctor says where it is, and it lives on."""
    with product(grace_s=1) as made:
        made.start("server")
        worker = made.start("worker")
        made.wait_ready()
        run = made.create("command", options={"argv": ["sleep", "600"]})
        made.wait(run, "RUNNING")
        until(lambda: foreign(made.data_dir / "runs", "no database"))
        assert found(made.data_dir)["run directories"].status == "ok"
        worker.kill()
        away = made.data_dir / "away.db"
        (made.data_dir / NAME).rename(away)
        check = found(made.data_dir)["run directories"]
        assert check.status == "warn"
        where = Path(str(check.advice).rsplit(" ", 1)[1])
        pid = json.loads(where.read_text())["pid"]
        os.kill(pid, 0)
        away.rename(made.data_dir / NAME)
