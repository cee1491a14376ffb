"""The SQL of attempts: the numbered tries of a run, with how much of their output is stored."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from agentrunner.domain.control import NULL, Offsets, States
from agentrunner.domain.state import STREAMS, StreamName
from agentrunner.store.base import Row, Tx


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try of a run; `process` is what its `started` fact said, `ended_at` is set once it is over."""

    run_id: int
    number: int
    uid: str
    worker_id: str
    boot_id: str
    claimed_at: int
    started_at: int | None
    ended_at: int | None
    process: msgspec.Raw | None
    offsets: Offsets
    states: States


class Begun(NamedTuple):
    """An attempt that begins: whose it is, on which boot of its host."""

    run_id: int
    number: int
    uid: str
    worker_id: str
    boot_id: str
    claimed_at: int


async def insert(tx: Tx, begun: Sequence[Begun]) -> None:
    """Begin attempts."""
    await tx.insert("attempts", ", ".join(Begun._fields), begun)


async def current(tx: Tx, run_ids: Sequence[int]) -> dict[int, Attempt]:
    """The present attempt of each of some runs that has one, by run."""
    marks = ", ".join("?" * len(run_ids))
    sql = f"""SELECT a.* FROM runs r JOIN attempts a ON a.run_id = r.id AND a.number = r.attempt
              WHERE r.id IN ({marks})"""
    return {row["run_id"]: _attempt(row) for row in await tx.all(sql, *run_ids)}


async def get(tx: Tx, run_id: int, number: int) -> Attempt | None:
    """One attempt."""
    row = await tx.one("SELECT * FROM attempts WHERE run_id = ? AND number = ?", run_id, number)
    return None if row is None else _attempt(row)


async def of_run(tx: Tx, run_id: int) -> list[Attempt]:
    """A run's attempts, first to last."""
    rows = await tx.all("SELECT * FROM attempts WHERE run_id = ? ORDER BY number LIMIT 200", run_id)
    return [_attempt(row) for row in rows]


async def store_streams(tx: Tx, attempt: Attempt, offsets: Offsets, states: States) -> None:
    """Set how much of each stream is stored, and the parser states there."""
    fields: dict[str, Any] = {}
    for stream in STREAMS:
        fields[f"{stream}_offset"] = getattr(offsets, stream)
        fields[f"{stream}_state"] = _text(getattr(states, stream))
    assignments = ", ".join(f"{name} = ?" for name in fields)
    sql = f"UPDATE attempts SET {assignments} WHERE run_id = ? AND number = ?"
    await tx.run(sql, *fields.values(), attempt.run_id, attempt.number)


async def start(tx: Tx, run_id: int, number: int, now: int, process: msgspec.Raw) -> None:
    """The process of an attempt is there."""
    sql = "UPDATE attempts SET started_at = ?, process = ? WHERE run_id = ? AND number = ?"
    await tx.run(sql, now, _text(process), run_id, number)


async def end(tx: Tx, run_id: int, number: int, now: int, outcome: tuple[str, str | None, int | None]) -> None:
    """The attempt is over; `outcome` is its status, reason and exit code."""
    sql = "UPDATE attempts SET ended_at = ?, status = ?, reason = ?, exit_code = ? WHERE run_id = ? AND number = ?"
    await tx.run(sql, now, *outcome, run_id, number)


def _attempt(row: Row) -> Attempt:
    process = row["process"]
    return Attempt(
        run_id=row["run_id"],
        number=row["number"],
        uid=row["uid"],
        worker_id=row["worker_id"],
        boot_id=row["boot_id"],
        claimed_at=row["claimed_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        process=None if process is None else msgspec.Raw(process.encode()),
        offsets=Offsets(out=row["out_offset"], err=row["err_offset"], journal=row["journal_offset"]),
        states=States(**{stream: _raw(row, stream) for stream in STREAMS}),
    )


def _raw(row: Row, stream: StreamName) -> msgspec.Raw:
    value = row[f"{stream}_state"]
    return NULL if value is None else msgspec.Raw(value.encode())


def _text(raw: msgspec.Raw) -> str | None:
    return None if raw == NULL else bytes(raw).decode()
