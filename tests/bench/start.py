"""From `POST /v1/runs` to the agent's first instruction, idle, against two durable commits and one zygote spawn."""

import sqlite3
import statistics
import time
from pathlib import Path

import msgspec

from agentrunner.process.adopt import RunDirectory
from agentrunner.process.launch import ZygoteLink
from bench.plan import Plan
from bench.report import Row, paired
from bench.servers import Server, cpu_seconds, serving
from bench.spawn import spec, zygote
from waiting import until

_EVERY_S = 0.02
_WITHIN_S = 20.0
_QUIET_S = 0.0005


class _Line(msgspec.Struct):
    ts: int


def ours(server: Server, argv: list[str]) -> float:
    """Milliseconds; returns once the run is over and everything is quiet again."""
    before = time.monotonic_ns()
    run = server.post("/v1/runs", {"backend": "command", "options": {"argv": argv}})["id"]
    until(lambda: server.get(f"/v1/runs/{run}")["status"] == "COMPLETED", _WITHIN_S, _EVERY_S)
    events = server.get(f"/v1/runs/{run}/events")["items"]
    lines = [line for event in events if event["type"] == "log" for line in event["payload"]["lines"]]
    return (msgspec.json.decode(lines[0], type=_Line).ts - before) / 1e6


def limit(link: ZygoteLink, database: sqlite3.Connection, place: Path, argv: list[str]) -> float:
    """Milliseconds."""
    before = time.monotonic_ns()
    for _ in range(2):
        database.execute("INSERT INTO rows (text) VALUES (?)", ("x" * 200,))
    directory = RunDirectory.create(place / "runs" / "bench", spec(argv, place))
    link.spawn(directory.path)
    until(lambda: (directory.path / "exit").exists(), _WITHIN_S, _EVERY_S)
    return (msgspec.json.decode((directory.path / "out").read_bytes(), type=_Line).ts - before) / 1e6


def settle(*pids: int) -> None:
    """Wait until processes have nothing left to do: they used no CPU between two looks."""
    used = [0.0]

    def is_quiet() -> bool:
        used.append(sum(map(cpu_seconds, pids)))
        return used[-1] - used[-2] < _QUIET_S

    until(is_quiet, _WITHIN_S, 3 * _EVERY_S)


def measure(plan: Plan) -> list[Row]:
    """The row: medians of a few single starts are one half of a pair."""
    place = plan.place("start")
    argv = [plan.program("emit"), "1", "100", "1"]
    each = plan.pick(3, 10)
    database = sqlite3.connect(place / "limit.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE rows (text TEXT)")
    pairs: list[tuple[float, float]] = []
    with zygote(place) as link, serving(plan.place("start-server")) as server:
        everybody = (server.process.pid, server.start_worker().pid, link.pid)

        def mine() -> float:
            settle(*everybody)
            return ours(server, argv)

        def theirs() -> float:
            settle(*everybody)
            return limit(link, database, place, argv)

        mine()
        theirs()
        for number in range(plan.rounds):
            both = [(mine(), theirs()) for _ in range(each)]
            pairs.append((statistics.median(a for a, _ in both), statistics.median(b for _, b in both)))
            plan.tell(f"start: round {number + 1} of {plan.rounds}: {pairs[-1][0]:.1f} against {pairs[-1][1]:.1f} ms")
    database.close()
    return [paired(Row(name="start", unit="ms p50", must=3.0, wish=2.0, lower_is_better=True), pairs)]
