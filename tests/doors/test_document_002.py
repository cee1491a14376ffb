"""Document 002, in its order: its curls, the requests of its test script, and each field that they answer."""

import json
import re
import time
from typing import Any

import pytest

from doors.conftest import Opener
from doors.examples import Answer, Door, blocks, curls
from doors.test_document_000 import fields, streaming
from waiting import until

PAGE = """
### Option 2: Manual Testing
```bash
# 2. Create a project
curl -X POST "http://localhost:8000/projects?name=test&local_path=/tmp/test"

# 3. Create a run
curl -X POST "http://localhost:8000/runs" \\
  -H "Content-Type: application/json" \\
  -d '{"project_id": 1, "goal": "Test execution"}'

# 4. Watch it process (should take ~3-4 seconds)
watch -n 1 'curl -s http://localhost:8000/runs/1 | python3 -m json.tool'

# 5. Check events
curl -s http://localhost:8000/runs/1/events | python3 -m json.tool
```

### Option 3: Via Console UI
```bash
# 3. Create a run via API
curl -X POST "http://localhost:8000/runs" \\
  -H "Content-Type: application/json" \\
  -d '{"project_id": 1, "goal": "Test from UI"}'
```

### GET /worker/status
```bash
curl http://localhost:8000/worker/status
```

### POST /worker/process
```bash
curl -X POST http://localhost:8000/worker/process
```

### Runs Stuck in QUEUED
- Check worker status: `curl http://localhost:8000/worker/status`
- Manually trigger: `curl -X POST http://localhost:8000/worker/process`
"""
SCRIPT = """
```bash
curl -s "http://localhost:8000/health"
curl -s "http://localhost:8000/worker/status"
curl -s -X POST "http://localhost:8000/projects?name=agent-test&local_path=/tmp/agent-test"
curl -s -X POST "http://localhost:8000/runs?project_id={project}&goal=Test%20agent%20execution"
curl -s "http://localhost:8000/runs/{run}"
curl -s "http://localhost:8000/runs/{run}/events"
```
"""
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
LIFE = ["RUN_CREATED", "RUN_STARTED", "AGENT_THINKING", "PLAN_GENERATED", "EXECUTING", "RUN_COMPLETED"]
PROJECT = {"id": int, "name": str, "local_path": str, "created_at": str}
OURS = {"run_metadata", "started_at", "ended_at", "backend", "simulated", "reason", "message"}
RUN = {
    "id": int,
    "project_id": int,
    "name": str,
    "goal": str,
    "run_type": str,
    "status": str,
    "current_iteration": int,
    "options": type(None),
    "metadata": type(None),
    "created_at": str,
}
EVENT = {"id": int, "run_id": int, "type": str, "payload": str, "created_at": str}


@pytest.fixture
def server(door_with_worker: Door) -> Door:
    """A server with a worker, as the document starts them together."""
    return door_with_worker


def shown(run: dict[str, Any]) -> dict[str, Any]:
    """A run of the contract, its fields checked, without what is ours."""
    found = {name: value for name, value in run.items() if name not in OURS}
    fields(found, RUN)
    assert INSTANT.fullmatch(found["created_at"])
    return found


def finished(server: Door, run_id: int) -> dict[str, Any]:
    """A run once it has ended."""

    def look() -> dict[str, Any] | None:
        run: dict[str, Any] = server.product.ask("GET", f"/runs/{run_id}").json()
        return run if run["status"] in ("COMPLETED", "FAILED", "STOPPED") else None

    return until(look, 20)


