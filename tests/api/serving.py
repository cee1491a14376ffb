"""What the tests of the HTTP edge share: short bounds, a clock to put forward, and what they ask again and again."""

import json
from dataclasses import dataclass
from typing import Any

import httpx

from agentrunner.api.server import Bounds
from agentrunner.engine.services import steady_clock

QUICK = Bounds(head_s=1.0, body_s=1.0, stall_s=1.0, heartbeat_s=0.2, linger_s=0.3, stop_s=2.0, tick_s=0.1)


@dataclass
class Clock:
    """A real clock that a test may put forward."""

    forward_ms: int = 0

    def __post_init__(self) -> None:
        self._real = steady_clock()

    def __call__(self) -> int:
        return self._real() + self.forward_ms


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of a response, after checking that it is one."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    document: dict[str, Any] = json.loads(response.content)
    assert {"type", "title", "status", "code", "detail", "request_id"} <= document.keys()
    assert (response.status_code, document["status"], document["code"]) == (status, status, code), document
    assert response.headers["x-request-id"] == document["request_id"]
    assert len(document["detail"]) > 10
    return document


async def new_run(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    """Create a run of backend `external` unless said otherwise."""
    response = await client.post("/v1/runs", json={"backend": "external", "goal": "a goal", **fields})
    assert response.status_code == 201, response.text
    return response.json()


COMMAND = {"backend": "command", "options": {"argv": ["true"]}}
WORKER = {
    "worker_id": "7b0c0a3e-6f0e-4a9e-9f53-8b5f2d3b5a11",
    "machine_id": "machine",
    "lock_inode": 1,
    "boot_id": "boot",
    "name": "one",
    "host": "host",
    "version": "0",
    "slots": 4,
    "backends": ["command"],
}


async def register(worker: httpx.AsyncClient) -> None:
    """Make the worker known."""
    response = await worker.post("/v1/control/register", json=WORKER)
    assert response.status_code == 200, response.text


async def claim(worker: httpx.AsyncClient, claim_id: str = "first", **fields: Any) -> list[dict[str, Any]]:
    """Take the runs there are."""
    request = {"worker_id": WORKER["worker_id"], "epoch": 1, "claim_id": claim_id, "slots": 10, "wait_s": 0, **fields}
    response = await worker.post("/v1/control/claim", json=request)
    assert response.status_code == 200, response.text
    runs: list[dict[str, Any]] = response.json()["runs"]
    return runs


def record(assignment: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The body of a `record` call."""
    named = {name: assignment[name] for name in ("run_id", "attempt", "uid", "epoch")}
    return {"worker_id": WORKER["worker_id"], **named, **fields}


@dataclass(frozen=True)
class Frame:
    """One server-sent event."""

    id: int | None
    event: str
    data: Any


def frames(text: str) -> list[Frame]:
    """The events of a stream's text; comments and `retry` are left out, an unfinished event at its end too."""
    found: list[Frame] = []
    for block in text.split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if "event" in fields:
            number = int(fields["id"]) if "id" in fields else None
            found.append(Frame(number, fields["event"], json.loads(fields["data"])))
    return found
