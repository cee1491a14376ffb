"""What 200 idle agents cost: memory of their shims and of the worker, wake-ups, and the time to take them up again."""

import os
import signal
import statistics
import time
from collections.abc import Sequence
from datetime import datetime

from bench.plan import Plan
from bench.report import Row
from bench.servers import Server, pss_bytes, serving, switches
from e2e.processes import Process, of_directory
from waiting import until

AGENTS = 200
WINDOW_S = 10.0
_MIB = 1 << 20


def start_agents(server: Server, count: int) -> None:
    """Idle agents; returns once each is supervised."""
    runs = [{"backend": "command", "options": {"argv": ["/bin/sleep", "600"]}}] * count
    server.post("/v1/runs", {"runs": runs})


def adopted(worker: Process) -> int:
    """How many shims a worker watches by pidfd, which is the last that it does to take one up."""
    found = 0
    try:
        for link in os.scandir(f"/proc/{worker.pid}/fd"):
            found += os.readlink(link.path) == "anon_inode:[pidfd]"
    except OSError:  # a descriptor that was closed meanwhile; the next look counts again
        return 0
    return found


def wakeups(processes: Sequence[Process], seconds: float) -> float:
    """Wake-ups a second of all of them together."""
    began = time.monotonic()
    before = sum(switches(each.pid) for each in processes)
    until(lambda: time.monotonic() - began >= seconds, seconds + 5, 0.5)
    return (sum(switches(each.pid) for each in processes) - before) / (time.monotonic() - began)


def readopt(server: Server, worker: Process) -> tuple[Process, float, float]:
    """Kill the worker; answers the next one, and milliseconds until it watches all: from its register, its start."""
    last = max(event["ts"] for event in server.get("/v1/runs/1/events?limit=1000")["items"])
    worker.send(signal.SIGKILL)
    server.product.wait_ended(worker, 10)
    began = time.time()
    successor = server.product.start("worker")
    until(lambda: adopted(successor) >= AGENTS, 30, 0.001)
    ended = time.time()

    def registered() -> list[str]:
        events = server.get("/v1/runs/1/events?limit=1000")["items"]
        return [event["ts"] for event in events if event["type"] == "run.adopted" and event["ts"] > last]

    return successor, (ended - _seconds(until(registered, 10)[-1])) * 1000, (ended - began) * 1000


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def measure(plan: Plan) -> list[Row]:
    """The printed rows, of which the shim's memory has a must."""
    window = 2.0 if plan.is_quick else WINDOW_S
    place = plan.place("memory")
    with serving(place, slots=AGENTS) as server:
        worker = server.start_worker()
        start_agents(server, 1)
        until(lambda: adopted(worker) >= 1, 20)
        empty = pss_bytes(worker.pid)
        alone = wakeups([worker], window)
        began = time.perf_counter()
        start_agents(server, AGENTS - 1)
        until(lambda: adopted(worker) >= AGENTS, 60)
        plan.tell(f"memory: {AGENTS} agents supervised after {time.perf_counter() - began:.2f} s")
        shims = of_directory(place, "shim")
        assert len(shims) == AGENTS, len(shims)
        # Just started, each execution still looks a few times unasked; then only hints wake it.
        until(lambda: wakeups([worker], 1.0) < AGENTS / 4, 30)
        pss = [pss_bytes(shim.pid) / _MIB for shim in shims]
        shim = Row(
            name="shim memory", unit="MB PSS", ours=statistics.mean(pss), must=1.3, wish=1.0, lower_is_better=True
        )
        per_agent = (pss_bytes(worker.pid) - empty) / (AGENTS - 1) / 1024
        rows = [shim, Row(name="worker memory per agent", unit="KB PSS", ours=per_agent)]
        idle, busy = wakeups(shims, window), wakeups([worker], window)
        rows.append(Row(name="wake-ups of 200 idle shims", unit="/s", ours=idle, must=0, lower_is_better=True))
        rows.append(Row(name="wake-ups of their worker", unit="/s", ours=busy, note=f"{alone:.1f}/s with one agent"))
        plan.tell("memory: the worker is killed and succeeded")
        return [*rows, *_adoption(plan, server, worker)]


def _adoption(plan: Plan, server: Server, worker: Process) -> list[Row]:
    found: list[tuple[float, float]] = []
    for _ in range(plan.rounds):
        worker, registered, started = readopt(server, worker)
        found.append((registered, started))
    since_start = statistics.median(started for _, started in found)
    note = f"from its register; {since_start:.0f} ms from its start"
    return [Row(name="re-adopt 200 agents", unit="ms", ours=statistics.median(ms for ms, _ in found), note=note)]