def test_its_curls_in_order(open_door: Opener) -> None:
    """Against a fresh server: the project, the run, its life in about three seconds, its events, the worker."""
    server = open_door(insecure_no_auth=True, worker=True)
    project, run, watch, look, second, status, process, *again = curls(PAGE)
    made = server.run(project)
    assert made.status == 200
    fields(made.json, PROJECT)
    assert (made.json["name"], made.json["local_path"]) == ("test", "/tmp/test")
    assert server.run(project).status == 409

    created = server.run(run)
    assert (created.status, created.json["id"]) == (200, 1)
    before = shown(created.json)
    assert re.fullmatch(r"Run - \d{4}-\d\d-\d\d \d\d:\d\d", before.pop("name"))
    before.pop("created_at")
    assert before == {
        "id": 1,
        "project_id": 1,
        "goal": "Test execution",
        "run_type": "agent",
        "status": "QUEUED",
        "current_iteration": 0,
        "options": None,
        "metadata": None,
    }
    finished(server, 1)
    run_now = shown(server.run(watch).json)
    assert (run_now["status"], run_now["current_iteration"]) == ("COMPLETED", 3)
    events = server.run(look).json
    assert [event["type"] for event in events] == LIFE
    assert events[0]["payload"] == "Test execution"
    for event in events:
        fields({name: event[name] for name in EVENT}, EVENT)
        assert INSTANT.fullmatch(event["created_at"])
    assert [event["id"] for event in events] == sorted({event["id"] for event in events})

    assert server.run(second).json["goal"] == "Test from UI"
    worker = server.run(status).json
    assert (worker["running"], type(worker["check_interval"])) == (True, int)
    assert server.run(process).json["message"] == "Processing triggered"
    assert [server.run(each).status for each in again] == [200, 200]
    assert finished(server, 2)["status"] == "COMPLETED"


def test_its_test_script(server: Door) -> None:
    """`scripts/test-agent-execution.sh`: the run by query parameters, waited for until it is COMPLETED."""
    health, worker, project, run, look, events = curls(SCRIPT)
    assert server.run(health).json["status"] == "ok"
    assert server.run(worker).json["running"] is True
    project_id = server.run(project).json["id"]
    made = server.run(run, {"project": project_id})
    assert (made.status, made.json["project_id"], made.json["goal"]) == (200, project_id, "Test agent execution")
    assert made.json["status"] == "QUEUED"
    ids = {"run": made.json["id"]}
    begun = time.monotonic()
    until(lambda: server.run(look, ids).json["status"] == "COMPLETED", 30)
    assert time.monotonic() - begun < 15
    assert [event["type"] for event in server.run(events, ids).json] == LIFE


def create(server: Door, **body: Any) -> dict[str, Any]:
    """A run that has to be made."""
    answer = server.product.ask("POST", "/runs", json={"project_id": 1, "goal": "g", **body})
    assert answer.status_code == 200, answer.text
    run: dict[str, Any] = answer.json()
    return run


def running(server: Door, seconds: float = 60, **body: Any) -> int:
    """A simulated run that thinks for so long, once its process is there."""
    run_id: int = create(server, options={"seconds": seconds}, **body)["id"]
    until(lambda: "RUN_STARTED" in types(server, run_id), 20)
    return run_id


def types(server: Door, run_id: int) -> list[str]:
    """The types of a run's events."""
    return [event["type"] for event in server.product.ask("GET", f"/runs/{run_id}/events").json()]


def act(server: Door, run_id: int, action: str) -> Answer:
    """Pause, resume or stop, by curl."""
    return server.run(f"curl -X POST http://localhost:8000/runs/{run_id}/{action}")


def test_every_field_of_the_contract(server: Door) -> None:
    """What was sent comes back; the reference's words for it are there too."""
    body = {"name": "n", "run_type": "workflow", "options": {"dry_run": True, "seconds": 0}, "metadata": {"k": [1]}}
    run = create(server, **body)
    assert {name: run[name] for name in body} == body
    assert run["run_metadata"] == run["metadata"]
    assert (run["backend"], run["simulated"]) == ("demo", True)
    assert finished(server, run["id"])["current_iteration"] == 3
    assert server.product.ask("GET", "/runs").json()[0]["id"] == run["id"]
    projects = server.product.ask("GET", "/projects").json()
    assert (projects[0]["id"], projects[0]["name"], projects[0]["local_path"]) == (1, "default", "")
    assert create(server, run_metadata={"a": 1}, options={}, name=None)["metadata"] == {"a": 1}


