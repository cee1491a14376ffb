"""Documents 001 and 002: each weakness of the server behind them that is not ours, and what their console relies on."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import pytest

from doors.conftest import Opener, opened
from doors.examples import Door
from doors.test_document_000 import streaming
from waiting import until

TERMINAL = ("COMPLETED", "FAILED", "STOPPED")


@pytest.fixture(scope="module")
def server() -> Iterator[Door]:
    """A server with a worker that asks for no key, as the console expects."""
    with opened(insecure_no_auth=True, worker=True) as made:
        yield made


def create(server: Door, **options: Any) -> int:
    """A run that has to be made."""
    body = {"project_id": 1, "goal": "g", "options": options}
    answer = server.product.ask("POST", "/runs", json=body)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["id"])


def look(server: Door, run_id: int) -> dict[str, Any]:
    """A run."""
    found: dict[str, Any] = server.product.ask("GET", f"/runs/{run_id}").json()
    return found


def finished(server: Door, run_id: int) -> dict[str, Any]:
    """A run once it has ended."""
    until(lambda: look(server, run_id)["status"] in TERMINAL, 30)
    return look(server, run_id)


def events(server: Door, run_id: int) -> list[dict[str, Any]]:
    """The events of a run."""
    found: list[dict[str, Any]] = server.product.ask("GET", f"/runs/{run_id}/events").json()
    return found


def started(server: Door, run_id: int) -> bool:
    """Whether its process runs."""
    return any(event["type"] == "RUN_STARTED" for event in events(server, run_id))


@pytest.mark.parametrize("readers", [16, 200])
def test_streams_starve_nobody(server: Door, readers: int) -> None:
    """16 readers kept the original's /health waiting for 27.9 s, and made its /runs/1 a 500."""
    run_id = create(server, seconds=60)
    path = f"/runs/{run_id}/events/stream"
    with ExitStack() as stack, httpx.Client(base_url=server.url, timeout=10) as client:
        for stream in [stack.enter_context(streaming(server, path)) for _ in range(readers)]:
            stream.read("RUN_STARTED")
        took: dict[str, list[float]] = {"/health": [], f"/runs/{run_id}": []}
        for asked, seconds in list(took.items()) * 20:
            begun = time.perf_counter()
            assert client.get(asked).status_code == 200
            seconds.append(time.perf_counter() - begun)
        assert client.post(f"/runs/{run_id}/stop").json()["status"] == "STOPPED"
    assert max(map(median, took.values())) < 0.05, took


def test_runs_survive_a_crash(open_door: Opener) -> None:
    """A run that was RUNNING when server and worker were killed goes on and ends as if nothing had been."""
    server = open_door(insecure_no_auth=True, worker=True)
    run_id = create(server, seconds=1)
    until(lambda: started(server, run_id), 20)
    for part in ("worker", "server"):
        process = server.product.part(part)
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        server.product.wait_ended(process, 10)
    server.product.start("server")
    server.product.start("worker")
    assert finished(server, run_id)["status"] == "COMPLETED"
    kinds = [event["type"] for event in events(server, run_id) if event["type"] != "RUN_ADOPTED"]
    assert kinds == ["RUN_CREATED", "RUN_STARTED", "AGENT_THINKING", "PLAN_GENERATED", "EXECUTING", "RUN_COMPLETED"]


def test_runs_go_on_side_by_side(server: Door) -> None:
    """The original's one thread takes 3.5 s for each, one after the other."""
    ids = [create(server, seconds=0.5) for _ in range(6)]
    runs = [finished(server, run_id) for run_id in ids]
    assert {run["status"] for run in runs} == {"COMPLETED"}
    assert max(run["started_at"] for run in runs) < min(run["ended_at"] for run in runs)


def test_the_oldest_goes_first(open_door: Opener) -> None:
    """The original takes queued runs in no order; here one slot takes them as they came."""
    server = open_door(insecure_no_auth=True, slots=1)
    ids = [create(server, seconds=0) for _ in range(5)]
    server.product.start("worker")
    begun = {run_id: finished(server, run_id)["started_at"] for run_id in ids}
    assert sorted(begun, key=lambda run_id: begun[run_id]) == ids


def test_a_push_does_not_execute(server: Door) -> None:
    """The original's `/worker/process` answers after every queued run has ended, and competes with its worker."""
    ids = [create(server, seconds=30) for _ in range(3)]
    answer = server.run("curl -X POST http://localhost:8000/worker/process")
    assert (answer.status, answer.json["message"]) == (200, "Processing triggered")
    assert {look(server, run_id)["status"] for run_id in ids} <= {"QUEUED", "RUNNING"}
    until(lambda: all(started(server, run_id) for run_id in ids), 20)
    for run_id in ids:
        assert [event["type"] for event in events(server, run_id)].count("RUN_STARTED") == 1
        assert server.product.ask("POST", f"/runs/{run_id}/stop").json()["status"] == "STOPPED"


