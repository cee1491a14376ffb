"""`agentrunner up` as people have it: what it keeps, what it says, how it ends."""

import signal
import socket
import stat
import subprocess

import pytest

from e2e.processes import Process, agents, of_directory
from e2e.product import BIN, Product
from waiting import until

_UP = [str(BIN / "agentrunner"), "up", "--port", "0"]
SLEEPER = {"argv": ["sh", "-c", "echo on; exec sleep 300"]}


def started(fresh: Product, *flags: str) -> Process:
    """An `up` that serves."""
    parent = fresh.up(*flags)
    fresh.wait_ready()
    return parent


def running(fresh: Product) -> int:
    """A run whose agent has begun."""
    run_id = fresh.create("command", options=SLEEPER)
    until(lambda: fresh.lines(run_id) == ["on"], 20, 0.02)
    return run_id


def part(fresh: Product, kind: str) -> Process:
    """A part that has to be there."""
    found = fresh.part(kind)
    assert found is not None, fresh.log()
    return found


def test_it_starts_its_parts_again_and_ends_without_its_agents(fresh: Product) -> None:
    """Either part may die; Ctrl-C says how many agents go on and how to end them; the files of tokens are private."""
    parent = started(fresh)
    run_id = running(fresh)
    agent = agents(fresh.data_dir)
    for kind in ("worker", "server"):
        old = part(fresh, kind)
        assert old.kill()
        until(lambda old=old, kind=kind: (now := fresh.part(kind)) is not None and now != old, 20, 0.02)
        assert f"The {kind} ended (SIGKILL); starting it again." in fresh.log()
    fresh.wait_ready()
    assert agents(fresh.data_dir) == agent
    for name in ("token", "worker-token"):
        assert stat.S_IMODE((fresh.data_dir / name).stat().st_mode) == 0o600
    parent.send(signal.SIGINT)
    assert fresh.wait_ended(parent, 15) == 0
    assert "1 agent goes on." in fresh.log()
    assert "agentrunner stop --all" in fresh.log()
    assert of_directory(fresh.data_dir, "server", "worker") == []
    assert agents(fresh.data_dir) == agent
    again = started(fresh)
    assert fresh.wish(run_id, "stop").status_code in {200, 202}
    fresh.wait(run_id, "STOPPED")
    again.send(signal.SIGHUP)
    assert fresh.wait_ended(again, 15) == 0
    assert "SIGKILL" not in fresh.log().splitlines()[-1]


def test_when_it_is_killed_its_parts_end(fresh: Product) -> None:
    """Nobody can tell them then: the pipe from it does. The agent goes on, the next `up` needs not to wait."""
    parent = started(fresh)
    running(fresh)
    agent = agents(fresh.data_dir)
    parent.kill()
    fresh.wait_ended(parent, 10)
    until(lambda: of_directory(fresh.data_dir, "server", "worker") == [], 15, 0.02)
    assert agents(fresh.data_dir) == agent


def test_a_second_signal_ends_it_at_once(fresh: Product) -> None:
    """A server that hangs is not waited for twice."""
    parent = started(fresh)
    server = part(fresh, "server")
    server.send(signal.SIGSTOP)
    parent.send(signal.SIGINT)
    until(lambda: fresh.part("worker") is None, 8, 0.02)
    assert server.is_alive
    parent.send(signal.SIGINT)
    assert fresh.wait_ended(parent, 4) == 0
    assert not server.is_alive


def test_a_port_that_is_taken_is_said_once(fresh: Product) -> None:
    """One line that says what to do, and an end: starting again would change nothing."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        parent = fresh.up("--port", str(port))
        assert fresh.wait_ended(parent, 20) == 1
    said = [line for line in fresh.log().splitlines() if f"port {port}" in line]
    assert len(said) == 1
    assert "--port" in said[0]
    assert "cannot start" in fresh.log()
    assert "starting it again" not in fresh.log()
    assert "Traceback" not in fresh.log()


@pytest.mark.parametrize("obstacle", ["file", "directory"])
def test_a_directory_that_cannot_be_used_is_said(fresh: Product, obstacle: str) -> None:
    """A sentence, no traceback."""
    where = fresh.data_dir / "a-file"
    if obstacle == "file":
        where.write_text("")
    else:
        (where / "up.lock").mkdir(parents=True)
    ended = subprocess.run([*_UP, "--data-dir", str(where)], capture_output=True, text=True, timeout=20)
    assert ended.returncode > 0
    assert "cannot be used" in ended.stderr or "cannot be read" in ended.stderr
    assert str(where) in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_second_one_is_refused(fresh: Product) -> None:
    """Two parents would end each other's parts for ever; the first is named and untouched."""
    first = started(fresh)
    parts = of_directory(fresh.data_dir, "server", "worker")
    second = fresh.up()
    assert fresh.wait_ended(second, 20) > 0
    assert f"process {first.pid}" in fresh.log().splitlines()[-1]
    assert of_directory(fresh.data_dir, "server", "worker") == parts


def test_the_worker_learns_no_database_and_agents_no_token(fresh: Product) -> None:
    """Hosts that run agents hold no database credentials; an agent holds nothing of the product."""
    fresh.environment["AGENTRUNNER_TOKEN"] = ""
    fresh.environment["SOME_SECRET_KEY"] = "of-the-person-who-started-it"
    started(fresh)
    worker = part(fresh, "worker")
    with open(f"/proc/{worker.pid}/environ", "rb") as file:
        assert b"AGENTRUNNER_DATABASE_URL" not in file.read()
    run_id = fresh.create("command", options={"argv": ["env"]})
    fresh.wait(run_id, "COMPLETED")
    names = {line.partition("=")[0] for line in fresh.lines(run_id)}
    assert not {name for name in names if "TOKEN" in name or "SECRET" in name or "DATABASE" in name}


def test_a_server_alone(fresh: Product) -> None:
    """DISABLE_WORKER: no worker is started, which is said; runs wait, and a worker that comes takes them."""
    fresh.environment["DISABLE_WORKER"] = "true"
    parent = fresh.up()
    until(lambda: "DISABLE_WORKER: no worker here" in fresh.log(), 20, 0.02)
    run_id = fresh.create("command", options={"argv": ["true"]})
    assert fresh.part("worker") is None
    assert fresh.run(run_id)["status"] == "QUEUED"
    worker = fresh.start("worker")
    fresh.wait(run_id, "COMPLETED")
    assert worker.is_alive
    parent.send(signal.SIGINT)
    assert fresh.wait_ended(parent, 15) == 0
    assert of_directory(fresh.data_dir, "server") == []


def test_a_worker_that_is_not_disabled(fresh: Product) -> None:
    """`DISABLE_WORKER=false` says what it says."""
    fresh.environment["DISABLE_WORKER"] = "false"
    started(fresh)
    assert fresh.part("worker") is not None
    assert "no worker here" not in fresh.log()
