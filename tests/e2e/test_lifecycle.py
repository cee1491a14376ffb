"""A run from its creation to its end through `agentrunner up` and the command line, whatever happens to `up` itself."""

import base64
import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from agentrunner.testing import ScriptedAgent
from e2e.processes import Process, agents, everything, look, of_directory
from e2e.product import BIN, Product, product
from waiting import until

GRACE_S = 2.0
LINES = 400
SECRET = 'q"7/zürich-and-a-long-tail-0123456789'


@pytest.fixture
def up(fresh: Product) -> Product:
    """`agentrunner up`, ready."""
    fresh.up()
    fresh.wait_ready()
    return fresh


def numbered(lines: int = LINES, every: float = 0.05) -> dict[str, object]:
    """Options of a script that counts."""
    return ScriptedAgent().emit("x", repeat=lines, every=every, numbered=True).options()


def agent(server: Product, run_id: int) -> Process:
    """The agent of a run, proven by its start time."""
    started = next(event["payload"] for event in server.events(run_id) if event["type"] == "run.started")
    process = look(started["pid"])
    assert process is not None
    assert process.started == started["start_time"]
    return process


def has_lines(server: Product, run_id: int, count: int) -> bool:
    """Whether a run has said so much."""
    return len(server.lines(run_id)) >= count


def test_from_create_to_stop_by_command_line(up: Product) -> None:
    """Create, watch, pause, resume, stop: each is fact when the timeline says so, and the watcher sees it all."""
    run_id = up.create("script", options=numbered(10_000, 0.02), title="counting")
    with subprocess.Popen(
        [BIN / "agentrunner", "logs", "-f", str(run_id)], env=up.environment, stdout=subprocess.PIPE, text=True
    ) as watcher:
        try:
            until(lambda: has_lines(up, run_id, 10), 20, 0.05)
            done = up.command("pause", str(run_id))
            assert done.returncode == 0, done.stderr
            up.wait(run_id, "PAUSED")
            frozen = len(up.lines(run_id))
            assert str(run_id) in up.command("ps").stdout
            shown = json.loads(up.command("show", str(run_id), "--json").stdout)
            assert shown["status"] == "PAUSED"
            assert up.command("explain", str(run_id)).returncode == 0
            assert len(up.lines(run_id)) == frozen
            assert up.command("resume", str(run_id)).returncode == 0
            until(lambda: has_lines(up, run_id, frozen + 10), 20, 0.05)
            assert up.command("stop", str(run_id)).returncode == 0
            assert up.wait(run_id, "STOPPED")["reason"] == "stopped_by_user"
            assert watcher.stdout is not None
            seen = watcher.stdout.read()
            watcher.wait(10)
        finally:
            watcher.kill()
    lines = up.lines(run_id)
    assert lines == [f"{number} x" for number in range(1, len(lines) + 1)]
    assert [line for line in lines if line in seen] == lines
    order = ["run.created", "run.claimed", "run.started", "run.paused", "run.resumed", "run.stop_requested"]
    types = [type for type in up.types(run_id) if type.startswith("run.")]
    assert types == [*order, "run.stopped"]
    assert agents(up.data_dir) == []


@pytest.mark.parametrize("mechanism", ["", "walk"], ids=["best", "walk"])
def test_a_stubborn_tree_stopped_while_paused(mechanism: str) -> None:
    """Double forks, sessions of their own, ignored signals, frozen: nothing is left within the grace and 2 s."""
    with product(grace_s=GRACE_S, tree=mechanism) as server:
        server.start("server")
        server.start("worker")
        server.wait_ready()
        pids = server.data_dir / "pids"
        tree = ScriptedAgent().ignore("TERM", "INT")
        for life in ({"double_fork": True, "setsid": True}, {"setsid": True}, {"quiet": True}):
            tree.spawn(2, ignore=["TERM", "INT", "HUP"], pids=str(pids), **life)
        tree.emit("all there").wait(3600)
        run_id = server.create("script", options=tree.options())
        until(lambda: "all there" in server.lines(run_id), 20, 0.05)
        known = [look(int(pid)) for pid in pids.read_text().split()]
        members = [process for process in [*known, agent(server, run_id)] if process is not None]
        assert len(members) == 7
        server.wish(run_id, "pause")
        server.wait(run_id, "PAUSED")
        assert all(process.is_alive for process in members)
        began = time.monotonic()
        server.wish(run_id, "stop")
        until(lambda: not any(process.is_alive for process in members), GRACE_S + 2, 0.02)
        assert server.wait(run_id, "STOPPED", timeout=GRACE_S + 4)["reason"] == "stopped_by_user"
        assert time.monotonic() - began < GRACE_S + 4
        assert agents(server.data_dir) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_the_end_of_up_is_not_the_end_of_its_agents(fresh: Product, number: signal.Signals) -> None:
    """However `up` ends, server and worker end with it, agents go on, and the next `up` takes them up."""
    first = fresh.up()
    fresh.wait_ready()
    run_id = fresh.create("script", options=numbered(80))
    until(lambda: has_lines(fresh, run_id, 10), 20, 0.05)
    counting = agent(fresh, run_id)
    parts = of_directory(fresh.data_dir, "server", "worker")
    assert len(parts) == 2
    assert first.send(number)
    code = fresh.wait_ended(first, 15)
    assert code == -signal.SIGKILL if number == signal.SIGKILL else code >= 0
    until(lambda: not any(part.is_alive for part in parts), 15, 0.02)
    assert counting.is_alive
    fresh.up()
    fresh.wait_ready()
    run = fresh.wait(run_id, "COMPLETED", timeout=40)
    assert run["attempt"] == 1
    assert fresh.lines(run_id) == [f"{number} x" for number in range(1, 81)]
    started = [event["payload"]["pid"] for event in fresh.events(run_id) if event["type"] == "run.started"]
    assert started == [counting.pid]


