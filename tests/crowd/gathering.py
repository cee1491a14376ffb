"""The phases of a crowd: begin, write, lose the worker, stop, and what must be true afterwards."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentrunner.app.address import read_address
from bench.memory import adopted
from bench.servers import pss_bytes
from chaos.verdict import share
from crowd import costs
from crowd.costs import Costs
from crowd.latency import watch
from e2e.processes import Process, agents, of_directory
from e2e.product import Product
from waiting import until

BATCH = 500
WATCHED = 20
"""Streams whose lines are timed."""
_PAGE = 500
_MOST_WRONG = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """How many agents, and for how many seconds they are measured."""

    agents: int
    seconds: float

    @property
    def within_s(self) -> float:
        """How long each phase may take."""
        return 30 + self.agents * 0.2


@dataclass(slots=True)
class Crowd:
    """One crowd; `run` answers every figure, and in `broken` what was lost or left."""

    product: Product
    ticker: Path
    plan: Plan
    run_ids: list[int] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def run(self) -> dict[str, Any]:
        """Every phase in turn."""
        up = self.product.up()
        self.product.wait_ready()
        empty = pss_bytes(self._worker().pid)
        self._begin()
        self._measure(empty)
        self._lose_worker()
        self._stop()
        self._judge()
        up.send(2)
        self.product.wait_ended(up, 30)
        return {"agents": self.plan.agents, **self.figures, "broken": self.broken[:_MOST_WRONG]}

    def _worker(self) -> Process:
        return until(lambda: self.product.part("worker"), 20)

    def _note(self, text: str, **figures: Any) -> None:
        print(f"crowd: {text}", flush=True)
        self.figures |= figures

    def _timed(self, condition: Callable[[], object]) -> float:
        began = time.monotonic()
        until(condition, self.plan.within_s, 0.02)
        return round(time.monotonic() - began, 2)

    def _begin(self) -> None:
        worker = self._worker()
        began = time.monotonic()
        books = self.product.data_dir / "books"
        books.mkdir()
        for start in range(0, self.plan.agents, BATCH):
            count = min(BATCH, self.plan.agents - start)
            argvs = [[str(self.ticker), str(books / str(start + number))] for number in range(count)]
            runs = [{"backend": "command", "goal": "", "options": {"argv": argv}} for argv in argvs]
            items = self.product.ask("POST", "/v1/runs", json={"runs": runs}).json()["items"]
            self.run_ids += [item["id"] for item in items]
        self._timed(lambda: adopted(worker) >= self.plan.agents)
        seconds = round(time.monotonic() - began, 2)
        self._note(f"{self.plan.agents} agents started and watched after {seconds} s", start_s=seconds)

    def _measure(self, empty: int) -> None:
        found = costs.processes(self.product.data_dir)
        before, began = costs.measured(found, memory=False), time.monotonic()
        step = max(1, len(self.run_ids) // WATCHED)
        seen = watch(self._port(), self._token(), self.run_ids[::step][:WATCHED], self.plan.seconds)
        seconds = time.monotonic() - began
        after = costs.measured(found, memory=True)
        self._tell_costs(before, after, seconds, empty)
        p50, p99 = (round(1000 * (share(seen.seconds, part) or 0), 1) for part in (0.5, 0.99))
        self._note(
            f"a line is readable {p50} ms after its write (p99 {p99}), of {len(seen.seconds)} on {WATCHED} streams",
            latency_ms={"p50": p50, "p99": p99},
        )
        if not seen.seconds:
            self.broken.append("no line came over the streams")

    def _port(self) -> int:
        return int((read_address(self.product.data_dir) or ":0").rpartition(":")[2])

    def _token(self) -> str:
        return (self.product.data_dir / "token").read_text().strip()

    def _tell_costs(self, before: Costs, after: Costs, seconds: float, empty: int) -> None:
        cpu = {kind: round((after.cpu_s[kind] - before.cpu_s[kind]) / seconds, 3) for kind in costs.KINDS}
        memory = {kind: after.each_mb(kind) for kind in costs.KINDS}
        per_agent = round((after.pss["worker"] - empty) / self.plan.agents / 1024, 1)
        self._note(f"CPU, of a core: {cpu}", cpu_cores=cpu)
        self._note(f"memory of one, PSS in MB: {memory}; {per_agent} KB an agent in the worker", pss_mb=memory)
        self.figures |= {"worker_kb_per_agent": per_agent, "processes": after.count}
        if after.count["agent"] < self.plan.agents or after.count["shim"] < self.plan.agents:
            self.broken.append(f"not all agents live: {after.count}")

    def _lose_worker(self) -> None:
        worker = self._worker()
        began = time.monotonic()
        worker.kill()

        def all_taken_up() -> bool:
            successor = self.product.part("worker")
            return successor is not None and successor.pid != worker.pid and adopted(successor) >= self.plan.agents

        until(all_taken_up, self.plan.within_s, 0.02)
        seconds = round(time.monotonic() - began, 2)
        self._note(f"all taken up again {seconds} s after kill -9 of the worker", readopt_s=seconds)

    def _stop(self) -> None:
        began = time.monotonic()
        cursor: str | None = None
        while True:
            body = {"action": "stop", "q": "is:active", **({"cursor": cursor} if cursor else {})}
            answer = self.product.ask("POST", "/v1/runs/bulk", json=body)
            assert answer.status_code == 200, answer.text
            cursor = answer.json()["next_cursor"]
            if cursor is None:
                break
        self._timed(lambda: not self.product.get("/v1/runs", q="is:active", limit=1)["items"])
        seconds = round(time.monotonic() - began, 2)
        self._note(f"all stopped after {seconds} s", stop_s=seconds)

    def _judge(self) -> None:
        """Every line once and in order, up to the last that its agent says it wrote; and nothing is left."""
        lines = 0
        for number, run_id in enumerate(self.run_ids):
            recorded = [int(line.split(" ")[0]) for line in self.product.lines(run_id)]
            lines += len(recorded)
            book = self.product.data_dir / "books" / str(number)
            written = int(book.read_text()) if book.exists() else -1
            status = self.product.run(run_id)["status"]
            if recorded != list(range(1, written + 1)) or status != "STOPPED":
                self.broken.append(f"run {run_id} is {status} with {len(recorded)} lines of {written}")
        left = agents(self.product.data_dir) + of_directory(self.product.data_dir, "shim")
        self.broken += [f"process {process.pid} is left: {process.command[:100]}" for process in left]
        self._note(f"{lines} lines recorded, {len(left)} processes left", lines=lines)
