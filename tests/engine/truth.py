"""What must be true of a database at any moment, whatever was done to it."""

import json
from collections import Counter
from typing import Any

from agentrunner.domain.rollup import FIELDS, Grain, Histogram, Tally, one, start_of
from agentrunner.domain.state import TRANSITIONS, Cause, Status
from agentrunner.store.base import Database, Row, Tx

BY_EVENT = {cause.event_type: cause for cause in Cause if cause is not Cause.REPORTED}
STILL = {(Status.PAUSED, Cause.PAUSED), (Status.RUNNING, Cause.RESUMED)}
"""Facts that answer a wish for what is so already; they are written down and change nothing."""
ACTIVE = ("RUNNING", "PAUSED")
_VERSIONS = "SELECT v.id, v.version, a.name FROM agent_versions v JOIN agents a ON a.id = v.agent_id"
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
    _rollups(found["runs"], found["rollups"], {(row["name"], row["version"]): row["id"] for row in found["versions"]})
    _spans(found["runs"], found["spans"])


async def _everything(tx: Tx) -> dict[str, list[Row]]:
    return {
        "runs": list(await tx.all("SELECT * FROM runs ORDER BY id")),
        "events": list(await tx.all("SELECT run_id, seq, type, late, attempt FROM events ORDER BY run_id, seq")),
        "attempts": list(await tx.all("SELECT * FROM attempts ORDER BY run_id, number")),
        "counts": list(await tx.all("SELECT name, n FROM counts")),
        "rollups": list(await tx.all("SELECT * FROM rollups")),
        "versions": list(await tx.all(_VERSIONS)),
        "spans": list(await tx.all("SELECT * FROM spans")),
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


def _rollups(runs: list[Row], kept: list[Row], versions: dict[tuple[str, str], int]) -> None:
    """Every roll-up is what counting the finished runs gives."""
    expected: dict[tuple[str, int, int, int], Tally] = {}
    for run in runs:
        if run["ended_at"] is None:
            continue
        version = versions[run["agent"], run["agent_version"]] if run["agent"] else 0
        for grain in Grain:
            key = (grain.value, start_of(grain, run["ended_at"]), version, run["project_id"])
            expected[key] = expected.get(key, Tally()).plus(_tally(run))
    stored = {tuple(row[name] for name in ("grain", "start", "version_id", "project_id")): _kept(row) for row in kept}
    assert stored == expected, "the roll-ups are not what counting gives"


def _tally(run: Row) -> Tally:
    started, ended, usage = run["started_at"], run["ended_at"], json.loads(run["usage"])
    duration = None if started is None else ended - started
    wait = None if started is None or run["backend"] == "external" else started - run["created_at"]
    return Tally(
        runs=1,
        completed=run["status"] == "COMPLETED",
        failed=run["status"] == "FAILED",
        stopped=run["status"] == "STOPPED",
        timed=duration is not None,
        duration_ms=duration or 0,
        durations=one(duration),
        waited=wait is not None,
        wait_ms=wait or 0,
        waits=one(wait),
        cost_micro=round((run["cost_usd"] or 0) * 1_000_000),
        last_seen=ended,
        **usage,
    )


def _kept(row: Row) -> Tally:
    values = {name: row[name] for name in FIELDS}
    for name in ("durations", "waits"):
        values[name] = Histogram({int(bucket): n for bucket, n in json.loads(row[name]).get("counts", {}).items()})
    return Tally(**values)


def _spans(runs: list[Row], spans: list[Row]) -> None:
    ended = {run["id"]: run["ended_at"] is not None for run in runs}
    for span in spans:
        assert span["ended_at"] is not None or not ended[span["run_id"]], f"span {span['span_id']} outlives its run"
        assert span["ended_at"] is None or span["ended_at"] >= span["started_at"]
