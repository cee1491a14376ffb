"""One durable event per POST from 32 clients, against a raw ASGI handler with the same commit."""

import sqlite3
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench import limits
from bench.plan import Plan
from bench.report import Row, compare
from bench.servers import EVENT, serving
from bench.wire import drive, request

CLIENTS = 32


def copy_database(source: Path, target: Path) -> Path:
    """A copy of a database that its server has open, for a limit that shall find the same rows and indices."""
    target.parent.mkdir(exist_ok=True)
    with sqlite3.connect(source) as live, sqlite3.connect(target) as copy:
        live.backup(copy)
    live.close()
    copy.close()
    return target


def measure(plan: Plan) -> list[Row]:
    """The row; its note says the same per CPU second of the server, which other work on the machine moves less."""
    place = plan.place("ingest")
    seconds = 0.4 if plan.is_quick else 2.0
    with ExitStack() as stack:
        server = stack.enter_context(serving(place))
        runs = server.external_runs(CLIENTS)
        database = copy_database(place / "agentrunner.db", place / "limit" / "limit.db")
        limit = stack.enter_context(limits.running("ingest", str(database)))
        messages = [request("POST", f"/v1/runs/{run}/events", server.token, EVENT) for run in runs]
        per_cpu: dict[int, list[float]] = {server.port: [], limit.port: []}

        def rate(side: "limits.Limit | object") -> float:
            used = side.cpu()  # type: ignore[attr-defined]
            load = drive(side.port, messages, b"201", seconds)  # type: ignore[attr-defined]
            per_cpu[side.port].append(load.count / (side.cpu() - used))  # type: ignore[attr-defined]
            return load.rate

        for side in (server, limit):
            drive(side.port, messages, b"201", 0.3)
        row = Row(name="ingest", unit="POST/s", must=0.8, wish=0.9)
        row = compare(row, lambda: rate(server), lambda: rate(limit), plan.rounds, plan.tell)
    ratio = sorted(mine / theirs for mine, theirs in zip(*per_cpu.values(), strict=True))[plan.rounds // 2]
    return [replace(row, note=f"{ratio:.2f} per CPU second of the server", more={"cpu_ratio": ratio})]
