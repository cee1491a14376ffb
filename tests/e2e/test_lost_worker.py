"""A worker that stands still for two leases and comes back: each run as its `on_lost` says."""

import signal
import sqlite3
from datetime import UTC, datetime
from typing import Any

import pytest

from e2e.processes import Process, look
from e2e.product import Product, product
from waiting import until

LEASE_S = 6.0
TICKS = (
    'echo "pid $$"; [ "$AGENTRUNNER_ATTEMPT_NUMBER" = 2 ] && exit 0; '
    'n=0; while :; do n=$((n+1)); echo "tick $n"; sleep 0.05; done'
)


def epochs(server: Product) -> dict[int, int]:
    """The epoch of each run, from the database itself: the API shows none."""
    database = sqlite3.connect(f"file:{server.data_dir / 'agentrunner.db'}?mode=ro", uri=True)
    try:
        return dict(database.execute("SELECT id, epoch FROM runs"))
    finally:
        database.close()


def agent(server: Product, run_id: int) -> Process:
    """The agent of a run, by the last `run.started` of its timeline."""
    started = [event["payload"] for event in server.events(run_id) if event["type"] == "run.started"]
    process = look(started[-1]["pid"])
    assert process is not None
    assert process.started == started[-1]["start_time"]
    return process


def ticks(events: list[dict[str, Any]], attempt: int) -> list[int]:
    """The numbers that an attempt counted, in the order of the timeline."""
    logs = [event["payload"]["lines"] for event in events if event["type"] == "log" and event["attempt"] == attempt]
    return [int(line.split()[1]) for lines in logs for line in lines if line.startswith("tick ")]


@pytest.mark.timeout(120)
def test_wait_fail_and_retry() -> None:
    """`wait` goes on in the same process, `fail` ends FAILED worker_lost, `retry` becomes a second attempt."""
    with product(lease_s=LEASE_S, heartbeat_s=0.5, grace_s=2) as server:
        server.start("server")
        worker = server.start("worker")
        server.wait_ready()
        made = {
            word: server.create("command", options={"argv": ["sh", "-c", TICKS]}, on_lost=word)
            for word in ("wait", "fail", "retry")
        }
        for run_id in made.values():
            until(lambda run_id=run_id: len(ticks(server.events(run_id), 1)) > 5, 20, 0.1)
        agents = {word: agent(server, run_id) for word, run_id in made.items()}
        before = epochs(server)

        assert worker.send(signal.SIGSTOP)
        until(lambda: server.run(made["wait"])["phase"] == "unreachable", LEASE_S + 5, 0.1)
        assert {server.run(run_id)["status"] for run_id in made.values()} == {"RUNNING"}
        assert not agents["fail"].is_alive
        assert not agents["retry"].is_alive
        assert "unreachable" in server.explain(made["fail"])["phase"]
        failed = server.wait(made["fail"], "FAILED", timeout=2 * LEASE_S)
        queued = server.wait(made["retry"], "QUEUED", timeout=LEASE_S)
        until(_two_leases_after(server, made["wait"]), 2 * LEASE_S, 0.1)
        assert failed["reason"] == "worker_lost"
        assert "worker" in server.explain(made["fail"])["what_to_do"]
        assert (queued["attempt"], queued["worker"]) == (2, None)
        assert server.run(made["wait"])["status"] == "RUNNING"
        assert agents["wait"].is_alive

        assert worker.send(signal.SIGCONT)
        until(lambda: server.run(made["wait"])["phase"] == "working", 10, 0.1)
        assert server.wait(made["retry"], "COMPLETED", timeout=20)["attempt"] == 2
        _check_after(server, made, agents, before)
        server.wish(made["wait"], "stop")
        server.wait(made["wait"], "STOPPED", timeout=15)


def _check_after(server: Product, made: dict[str, int], agents: dict[str, Process], before: dict[int, int]) -> None:
    """Who runs, under which epoch, and what became of the output of those that were given up."""
    assert agent(server, made["wait"]) == agents["wait"]
    until(lambda: len(ticks(server.events(made["wait"]), 1)) > 200, 20, 0.1)
    counted = ticks(server.events(made["wait"]), 1)
    assert counted == list(range(1, len(counted) + 1))
    assert server.types(made["wait"]).count("run.lost") == 1
    after = epochs(server)
    assert after[made["wait"]] == before[made["wait"]]
    assert after[made["fail"]] > before[made["fail"]]
    assert after[made["retry"]] > before[made["retry"]]

    until(lambda: _has_late(server, made["fail"]), 10, 0.1)
    events = server.events(made["fail"])
    assert server.run(made["fail"])["status"] == "FAILED"
    end = next(event for event in events if event["type"] == "run.failed")
    assert all(event.get("late", False) == (event["seq"] > end["seq"]) for event in events)
    counted = ticks(events, 1)
    assert counted == list(range(1, len(counted) + 1))

    events = server.events(made["retry"])
    started = [event for event in events if event["type"] == "run.started"]
    assert [event["attempt"] for event in started] == [1, 2]
    assert started[0]["payload"]["pid"] == agents["retry"].pid
    assert started[1]["payload"]["pid"] != agents["retry"].pid
    retried = next(event for event in events if event["type"] == "run.retried")
    assert retried["payload"]["reason"] == "worker_lost"


def _has_late(server: Product, run_id: int) -> bool:
    return any(event.get("late") for event in server.events(run_id))


def _two_leases_after(server: Product, run_id: int) -> Any:
    """A condition: two leases have gone by since the worker of a run was last heard of."""
    lost = next(event for event in server.events(run_id) if event["type"] == "run.lost")
    assert lost["payload"]["on_lost"] == "wait"
    last = server.get("/v1/workers")["items"][0]["heard_at"]
    heard = datetime.fromisoformat(last)
    return lambda: (datetime.now(UTC) - heard).total_seconds() > 2 * LEASE_S
