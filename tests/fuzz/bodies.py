"""What well-meaning clients send, by route; the tries begin with it and spoil it."""

import random
from dataclasses import dataclass
from typing import Any

from fuzz import nasty
from fuzz.shot import World

LIMITS = {"wall_s": 60, "idle_s": 5.5, "output_mb": 10}
RUN = {
    "backend": "external",
    "goal": "say hello",
    "title": "hello",
    "project": "default",
    "agent": "fuzz",
    "options": {"env": {"A": "b", "API_TOKEN": "hunter2-hunter2"}},
    "priority": 3,
    "labels": {"team": "red"},
    "metadata": {"deep": {"er": [1, 2, {"x": None}]}},
    "on_lost": "wait",
    "retry": {"attempts": 2, "backoff_s": 1, "reasons": ["worker_lost"]},
    "secrets": {"KEY": "correct horse battery"},
}
COMMAND = {"backend": "command", "options": {"argv": ["true"], "cwd": "/tmp", "env": {}}, "limits": LIMITS}
EVENT = {"type": "task.progress", "ts": 1_700_000_000_000, "level": "info", "payload": {"done": 0.5, "of": [1]}}
NAMED = {**EVENT, "producer": "p", "client_seq": 7, "ts": "2026-01-01T00:00:00Z"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request before it is spoilt."""

    method: str
    path: str
    body: Any = None
    scope: str = "admin"
    kind: str = "application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


def run_id(rng: random.Random, world: World) -> str:
    """The id of a run to write to, or something that is none."""
    if rng.random() < 0.8:
        return str(rng.choice(world.targets))
    found = rng.choice(("0", "-1", "x", "1.0", "9" * 30, str(2**63), "%00", "..", "%2e%2e", "1%20", "", "999999"))
    return found


def native(rng: random.Random, world: World) -> Asked:
    """A request of the native API."""
    some = run_id(rng, world)
    cursor = rng.choice(("", "abc", "cnVuczo5", "A" * 200))
    choices = [
        Asked("POST", "/v1/runs", rng.choice((RUN, COMMAND, {"runs": [RUN, COMMAND]}))),
        Asked("POST", f"/v1/runs/{some}/events", rng.choice((EVENT, NAMED, [EVENT, NAMED])), "report"),
        Asked("POST", f"/v1/runs/{some}/{rng.choice(('pause', 'resume', 'stop', 'retry', 'explode'))}"),
        Asked("POST", f"/v1/runs/{some}/inputs", {"text": "go on"}),
        Asked(
            "POST", "/v1/runs/bulk", {"action": "resume", "q": "label:team=red since:24h", "limit": 5, "cursor": None}
        ),
        Asked("POST", "/v1/projects", {"name": "p", "path": "/tmp", "settings": {"max_running": 2}}),
        Asked("PATCH", f"/v1/projects/{rng.choice(('default', 'p', 'no', '%ff'))}", {"settings": {"max_running": 50}}),
        Asked("POST", "/v1/views", {"name": f"v{rng.randrange(5)}", "query": "status:failed"}),
        Asked("DELETE", f"/v1/views/v{rng.randrange(9)}"),
        Asked("POST", "/v1/tokens", {"name": "t", "scope": "read"}),
        Asked("DELETE", f"/v1/tokens/{rng.choice(('999999', '0', '-1', 'x', str(2**64)))}"),
        Asked("GET", f"/v1/runs?limit={nasty.number(rng)[:30]}&cursor={cursor}&status=FAILED"),
        Asked("GET", f"/v1/runs/{some}"),
        Asked("GET", f"/v1/runs/{some}/explain"),
        Asked("GET", f"/v1/runs/{some}/events?after={nasty.number(rng)[:30]}&types=log,,x&limit=7", None, "read"),
        Asked("GET", rng.choice(("/", "/health", "/ready", "/metrics", "/openapi.json", "/v1/config", "/v1/workers"))),
        Asked("GET", f"/v1/{rng.choice(('projects', 'views', 'tokens'))}?cursor={cursor}"),
    ]
    return rng.choice(choices)


def control(rng: random.Random, world: World) -> Asked:
    """A call of the worker protocol, with a worker and attempts that there are."""
    who = {"worker_id": world.worker_id, "epoch": rng.choice((1, 1, 1, 0, 2, 2**63))}
    register = {
        **{"protocol": 1, "worker_id": f"w{rng.randrange(3)}", "machine_id": "m", "lock_inode": 5, "boot_id": "b"},
        **{"name": "n", "host": "h", "version": "0", "slots": 4, "backends": ["command"], "limits": {}, "tree": "walk"},
    }
    choices = [
        ("register", register),
        ("claim", {**who, "claim_id": str(rng.randrange(9)), "slots": 2, "wait_s": 0}),
        ("heartbeat", {**who, "running": 1}),
        ("wishes", {**who, "known": {"1": 1}, "wait_s": 0}),
        ("decisions", {**who, "known": [1, 2], "wait_s": 0}),
        *[("record", record(rng, world))] * 4,
    ]
    name, body = rng.choice(choices)
    return Asked("POST", f"/v1/control/{name}", body, "worker")


def record(rng: random.Random, world: World) -> dict[str, Any]:
    """The body of a `record`."""
    owned = rng.choice(world.assignments)
    start, size = rng.choice((0, 0, 10, 2**62)), rng.choice((0, 5, 10, 2**62))
    event = {
        "type": rng.choice(("log", "message", "run.started", "usage", "tool.called")),
        "ts": 5,
        "payload": {"x": 1},
    }
    part = {"stream": rng.choice(("out", "err", "journal")), "from": start, "to": start + size, "events": [event]}
    found = {"worker_id": world.worker_id, **owned, "parts": [{**part, "state": {"at": 1}}] * rng.choice((0, 1, 1, 2))}
    if rng.random() < 0.3:
        sizes = {"out": start, "err": 0, "journal": 0}
        found["outcome"] = {"status": "FAILED", "reason": "exit_nonzero", "exit_code": 1, "sizes": sizes, "details": {}}
    if rng.random() < 0.1:
        found["late"] = True
    return found


def lines(rng: random.Random, world: World) -> Asked:
    """Events as lines, some of which are none."""
    each = [
        nasty.encode(rng, nasty.mutate(rng, EVENT) if rng.random() < 0.2 else EVENT) for _ in range(rng.randrange(60))
    ]
    for _ in range(rng.choice((0, 0, 1))):
        each.insert(rng.randrange(len(each) + 1), rng.choice(nasty.BROKEN))
    ends = rng.choice((b"\n", b"\n", b"\r\n", b"\n\n", b"\r", b"\x1e"))
    kind = rng.choice(("application/x-ndjson", "application/x-ndjson; charset=latin-1", "application/jsonl"))
    return Asked("POST", f"/v1/runs/{run_id(rng, world)}/events", ends.join(each), "report", kind)
