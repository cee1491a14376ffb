"""Batches of a thousand events over HTTP, against the same rows put straight into SQLite: same tables and indices."""

import sqlite3
import time
from pathlib import Path

import msgspec

from bench.ingest import copy_database
from bench.limits import ADVANCE, INSERT
from bench.plan import Plan
from bench.report import Row, compare
from bench.servers import EVENT, PAYLOAD, serving
from bench.wire import drive, request

CLIENTS = 4
EVENTS = 1000
NDJSON = "application/x-ndjson"


def straight(database: Path, runs: list[int], seconds: float) -> float:
    """Rows a second of one connection that does nothing else, full durability, a batch a transaction."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    payload = msgspec.json.encode(PAYLOAD).decode()
    count = 0
    began = time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        run = runs[count // EVENTS % len(runs)]
        connection.execute("BEGIN IMMEDIATE")
        (last,) = connection.execute(ADVANCE, (EVENTS, run)).fetchone()
        now = time.time_ns() // 1_000_000
        rows = (
            (run, seq, 1, now, "task.progress", "info", payload, 0, None, None)
            for seq in range(last - EVENTS + 1, last + 1)
        )
        connection.executemany(INSERT, rows)
        connection.execute("COMMIT")
        count += EVENTS
    connection.close()
    return count / elapsed


def measure(plan: Plan) -> list[Row]:
    """The row."""
    place = plan.place("batch")
    seconds = 0.4 if plan.is_quick else 2.0
    with serving(place) as server:
        runs = server.external_runs(CLIENTS)
        database = copy_database(place / "agentrunner.db", place / "limit" / "limit.db")
        body = b"\n".join([EVENT] * EVENTS)
        messages = [request("POST", f"/v1/runs/{run}/events", server.token, body, NDJSON) for run in runs]

        def ours() -> float:
            return drive(server.port, messages, b"201", seconds).rate * EVENTS

        drive(server.port, messages, b"201", 0.3)
        straight(database, runs, 0.3)
        row = Row(name="batch", unit="events/s", must=0.6, wish=0.75, note=f"{CLIENTS} clients, {EVENTS} a batch")
        return [compare(row, ours, lambda: straight(database, runs, seconds), plan.rounds, plan.tell)]