def test_a_failing_command_fails_its_run(server: Door) -> None:
    """In the original a run whose `mvn test` fails is COMPLETED."""
    run_id = create(server, backend="command", argv=["sh", "-c", "echo 1 test failed; exit 3"])
    run = finished(server, run_id)
    assert (run["status"], run["reason"], run["backend"], run["simulated"]) == (
        "FAILED",
        "exit_nonzero",
        "command",
        False,
    )
    assert run["options"] == {"backend": "command", "argv": ["sh", "-c", "echo 1 test failed; exit 3"]}
    found = events(server, run_id)
    assert found[-1]["type"] == "RUN_FAILED"
    assert any(event["type"] == "LOG" and "1 test failed" in event["payload"] for event in found)


def test_a_timeout_ends_the_whole_tree(server: Door, tmp_path: Path) -> None:
    """In the original `timeout_seconds` has no effect, and a step's own kills the shell but not its children."""
    file = tmp_path / "pid"
    script = f"sleep 300 & echo $! > {file}; wait"
    run_id = create(server, backend="command", argv=["sh", "-c", script], timeout_seconds=0.5)
    run = finished(server, run_id)
    assert (run["status"], run["reason"], run["options"]["timeout_seconds"]) == ("FAILED", "wall_timeout", 0.5)
    assert not Path(f"/proc/{file.read_text().strip()}").exists()


def test_a_project_writes_nowhere(server: Door, tmp_path: Path) -> None:
    """The original makes any directory that a client names; here it has to be there, and absolute."""
    missing = tmp_path / "missing"
    made = server.run(f"curl -X POST 'http://localhost:8000/projects?name=elsewhere&local_path={missing}'")
    assert made.status == 200
    body = {"project_id": made.json["id"], "goal": "g", "options": {"backend": "command", "argv": ["true"]}}
    run_id = server.product.ask("POST", "/runs", json=body).json()["id"]
    assert finished(server, run_id)["reason"] == "workspace_error"
    assert not missing.exists()
    assert server.run("curl -X POST 'http://localhost:8000/projects?name=relative&local_path=../up'").status == 422


def test_other_websites_start_nothing(server: Door) -> None:
    """A page of another origin may post forms at the original on localhost; here nothing comes of it."""
    count = len(server.product.ask("GET", "/runs").json())
    for header in ("Origin: https://evil.example", "Sec-Fetch-Site: cross-site"):
        answer = server.run(f"curl -X POST -H '{header}' 'http://localhost:8000/runs?project_id=1&goal=g'")
        assert (answer.status, answer.json["code"]) == (403, "forbidden")
    assert server.run("curl -H 'Host: evil.example' http://localhost:8000/runs").status == 421
    assert len(server.product.ask("GET", "/runs").json()) == count


def test_it_can_be_locked(open_door: Opener) -> None:
    """The original has no keys at all; here they are asked for, as header of either kind."""
    server = open_door()
    refused = server.run("curl http://localhost:8000/runs")
    assert (refused.status, refused.json["code"]) == (401, "unauthorized")
    for header in (f"x-api-key: {server.token}", f"Authorization: Bearer {server.token}"):
        answer = server.run(f"curl -H '{header}' -X POST 'http://localhost:8000/runs?project_id=1&goal=g'")
        assert answer.status == 200


def test_a_console_elsewhere(open_door: Opener) -> None:
    """The console's origin, on another port, is let in where the setting names it, streams and cursors too."""
    origin = "http://console.test:3001"
    server = open_door(insecure_no_auth=True, cors_origins=origin)
    url = "http://localhost:8000/runs"
    answer = server.run(f"curl -H 'Origin: {origin}' {url}")
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, origin)
    asks = "-H 'Access-Control-Request-Method: POST' -H 'Access-Control-Request-Headers: content-type'"
    preflight = server.run(f"curl -X OPTIONS -H 'Origin: {origin}' {asks} {url}")
    assert preflight.status == 204
    assert "last-event-id" in preflight.headers["access-control-allow-headers"]


def test_polling_as_the_console_does(server: Door) -> None:
    """Pages behind the last id that was seen: every event once, in order, and what a stream has is the same."""
    run_id = create(server, seconds=0.3)
    seen: list[dict[str, Any]] = []

    def poll() -> bool:
        after = seen[-1]["id"] if seen else 0
        seen.extend(server.product.ask("GET", f"/runs/{run_id}/events?after_id={after}").json())
        return bool(seen) and seen[-1]["type"] == "RUN_COMPLETED"

    until(poll, 20)
    assert seen == events(server, run_id)
    with streaming(server, f"/runs/{run_id}/events/stream") as stream:
        streamed = re.findall(r"data: (.*)\n", stream.read("RUN_COMPLETED"))
    assert list(map(json.loads, streamed)) == seen
    assert look(server, run_id)["current_iteration"] == 3