def test_pause_resume_and_stop_are_real(server: Door) -> None:
    """Each answers once it is fact: the processes are frozen, go on, and are gone; events say so in order."""
    run_id = running(server)
    paused = act(server, run_id, "pause")
    assert (paused.status, paused.json["status"]) == (200, "PAUSED")
    assert act(server, run_id, "PAUSE").json["status"] == "PAUSED"
    resumed = act(server, run_id, "resume")
    assert (resumed.status, resumed.json["status"]) == (200, "RUNNING")
    stopped = act(server, run_id, "stop")
    assert (stopped.status, stopped.json["status"]) == (200, "STOPPED")
    seen = [each for each in types(server, run_id) if each in ("RUN_PAUSE", "RUN_RESUME", "RUN_STOP")]
    assert seen == ["RUN_PAUSE", "RUN_RESUME", "RUN_STOP"]
    assert types(server, run_id)[-1] == "RUN_STOP"


def test_a_stopped_run_stays_stopped(server: Door) -> None:
    """The original overwrites it with COMPLETED; here its agent is gone, and a stop again is as good as done."""
    run_id = running(server, 0.5)
    assert act(server, run_id, "stop").json["status"] == "STOPPED"
    for action in ("pause", "resume"):
        refused = act(server, run_id, action)
        assert (refused.status, refused.json["code"]) == (409, "invalid_transition")
    again = act(server, run_id, "stop")
    assert (again.status, again.json["status"]) == (200, "STOPPED")
    assert "RUN_COMPLETED" not in types(server, run_id)


def test_a_paused_run_does_nothing(server: Door) -> None:
    """The original thinks, plans and executes on while it says PAUSED."""
    run_id = running(server, 0.4)
    assert act(server, run_id, "pause").json["status"] == "PAUSED"
    before = types(server, run_id)
    other = create(server, options={"seconds": 0.4})["id"]
    assert finished(server, other)["status"] == "COMPLETED"
    assert types(server, run_id) == before
    act(server, run_id, "resume")
    assert finished(server, run_id)["status"] == "COMPLETED"
    assert [each for each in types(server, run_id) if each in LIFE] == LIFE


def test_a_finished_run_does_not_run_again(server: Door) -> None:
    """The original makes a COMPLETED run RUNNING for ever; here that is impossible, and says so."""
    run_id = create(server, options={"seconds": 0})["id"]
    assert finished(server, run_id)["status"] == "COMPLETED"
    for action in ("pause", "resume", "stop"):
        refused = act(server, run_id, action)
        assert (refused.status, refused.json["code"]) == (409, "invalid_transition")
        assert "COMPLETED" in refused.json["detail"]


def test_a_run_paused_in_the_queue_waits_for_its_worker(open_door: Opener) -> None:
    """The original resumes it into RUNNING without anybody who executes it."""
    server = open_door(insecure_no_auth=True)
    run_id = create(server)["id"]
    assert act(server, run_id, "resume").status == 409
    assert act(server, run_id, "pause").json["status"] == "PAUSED"
    assert act(server, run_id, "resume").json["status"] == "QUEUED"
    assert act(server, run_id, "stop").json["status"] == "STOPPED"
    assert server.run("curl http://localhost:8000/worker/status").json["running"] is False


def test_a_directive_reaches_the_agent(server: Door) -> None:
    """The original stores it and no agent ever reads it."""
    run_id = running(server, 1)
    command = f"""curl -X POST http://localhost:8000/runs/{run_id}/directive -d '{{"text": "be quick"}}'"""
    sent = server.run(command)
    assert sent.status == 200
    assert {name: sent.json[name] for name in ("run_id", "type", "payload")} == {
        "run_id": run_id,
        "type": "DIRECTIVE",
        "payload": "be quick",
    }
    finished(server, run_id)
    events = server.product.ask("GET", f"/runs/{run_id}/events").json()
    assert [event["id"] for event in events if event["type"] == "DIRECTIVE"] == [sent.json["id"]]
    assert any(event["type"] == "MESSAGE" and "be quick" in event["payload"] for event in events)
    assert server.run(command).status == 409


