"""What must be true of a database at any moment, whatever was done to it."""

from collections import Counter
from typing import Any

from agentrunner.domain.state import TRANSITIONS, Cause, Status
from agentrunner.store.base import Database, Row, Tx

BY_EVENT = {cause.event_type: cause for cause in Cause if cause is not Cause.REPORTED}
STILL = {(Status.PAUSED, Cause.PAUSED), (Status.RUNNING, Cause.RESUMED)}
"""Facts that answer a wish for what is so already; they are written down and change nothing."""
ACTIVE = ("RUNNING", "PAUSED")
TABLE = dict(TRANSITIONS)
"""The table as it is when the tests begin."""


async def check(db: Database) -> None:
    """Assert every invariant over the whole database, read in one snapshot."""
    found = await db.read(_everything)
    for run in found["runs"]:
        mine = {name: [row for row in found[name] if row["run_id"] == run["id"]] for name in ("events", "attempts")}
        _timeline(run, mine["events"])
        _attempts(run, mine["attempts"])
        _fields(run)
    _counters(found["runs"], found["counts"])


async def _everything(tx: Tx) -> dict[str, list[Row]]:
    return {
        "runs": list(await tx.all("SELECT * FROM runs ORDER BY id")),
        "events": list(await tx.all("SELECT run_id, seq, type, late, attempt FROM events ORDER BY run_id, seq")),
        "attempts": list(await tx.all("SELECT * FROM attempts ORDER BY run_id, number")),
        "counts": list(await tx.all("SELECT name, n FROM counts")),
    }


def _timeline(run: Row, events: list[Row]) -> None:
    where = f"run {run['id']}: {[event['type'] for event in events]}"
    assert [event["seq"] for event in events] == list(range(1, run["last_seq"] + 1)), f"seq has a gap in {where}"
    statuses = derive(run["backend"], events)
    assert statuses[-1] == run["status"], f"{where} tell {statuses}, the row says {run['status']}"
    in_time = [event for event in events if not event["late"]]
    ending = [event["seq"] for event in in_time if event["type"] in ("run.completed", "run.failed", "run.stopped")]
    if Status(run["status"]).is_terminal:
        assert ending == [in_time[-1]["seq"]], f"the terminal event is not the one last in {where}"
    else:
        assert not ending, f"a terminal event without a terminal status in {where}"
    assert all(event["attempt"] <= run["attempt"] for event in events), f"an event from the future in {where}"


def derive(backend: str, events: list[Row]) -> list[Status]:
    """The statuses that a run had, from its events alone; each change must be in the table."""
    statuses: list[Status] = []
    for event in events:
        cause = BY_EVENT.get(event["type"])
        if event["late"] or cause is None:
            continue
        if not statuses:
            assert cause is Cause.CREATED, f"the first event is {event['type']}"
            statuses.append(TABLE[None, Cause.REPORTED if backend == "external" else cause])
            continue
        if (statuses[-1], cause) in STILL:
            continue
        assert (statuses[-1], cause) in TABLE, f"{cause} of a run that is {statuses[-1]}"
        assert not statuses[-1].is_terminal, f"{cause} of a run that has ended {statuses[-1]}"
        statuses.append(TABLE[statuses[-1], cause])
    return statuses


def _attempts(run: Row, attempts: list[Row]) -> None:
    live = [attempt["number"] for attempt in attempts if attempt["ended_at"] is None]
    is_held = run["status"] in ACTIVE and run["backend"] != "external"
    assert live == ([run["attempt"]] if is_held else []), f"run {run['id']} is {run['status']} with live {live}"
    assert [attempt["number"] for attempt in attempts] == list(range(1, len(attempts) + 1))
    assert (run["worker_id"] is None) <= (not is_held)


def _fields(run: Row) -> None:
    status = Status(run["status"])
    assert (run["ended_at"] is not None) == status.is_terminal
    assert status is Status.QUEUED or run["hold"] is None, f"run {run['id']} is {status} and held"
    assert status is Status.RUNNING or run["phase"] in (None, "stopping", "unreachable"), f"{status} {run['phase']}"
    assert not (status.is_terminal or status is Status.QUEUED) or run["phase"] is None, f"{status} {run['phase']}"
    assert status is not Status.RUNNING or run["phase"] is not None, f"run {run['id']} runs without a phase"
    assert (run["phase"] is None) <= (run["phase_since"] is None)
    assert run["answered"] <= run["revision"]
    assert (run["reason"] is not None) or status is not Status.FAILED


def _counters(runs: list[Row], counts: list[Row]) -> None:
    expected: Counter[str] = Counter()
    for run in runs:
        expected[f"status/{run['status']}"] += 1
        if run["status"] in ACTIVE and run["backend"] != "external":
            expected["active"] += 1
            expected[f"active/project/{run['project_id']}"] += 1
            expected[f"active/backend/{run['backend']}"] += 1
            if run["agent"] is not None:
                expected[f"active/agent/{run['agent']}"] += 1
    stored: dict[str, Any] = {row["name"]: row["n"] for row in counts if row["n"]}
    assert stored == dict(expected), "the counters are not what counting gives"
