"""Document 000, in its order: its curl, and a client of our own that walks its whole flow as its program does."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from doors.examples import Answer, Door, curls
from waiting import until

PAGE = """
1. Server is running and healthy: `curl http://localhost:8787/health`
"""
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
RUN = {"id": str, "title": str, "startedAt": str, "status": str, "endedAt": str, "errorMessage": str, "metadata": dict}
EVENT = {"id": str, "runId": str, "ts": str, "type": str, "level": str, "agentId": str, "taskId": str}


class Program:
    """Document 000's program: JSON over HTTP, with `x-api-key` where it has a key; any other answer than 2xx is an
    error.
    """

    def __init__(self, server: str, key: str | None = None) -> None:
        self.client = httpx.Client(base_url=server, headers={} if key is None else {"x-api-key": key}, timeout=15)
        self.run_id = ""

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """One request."""
        answer = self.client.request(method, path, json=body)
        assert answer.is_success, f"HTTP {answer.status_code}: {answer.text}"
        return answer.json()

    def tell(self, type: str, **more: Any) -> Any:
        """One event."""
        return self.ask("POST", f"/api/runs/{self.run_id}/events", {"type": type, **more})

    def walk(self, title: str, steps: int, fail_at: int | None = None) -> None:
        """Create the run, tell of its steps, and of its end."""
        self.run_id = self.ask("POST", "/api/runs", {"title": title})["id"]
        config = {"steps": steps, "interval": 0}
        self.tell("run.started", payload={"message": "Agent run initialized", "config": config})
        metadata = {"cost": 0.05, "tags": ["cli", "test"]}
        self.ask("PATCH", f"/api/runs/{self.run_id}", {"metadata": metadata})
        try:
            for step in range(1, steps + 1):
                if step == fail_at:
                    raise RuntimeError(f"Simulated failure at step {step}")
                self._step(step, steps)
            self.tell("run.completed", payload={"message": "done", "totalSteps": steps})
        except RuntimeError as error:
            self.tell("run.error", level="error", payload={"message": str(error), "stack": "…"})
            self.ask("PATCH", f"/api/runs/{self.run_id}", {"status": "error", "errorMessage": str(error)})

    def _step(self, step: int, steps: int) -> None:
        self.tell("task.progress", payload={"message": f"Step {step}/{steps}", "progress": step / steps})
        self.tell("tool.called", payload={"toolName": "ReadFile", "args": {"path": f"/{step}"}})
        self.tell("tool.result", payload={"toolName": "ReadFile", "success": True})
        self.tell("metric", payload={"name": "latency", "value": 12.5, "unit": "ms"})
        self.tell("task.progress", agentId="agent-1", taskId=f"task-{step}", payload={"status": "done"})

    def of_run(self, what: str) -> Any:
        """What the server says of the run."""
        return self.ask("GET", f"/api/runs/{self.run_id}/{what}")

    def shown(self) -> dict[str, Any]:
        """The run in the list."""
        (found,) = [run for run in self.ask("GET", "/api/runs") if run["id"] == self.run_id]
        return dict(found)


@pytest.fixture
def program(door: Door) -> Iterator[Program]:
    """The program at a server that asks for no key."""
    found = Program(door.url)
    yield found
    found.client.close()


def fields(value: dict[str, Any], known: dict[str, type], *absent: str) -> None:
    """Each field of an answer is a known one of its type, and all are there but those that say nothing."""
    assert value.keys() == known.keys() - set(absent), value
    assert all(type(item) is known[name] for name, item in value.items()), value


def test_its_curl(door: Door) -> None:
    """Troubleshooting, `Server is running and healthy`."""
    (command,) = curls(PAGE)
    answer = door.run(command)
    assert answer.status == 200
    health = answer.json
    assert (health["status"], health["db"]) == ("ok", "ok")
    assert (type(health["time"]), type(health["version"])) == (int, str)


def test_success_run(program: Program) -> None:
    """Example 1: every step of the flow, and what each answer holds."""
    created = program.ask("POST", "/api/runs", {"title": "Agent Test Run"})
    fields(created, RUN, "endedAt", "errorMessage", "metadata")
    assert re.match(r"run-\d+-\w+$", created["id"])
    assert (created["title"], created["status"]) == ("Agent Test Run", "running")
    assert ISO.match(created["startedAt"])

    program.walk("Agent Test Run", 10)
    run = program.shown()
    fields(run, RUN, "errorMessage")
    assert (run["status"], run["title"]) == ("completed", "Agent Test Run")
    assert run["metadata"] == {"cost": 0.05, "tags": ["cli", "test"]}
    assert ISO.match(run["endedAt"])

    events = program.of_run("events")
    assert [event["type"] for event in events[:3]] == ["run.started", "task.progress", "tool.called"]
    assert (len(events), events[-1]["type"]) == (52, "run.completed")
    assert [int(event["id"]) for event in events] == sorted(int(event["id"]) for event in events)
    for event in events:
        assert type(event.pop("payload")) is dict
        labels = [] if "agentId" in event else ["agentId", "taskId"]
        fields(event, EVENT, *labels)
        assert event["runId"] == program.run_id
        assert ISO.match(event["ts"])


def test_custom_title_and_steps(program: Program) -> None:
    """Example 2."""
    program.walk("My Custom Run", 20)
    assert program.shown()["title"] == "My Custom Run"
    assert len(program.of_run("events?limit=1000")) == 102


def test_forced_error(program: Program) -> None:
    """Example 3: `errorMessage` out of the event, and the PATCH behind it is as good as said already."""
    program.walk("Error Test", 10, fail_at=5)
    run = program.shown()
    fields(run, RUN)
    assert (run["status"], run["errorMessage"]) == ("error", "Simulated failure at step 5")
    last = program.of_run("events")[-1]
    assert (last["type"], last["level"], last["payload"]["stack"]) == ("run.error", "error", "…")


def test_with_api_key(open_door: Callable[..., Door]) -> None:
    """Example 4, and `Authentication Error`: with a key on the server the program needs it, and only it."""
    locked = open_door(environment={"AGENTOPS_API_KEY": "your-secret-key"})
    program = Program(locked.url, "your-secret-key")
    program.walk("Authenticated Run", 2)
    assert program.shown()["status"] == "completed"
    program.client.close()
    for headers in ("", "-H 'x-api-key: wrong'"):
        answer = locked.run(f"curl {headers} http://localhost:8787/api/runs")
        assert (answer.status, answer.text) == (401, '{"error":"unauthorized"}')
    ours = locked.run(f"curl -H 'x-api-key: {locked.token}' http://localhost:8787/api/runs")
    assert [run["title"] for run in ours.json] == ["Authenticated Run"]
    elsewhere = locked.run("curl -H 'x-api-key: your-secret-key' http://localhost:8787/v1/runs")
    assert elsewhere.status == 401


def test_quick_stress(door: Door) -> None:
    """Example 5: several at once."""
    programs = [Program(door.url) for _ in "ABC"]
    for letter, each in zip("ABC", programs, strict=True):
        each.run_id = each.ask("POST", "/api/runs", {"title": f"Run {letter}"})["id"]
    for step in range(15):
        for each in programs:
            each.tell("task.progress", payload={"step": step})
    for each in programs:
        each.tell("run.completed")
        assert [event["payload"].get("step") for event in each.of_run("events")] == [*range(15), None]
    assert {run["title"] for run in programs[0].ask("GET", "/api/runs")} >= {"Run A", "Run B", "Run C"}
    for each in programs:
        each.client.close()


def test_spans_usage_and_trace(program: Program) -> None:
    """What the server behind the document answers beside: each field of its contract."""
    program.run_id = program.ask("POST", "/api/runs", {})["id"]
    program.tell("span.start", payload={"spanId": "s1", "name": "plan", "kind": "agent", "ts": 1000, "attrs": {"a": 1}})
    program.tell(
        "span.start", payload={"spanId": "s2", "parentSpanId": "s1", "name": "call", "kind": "llm", "ts": 1010}
    )
    program.tell(
        "usage.report", payload={"reportId": "r", "spanId": "s2", "inputTokens": 5, "costUsd": 0.5, "model": "m"}
    )
    program.tell("span.end", payload={"spanId": "s2", "ts": 1040, "status": "error"})
    program.tell("span.end", payload={"spanId": "s1", "ts": 1100, "status": "ok"})
    run_id = program.run_id
    first = {"spanId": "s1", "runId": run_id, "name": "plan", "kind": "agent", "startTs": 1000, "endTs": 1100}
    second = {"spanId": "s2", "runId": run_id, "parentSpanId": "s1", "name": "call", "kind": "llm", "startTs": 1010}
    assert program.of_run("spans") == [
        {**first, "status": "ok", "attrs": {"a": 1}},
        {**second, "endTs": 1040, "status": "error"},
    ]
    assert program.of_run("spans?since=1010&limit=5")[0]["spanId"] == "s2"
    used = {"inputTokens": 5, "outputTokens": 0, "totalTokens": 5, "costUsd": 0.5}
    assert program.of_run("usage") == {"totals": used, "bySpan": {"s2": {**used, "model": "m"}}}
    slow = {"spanId": "s2", "name": "call", "kind": "llm", "durationMs": 30, "status": "error"}
    llm = {"kind": "llm", "spanCount": 1, "errorCount": 1, "totalTokens": 5, "costUsd": 0.5}
    agent = {"kind": "agent", "spanCount": 1, "errorCount": 0}
    assert program.of_run("trace-summary") == {
        "totalDurationMs": 100,
        "criticalPathMs": 100,
        "slowestSpans": [
            {**slow, "spanId": "s1", "name": "plan", "kind": "agent", "durationMs": 100, "status": "ok"},
            slow,
        ],
        "errorSpans": [slow],
        "hotspotsByKind": [{**agent, "totalDurationMs": 100}, {**llm, "totalDurationMs": 30}],
        "hotspotsByKindSelf": [{**agent, "totalSelfMs": 70}, {**llm, "totalSelfMs": 30}],
    }


def test_of_a_run_that_is_not_there(program: Program) -> None:
    """Empty answers, no error; only PATCH says so."""
    program.run_id = "nobody"
    assert program.of_run("events") == []
    assert program.of_run("spans") == []
    nothing = {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0, "costUsd": None}
    assert program.of_run("usage") == {"totals": nothing, "bySpan": {}}
    assert program.of_run("trace-summary")["totalDurationMs"] == 0
    answer = program.client.patch("/api/runs/nobody", json={"title": "x"})
    assert (answer.status_code, answer.json()) == (404, {"error": "not_found"})
    for method, path in (("GET", "/api/runs/nobody"), ("DELETE", "/api/runs"), ("GET", "/api/runs/x/nothing")):
        answer = program.client.request(method, path)
        assert (answer.status_code, answer.json()) == (404, {"error": "Not found"}), path


class Stream:
    """A reader of a stream on a bare socket: what came, byte for byte."""

    def __init__(self, door: Door, path: str, *headers: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", door.port), timeout=10)
        lines = [f"GET {path} HTTP/1.1", f"Host: {door.host}", *headers]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self._socket.setblocking(False)
        self.text = ""

    def read(self, wanted: str) -> str:
        """Wait until a text was read; answers the body so far."""

        def has_come() -> bool:
            try:
                self.text += self._socket.recv(65536).decode()
            except BlockingIOError:
                pass
            return wanted in self.text

        until(has_come)
        chunks = self.text.partition("\r\n\r\n")[2]
        return re.sub(r"[0-9a-f]+\r\n(.*?)\r\n", r"\1", chunks, flags=re.DOTALL)

    def close(self) -> None:
        """Leave."""
        self._socket.close()


@contextmanager
def streaming(door: Door, path: str, *headers: str) -> Iterator[Stream]:
    """A stream that is open for a block."""
    stream = Stream(door, path, *headers)
    try:
        yield stream
    finally:
        stream.close()


def test_live_stream(door: Door, program: Program) -> None:
    """Frames without a name, no history without a cursor, all of it with one, and no end behind the end."""
    program.run_id = program.ask("POST", "/api/runs", {})["id"]
    path = f"/api/runs/{program.run_id}/stream"
    first = program.tell("task.progress", payload={"n": 1})
    with streaming(door, path) as stream:
        assert stream.read("\n\n\r\n") == f": connected\nid: {first['id']}\n\n"
        second = program.tell("task.progress", payload={"n": 2})
        body = stream.read('"n":2')
        assert body.endswith(f"\n\nid: {second['id']}\ndata: {json.dumps(second, separators=(',', ':'))}\n\n")
        assert "event:" not in body
        assert '"n":1' not in body
        program.tell("run.completed")
        assert stream.read("run.completed").count("data:") == 2
        program.tell("log", payload={"n": 3})
    with streaming(door, f"{path}?after={second['id']}", f"Last-Event-ID: {first['id']}") as stream:
        body = stream.read('"n":3')
        assert '"n":2' in body
        assert '"n":1' not in body
    with streaming(door, f"{path}?after=0") as stream:
        assert stream.read('"n":3').count("data:") == 4


def test_answers_are_json(door: Door) -> None:
    """Whatever is refused is `{"error": …}` with a status of the client's fault."""
    refused: list[tuple[str, int]] = [
        ("-X POST http://localhost:8787/api/runs -d '{'", 400),
        ("-X POST http://localhost:8787/api/runs -d '[]'", 422),
        ("-X POST http://localhost:8787/api/runs/r/events -d '{}'", 422),
        ("-X POST http://localhost:8787/api/runs/r/events", 400),
        ("""-X POST http://localhost:8787/api/runs/r/events -d '{"type":"t","ts":"soon"}'""", 422),
        ("http://localhost:8787/api/runs/r/events?limit=abc", 422),
    ]
    for words, status in refused:
        answer: Answer = door.run(f"curl {words}")
        assert answer.status == status, answer
        assert answer.json.keys() == {"error"}
        assert answer.headers["content-type"] == "application/json"