def test_events_behind_a_cursor(server: Door) -> None:
    """`after_id`, exclusive; `after` and `limit` of its reference; of an unknown run nothing."""
    run_id = create(server, options={"seconds": 0})["id"]
    finished(server, run_id)
    path = f"/runs/{run_id}/events"
    ids = [event["id"] for event in server.product.ask("GET", path).json()]

    def asked(query: str) -> list[int]:
        return [event["id"] for event in server.product.ask("GET", f"{path}?{query}").json()]

    assert asked(f"after_id={ids[1]}") == asked(f"after={ids[1]}") == ids[2:]
    assert asked("after_id=0") == asked("after_id=-7") == ids
    assert asked(f"after_id={ids[0]}&limit=2") == ids[1:3]
    assert server.product.ask("GET", "/runs/999999/events").json() == []


def test_the_stream(server: Door) -> None:
    """Frames with id, type and the event; all of it first, then live, then open; resumed behind any event."""
    run_id = running(server, 0.3)
    with streaming(server, f"/runs/{run_id}/events/stream") as stream:
        body = stream.read("RUN_COMPLETED")
        events = server.product.ask("GET", f"/runs/{run_id}/events").json()
        found = re.findall(r"id: (\d+)\nevent: (\w+)\ndata: (.*)\n\n", body)
        assert [json.loads(data) for _, _, data in found] == events
        assert [(int(number), kind) for number, kind, _ in found] == [(each["id"], each["type"]) for each in events]
    third = events[2]["id"]
    with streaming(server, f"/runs/{run_id}/events/stream?after_id=1", f"Last-Event-ID: {third}") as stream:
        resumed = stream.read("RUN_COMPLETED")
        assert [int(number) for number in re.findall(r"id: (\d+)", resumed)] == [each["id"] for each in events[3:]]
    unknown = server.run("curl http://localhost:8000/runs/999999/events/stream")
    assert (unknown.status, unknown.json["detail"]) == (404, "Run not found")


def test_what_is_refused(server: Door) -> None:
    """`{"detail": …}` as its framework says it, with a status of the client's fault."""
    refused: list[tuple[str, int, Any]] = [
        (
            """-X POST http://localhost:8000/runs -d '{"project_id": 77, "goal": "g"}'""",
            404,
            "Project with id 77 not found",
        ),
        ("http://localhost:8000/runs/77777", 404, "Run not found"),
        ("http://localhost:8000/runs/abc", 422, ["run_id"]),
        ("""-X POST http://localhost:8000/runs -d '{"goal": "g"}'""", 422, ["project_id"]),
        (
            """-X POST http://localhost:8000/runs -d '{"project_id": 1, "goal": "g", "run_type": "x"}'""",
            422,
            ["run_type"],
        ),
        ("-X POST http://localhost:8000/projects?name=only", 422, ["local_path"]),
        (
            "-X POST http://localhost:8000/runs/1/explode",
            400,
            "Invalid action. Must be one of: ['pause', 'resume', 'stop']",
        ),
        ("-X POST http://localhost:8000/runs/77777/pause", 404, "Run not found"),
        ("""-X POST http://localhost:8000/runs/77777/directive -d '{"text": "t"}'""", 404, "Run not found"),
        ("-X DELETE http://localhost:8000/projects", 405, "Method Not Allowed"),
        ("http://localhost:8000/runs/1/nothing/there", 404, "Not Found"),
    ]
    for words, status, detail in refused:
        answer = server.run(f"curl {words}")
        assert answer.status == status, answer
        if isinstance(detail, list):
            assert answer.json["detail"][0]["loc"][-1:] == detail, answer
        else:
            assert answer.json["detail"] == detail


def test_the_page_has_every_curl() -> None:
    """Nothing of the copy above is left unread."""
    assert len(blocks(PAGE, "bash")) == 4
    assert (len(curls(PAGE)), len(curls(SCRIPT))) == (9, 6)