def test_a_paused_run_is_found_paused(up: Product) -> None:
    """A frozen tree outlives server and worker frozen; its timeline says so once, and it goes on when it is told to."""
    run_id = up.create("script", options=numbered(60))
    until(lambda: has_lines(up, run_id, 5), 20, 0.05)
    up.wish(run_id, "pause")
    up.wait(run_id, "PAUSED")
    known = len(up.lines(run_id))
    for part in of_directory(up.data_dir, "server", "worker"):
        assert part.kill()
    until(lambda: up.try_ask("GET", "/health"), 20, 0.05)
    until(lambda: "run.adopted" in up.types(run_id), 20, 0.05)
    assert up.run(run_id)["status"] == "PAUSED"
    assert len(up.lines(run_id)) == known
    up.wish(run_id, "resume")
    up.wait(run_id, "COMPLETED", timeout=30)
    assert up.lines(run_id) == [f"{number} x" for number in range(1, 61)]
    assert [type for type in up.types(run_id) if type in {"run.paused", "run.resumed"}] == ["run.paused", "run.resumed"]


def test_stop_all_without_a_server(fresh: Product) -> None:
    """`agentrunner stop --all` ends every live run, also where nobody serves any more."""
    first = fresh.up()
    fresh.wait_ready()
    made = [fresh.create("command", options={"argv": ["sleep", "3600"]}) for _ in range(3)]
    for run_id in made:
        until(lambda run_id=run_id: "run.started" in fresh.types(run_id), 20, 0.05)
    first.send(signal.SIGTERM)
    fresh.wait_ended(first, 15)
    assert len(agents(fresh.data_dir)) == 3
    done = fresh.command("stop", "--all", timeout=60)
    assert done.returncode == 0, done.stderr
    assert all(str(run_id) in done.stdout for run_id in made)
    until(lambda: not agents(fresh.data_dir), 5, 0.02)
    fresh.up()
    fresh.wait_ready()
    assert {fresh.run(run_id)["status"] for run_id in made} == {"STOPPED"}


def secret_forms() -> list[bytes]:
    """How the secret could show: plain, as JSON writes it, in base64."""
    plain = SECRET.encode()
    escaped = [json.dumps(SECRET)[1:-1].encode(), json.dumps(SECRET, ensure_ascii=False)[1:-1].encode()]
    return [plain, *escaped, base64.b64encode(plain)]


def test_secrets_show_nowhere(up: Product) -> None:
    """A secret reaches the agent, and neither database, logs, command lines, events nor answers."""
    go = up.data_dir / "go"
    says = (
        'test -n "$DEEP_SECRET" || exit 9; echo "plain $DEEP_SECRET"; echo "err $OTHER_TOKEN" >&2; '
        'printf %s "$DEEP_SECRET" | base64 -w0; echo; '
        f"while [ ! -e {go} ]; do sleep 0.05; done; exit 4"
    )
    options = {"argv": ["sh", "-c", says], "env": {"OTHER_TOKEN": SECRET, "PLAIN": "seen"}}
    answer = up.ask(
        "POST", "/v1/runs", json={"backend": "command", "options": options, "secrets": {"DEEP_SECRET": SECRET}}
    )
    assert answer.status_code == 201
    run_id = answer.json()["id"]
    until(lambda: has_lines(up, run_id, 2), 20, 0.05)
    commands = b"\n".join(_command_line(process.pid) for process in everything())
    go.touch()
    run = up.wait(run_id, "FAILED")
    assert run["exit_code"] == 4
    assert run["options"]["env"] == {"OTHER_TOKEN": "***", "PLAIN": "seen"}
    told = [answer.content, json.dumps([run, up.events(run_id), up.explain(run_id)]).encode(), commands]
    told += [
        up.command(*words).stdout.encode() for words in (("show", str(run_id)), ("logs", str(run_id)), ("ps", "--all"))
    ]
    places = {f"answer {number}": text for number, text in enumerate(told)} | _files(up.data_dir)
    assert "agentrunner.db" in places
    found = [name for name, content in places.items() for form in secret_forms() if form in content]
    assert found == []
    assert [line for line in up.lines(run_id) if line.startswith("plain ")] != []


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _files(data_dir: Path) -> dict[str, bytes]:
    """Every file of the data directory but those that are there to hold secrets or raw output."""
    private = ("secrets/", "runs/")
    names = [path for path in data_dir.rglob("*") if path.is_file()]
    found = {str(path.relative_to(data_dir)): path for path in names}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(private)}


def test_a_second_up_is_refused(up: Product) -> None:
    """Two parents of one data directory would end each other's parts for ever: the second says so and ends."""
    run_id = up.create("script", options=numbered(80))
    until(lambda: has_lines(up, run_id, 5), 20, 0.05)
    parts = of_directory(up.data_dir, "server", "worker")
    second = up.up()
    assert up.wait_ended(second, 20) > 0
    assert "up" in up.log().splitlines()[-1]
    assert up.wait(run_id, "COMPLETED", timeout=60)["attempt"] == 1
    assert up.lines(run_id) == [f"{number} x" for number in range(1, 81)]
    assert of_directory(up.data_dir, "server", "worker") == parts
