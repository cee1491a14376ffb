"""`agentrunner db` as a process."""

import json
import os
import sqlite3
from pathlib import Path

import pytest

from agentrunner.app.db import NAME
from agentrunner.store import migrate
from cli.conftest import Cli, Product


@pytest.fixture
def database(data_dir: Path) -> Path:
    """An empty database, as a server that has ended leaves it."""
    path = data_dir / NAME
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    migrate.sqlite(connection)
    connection.close()
    return path


def test_check_has_a_line_each(cli: Cli, database: Path) -> None:
    """And exit code 0; JSON for a program."""
    done = cli("db", "check")
    assert done.returncode == 0
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        f"✓ {name}" for name in ("file", "schema", "references", "counters", "timelines", "write-ahead log")
    ]
    assert "`--full` reads all" in done.stdout
    items = json.loads(cli("db", "check", "--full", "--json").stdout)["items"]
    assert {item["status"] for item in items} == {"ok"}


def test_check_fails_with_advice(cli: Cli, database: Path) -> None:
    """Exit code 1 and what to run."""
    with sqlite3.connect(database) as connection:
        connection.execute("INSERT INTO counts (name, n) VALUES ('active', 3)")
    connection.close()
    done = cli("db", "check")
    assert done.returncode == 1
    assert "✗ counters: active says 3, there are 0" in done.stdout
    assert "agentrunner db restore FILE" in done.stdout


def test_backup_and_restore(cli: Cli, database: Path, data_dir: Path) -> None:
    """There and back, with what is not in it and what it means; a second backup does not overwrite."""
    copy = data_dir / "copy.db"
    done = cli("db", "backup", str(copy))
    assert (done.returncode, "Not in it: the secrets of runs" in done.stderr) == (0, True)
    again = cli("db", "backup", str(copy))
    assert again.returncode == 1
    assert "is there already and is not overwritten" in again.stderr
    done = cli("db", "restore", str(copy))
    assert done.returncode == 0
    assert f"{database} is restored from {copy}, as instance " in done.stdout
    assert f"The database it replaces is {database}.replaced-" in done.stderr
    answer = json.loads(cli("db", "restore", str(copy), "--json").stdout)
    assert (answer["ended"], answer["held"], answer["live"]) == (0, 0, [])


def test_without_a_database(cli: Cli) -> None:
    """A sentence each."""
    for words in (["check"], ["backup", "x"], ["restore", "x"]):
        done = cli("db", *words)
        assert done.returncode == 1
        assert "There is no database" in done.stderr


def test_while_the_server_runs(real: Product, tmp_path: Path) -> None:
    """Check and backup work, a restore is refused."""
    checked = real.command("db", "check", "--full")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    made = real.command("db", "backup", str(tmp_path / "copy.db"))
    assert made.returncode == 0, made.stderr
    refused = real.command("db", "restore", str(tmp_path / "copy.db"))
    assert refused.returncode == 1
    assert "end `agentrunner up` there first" in refused.stderr


def test_prune_alone(cli: Cli, database: Path, data_dir: Path) -> None:
    """Without a server: nothing is due, then an old run and its raw output are, first shown and then gone."""
    done = cli("db", "prune", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "raw output: 0 run directories, 0.0 MiB, would go",
        "secrets: of 0 runs would go",
        "timelines: 0 events would go",
        "runs: 0 would go",
    ]
    with sqlite3.connect(database) as connection:
        [instance] = connection.execute("SELECT value FROM meta WHERE key = 'instance_id'").fetchone()
    connection.close()
    for owner, kept in ((instance, False), ("another", True)):
        path = data_dir / "runs" / owner / "0123456789abcdef"
        path.mkdir(parents=True)
        (path / "recorded").touch()
        os.utime(path / "recorded", (1, 1))
        shown = json.loads(cli("db", "prune", "--dry-run", "--json").stdout)
        assert (shown["spools"]["directories"], path.exists()) == (0 if kept else 1, True)
        gone = json.loads(cli("db", "prune", "--json").stdout)
        assert (gone["spools"]["directories"], path.exists()) == (0 if kept else 1, kept)


def test_prune_while_the_server_runs(real: Product) -> None:
    """The server deletes its record; raw output is the worker's."""
    run_id = real.create("command", options={"argv": ["echo", "x"]})
    real.wait(run_id, "COMPLETED")
    done = real.command("db", "prune", "--json")
    assert done.returncode == 0, done.stderr
    spools = {"directories": 0, "bytes": 0, "left_to_worker": True}
    assert json.loads(done.stdout) == {"runs": 0, "events": 0, "secrets": 0, "spools": spools}
