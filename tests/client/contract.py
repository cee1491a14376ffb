"""The contract of `/v1` as a small state machine, for a server that misbehaves when told (`wire`).

Its runs outlive the server, as a database does.
"""

import asyncio
import json
from typing import Any

import msgspec

from agentrunner.domain.instant import rfc3339
from agentrunner.domain.run import NewRun, title_of

BORN = 1_763_690_400_000
TERMINAL = {"run.completed": "COMPLETED", "run.failed": "FAILED", "run.stopped": "STOPPED"}
Reply = tuple[int, Any]


class Contract:
    """The state behind the server, and the switches that make it misbehave. Used from the test's thread too."""

    def __init__(self, token: str = "ar_test") -> None:
        self.token = token
        self.runs: dict[int, dict[str, Any]] = {}
        self.events: dict[int, list[dict[str, Any]]] = {}
        self.keys: dict[str, int] = {}
        self.requests: list[tuple[str, str]] = []
        self.replies: list[Reply | None] = []
        """Answers to give to the next requests instead of the right ones; None: drop the connection unanswered."""
        self.drop_answers = 0
        """How many of the next answers are worked out, then not sent."""
        self.cut_after: list[int] = []
        """For each next stream: the bytes after which its connection is cut."""
        self.facts = True
        """Whether a wish is a fact at once."""
        self.changed: asyncio.Event | None = None
        """Set when an event was added; the server waits for it."""

    def add_run(self, **fields: Any) -> int:
        """A run as `POST /v1/runs` makes it, with its first event."""
        new = msgspec.convert({"backend": "command", "goal": "", **fields}, NewRun)
        run_id = len(self.runs) + 1
        empty = ("external_id agent agent_version phase phase_since hold hold_until reason message worker exit_code "
                 "signal cost_usd retry_of started_at ended_at").split()  # fmt: skip
        asked = msgspec.to_builtins(new)
        kept = ("goal", "project", "backend", "agent", "external_id", "priority", "options", "limits", "retry",
                "on_lost", "labels", "metadata")  # fmt: skip
        usage = {"input_tokens": 0, "cache_read_tokens": 0, "cache_write_tokens": 0, "output_tokens": 0}
        self.runs[run_id] = {
            **dict.fromkeys(empty), **{name: asked[name] for name in kept}, "id": run_id, "title": title_of(new),
            "status": "QUEUED", "desired": "run", "attempt": 1, "usage": usage, "turns": 0, "last_seq": 0,
            "created_at": rfc3339(BORN),
        }  # fmt: skip
        self.events[run_id] = []
        self.add_event(run_id, "run.created", {"title": title_of(new), "backend": new.backend})
        return run_id

    def add_event(self, run_id: int, type: str, payload: Any = None, level: str = "info") -> None:
        """Append an event; one that ends a run changes its status."""
        run, events = self.runs[run_id], self.events[run_id]
        seq = len(events) + 1
        ts = rfc3339(BORN + seq * 100)
        events.append({"id": run_id * 1000 + seq, "run_id": run_id, "seq": seq, "attempt": run["attempt"], "ts": ts,
                       "type": type, "level": level, "payload": {} if payload is None else payload})  # fmt: skip
        run["last_seq"] = seq
        if type == "run.started":
            run |= {"status": "RUNNING", "phase": "working", "started_at": ts}
        if type in TERMINAL:
            run |= {"status": TERMINAL[type], "phase": None, "ended_at": ts}
        if self.changed is not None:
            self.changed.set()

    def finish(self, run_id: int, lines: list[str], exit_code: int = 0) -> None:
        """Start a run, let it write some lines, one event each, and end."""
        self.add_event(run_id, "run.started", {"pid": 4711})
        for number, line in enumerate(lines):
            self.add_event(run_id, "log", {"stream": "stdout", "offset": number * 10, "lines": [line]})
        self.runs[run_id]["exit_code"] = exit_code
        if exit_code:
            self.runs[run_id]["reason"] = "exit_nonzero"
        self.add_event(run_id, "run.failed" if exit_code else "run.completed", {"exit_code": exit_code})

    def answer(
        self, method: str, path: str, query: dict[str, list[str]], headers: dict[str, str], body: bytes
    ) -> Reply:
        """What a well-behaved server answers."""
        if headers.get("authorization") != f"Bearer {self.token}" and path != "/health":
            return problem(401, "unauthorized", "This needs a token.")
        parts = path.strip("/").split("/")
        match (method, parts):
            case ("GET", ["health"]):
                return 200, {"status": "ok"}
            case ("POST", ["v1", "runs"]):
                return self._create(headers, body)
            case ("GET", ["v1", "runs"]):
                return 200, self._list(query)
            case (_, ["v1", "runs", text, *rest]):
                if not text.isdigit() or int(text) not in self.runs:
                    return problem(404, "run_not_found", f"There is no run {text}.")
                return self._of_run(method, int(text), rest, query, body)
        return problem(404, "not_found", f"There is nothing at {path}.")

    def _create(self, headers: dict[str, str], body: bytes) -> Reply:
        key = headers.get("idempotency-key", "")
        if key not in self.keys:
            self.keys[key] = self.add_run(**json.loads(body))
        return 201, self.runs[self.keys[key]]

    def _list(self, query: dict[str, list[str]]) -> dict[str, Any]:
        wanted, limit = query.get("status", []), int(query.get("limit", ["50"])[0])
        below = int(query.get("cursor", ["1000000"])[0])
        found = [run for run_id, run in sorted(self.runs.items(), reverse=True)
                 if run_id < below and (not wanted or run["status"] in wanted)]  # fmt: skip
        return {"items": found[:limit], "next_cursor": str(found[limit - 1]["id"]) if len(found) > limit else None}

    def _of_run(self, method: str, run_id: int, rest: list[str], query: dict[str, list[str]], body: bytes) -> Reply:
        run = self.runs[run_id]
        is_over = run["status"] in TERMINAL.values()
        match (method, rest):
            case ("GET", []):
                return 200, run
            case ("GET", ["events"]):
                after, limit = int(query.get("after", ["0"])[0]), int(query.get("limit", ["200"])[0])
                found = self.events[run_id][after : after + limit]
                more = len(self.events[run_id]) > after + limit
                return 200, {"items": found, "next_cursor": after + limit if more else None}
            case ("GET", ["explain"]):
                pending = None if is_over or self.facts else run["desired"]
                return 200, {"run_id": run_id, "status": run["status"], "phase": run["phase"], "hold": run["hold"],
                             "reason": run["reason"], "summary": "It is so.", "because": [], "what_to_do": None,
                             "pending": pending, "facts": {}}  # fmt: skip
            case ("POST", ["pause" | "resume" | "stop" as verb]):
                if is_over and not (verb == "stop" and run["status"] == "STOPPED"):
                    return problem(
                        409, "invalid_transition", f"Run {run_id} is {run['status']}.", current=run["status"]
                    )
                return self._wish(run_id, verb, is_over)
            case ("POST", ["retry"]):
                again = {"backend": run["backend"], "goal": run["goal"], "options": run["options"]}
                return 201, self.runs[self.add_run(**again)] | {"retry_of": run_id}
            case ("POST", ["inputs"]):
                return problem(409, "backend_unsupported", f"Run {run_id} reads no input.")
        return problem(405, "method_not_allowed", "Not here.")

    def _wish(self, run_id: int, verb: str, is_over: bool) -> Reply:
        run = self.runs[run_id]
        run["desired"] = {"pause": "pause", "resume": "run", "stop": "stop"}[verb]
        if verb == "stop" and self.facts and not is_over:
            run["reason"] = "stopped_by_user"
            self.add_event(run_id, "run.stopped", {"reason": "stopped_by_user"})
        elif self.facts and not is_over:
            run["status"] = "PAUSED" if verb == "pause" else "RUNNING"
        return (200 if self.facts else 202), run


def problem(status: int, code: str, detail: str, **extra: Any) -> Reply:
    """A problem document."""
    return status, {"type": f"urn:agentrunner:problem:{code}", "title": code, "status": status, "code": code,
                    "detail": detail, "request_id": "req-1", **extra}  # fmt: skip
