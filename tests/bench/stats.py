"""Figures of a million runs against the same of a thousand: no read may take much longer.

Both are asked several times, as dashboards do: the first answer after a start of the server also adds up histograms,
which are wider the more runs there are.
"""

import json
import math
import random
import sqlite3
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from agentrunner.domain.rollup import FIELDS, LENGTH_MS, Grain, bucket_of, start_of
from agentrunner.store.columns import encode
from bench.list import FEW, fill
from bench.plan import Plan
from bench.report import Row, compare
from bench.servers import Server, serving

AGENTS = 4
_HOURS = 7 * 24
_ALL = ("grain", "start", "version_id", "project_id", *FIELDS)
_READS = {
    "stats, a week": "/v1/stats?since=7d",
    "stats, a day by agent": "/v1/stats?since=24h&by=agent",
    "usage": "/v1/usage?since=7d",
    "agent's versions": "/v1/agents/1/versions",
    "cards": "/api/v1/ui/stats",
}


def _ended(count: int, now: int) -> Iterator[tuple[int, int, int, int]]:
    """When runs ended, of which agent, how long they took and waited (ms): evenly over a week, the same each time."""
    chance = random.Random(7)
    cells = _HOURS * AGENTS
    for number in range(count):
        hour, agent = divmod(number % cells, AGENTS)
        at = start_of(Grain.HOUR, now) - hour * LENGTH_MS[Grain.HOUR] - chance.randrange(LENGTH_MS[Grain.HOUR])
        yield at, agent + 1, round(math.exp(chance.gauss(10, 1))), round(math.exp(chance.gauss(5, 1)))


class _Cell:
    """One roll-up being made, by plain addition: a million of the product's own sums would take minutes."""

    __slots__ = ("durations", "last_seen", "runs", "took", "waited", "waits")

    def __init__(self) -> None:
        self.runs = self.took = self.waited = self.last_seen = 0
        self.durations: Counter[int] = Counter()
        self.waits: Counter[int] = Counter()

    def add(self, at: int, took: int, waited: int) -> None:
        """One run."""
        self.runs += 1
        self.took += took
        self.waited += waited
        self.durations[bucket_of(took)] += 1
        self.waits[bucket_of(waited)] += 1
        self.last_seen = max(self.last_seen, at)

    def values(self) -> list[Any]:
        """The columns of the roll-up."""
        lost = self.runs // 10
        whole: dict[str, Any] = {
            **dict.fromkeys(FIELDS, 0),
            "runs": self.runs,
            "completed": self.runs - lost,
            "failed": lost,
            "timed": self.runs,
            "duration_ms": self.took,
            "durations": json.dumps({"counts": self.durations}),
            "waited": self.runs,
            "wait_ms": self.waited,
            "waits": json.dumps({"counts": self.waits}),
            "input_tokens": 1000 * self.runs,
            "output_tokens": 50 * self.runs,
            "cost_micro": 12_000 * self.runs,
            "last_seen": self.last_seen,
        }
        return [encode(whole[name]) for name in FIELDS]


def _roll_up(database: Path, count: int) -> None:
    """Replace the roll-ups by those of so many runs, of every grain."""
    cells: dict[tuple[str, int, int, int], _Cell] = {}
    for at, agent, took, waited in _ended(count, time.time_ns() // 1_000_000):
        for grain in Grain:
            cells.setdefault((grain.value, start_of(grain, at), agent, 1), _Cell()).add(at, took, waited)
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("DELETE FROM rollups")
    sql = f"INSERT INTO rollups ({', '.join(_ALL)}) VALUES ({', '.join('?' * len(_ALL))})"
    connection.executemany(sql, ([*key, *cell.values()] for key, cell in cells.items()))
    connection.execute("COMMIT")
    connection.close()


def _filled(place: Path, count: int) -> None:
    """A data directory with so many runs and their roll-ups, the agents made by the product itself."""
    with serving(place) as server:
        for number in range(AGENTS):
            fields = {"backend": "external", "goal": "bench", "agent": f"agent-{number}", "agent_version": "1"}
            server.post("/v1/runs", fields)
    fill(place / "agentrunner.db", count)
    _roll_up(place / "agentrunner.db", count)


def _p50_ms(server: Server, path: str, count: int) -> float:
    times = []
    for _ in range(count):
        before = time.perf_counter()
        server.caller.call("GET", path)
        times.append(time.perf_counter() - before)
    return statistics.median(times) * 1000


def measure(plan: Plan) -> list[Row]:
    """A row for each read: its time with many runs against that with few."""
    many = plan.pick(100_000, 1_000_000)
    place, small = plan.place("stats"), plan.place("stats-few")
    began = time.perf_counter()
    _filled(place, many)
    _filled(small, FEW)
    plan.tell(f"stats: {many:,} runs filled in in {time.perf_counter() - began:.1f} s")
    rows = []
    with ExitStack() as stack:
        server, few = stack.enter_context(serving(place)), stack.enter_context(serving(small))
        assert server.get("/v1/stats?since=8d")["total"]["runs"] == many
        assert few.get("/v1/stats?since=8d")["total"]["runs"] == FEW
        for name, path in _READS.items():
            for side in (server, few):
                _p50_ms(side, path, 5)
            row = Row(
                name=name, unit="ms p50", must=1.5, lower_is_better=True, note=f"{many:,} to {FEW:,} runs, asked again"
            )
            rows.append(_compared(plan, row, (server, few), path))
    return rows


def _compared(plan: Plan, row: Row, sides: tuple[Server, Server], path: str) -> Row:
    count = plan.pick(15, 40)
    many, few = sides
    return compare(row, lambda: _p50_ms(many, path, count), lambda: _p50_ms(few, path, count), plan.rounds, plan.tell)
