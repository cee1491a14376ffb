"""The SQL of telemetry: which run a conversation or a trace belongs to, and when it is given up."""

from collections.abc import Sequence
from typing import NamedTuple

from agentrunner.store.base import Tx

_COLUMNS = "name, run_id, ends, heard_at, due_at"
_LAST = "SELECT type, payload FROM events WHERE run_id = ? AND late = 0 AND type IN ({marks}) ORDER BY seq DESC LIMIT 1"


class Source(NamedTuple):
    """`session:ID` or `trace:ID`, and its run. Instants in milliseconds.

    `ends`: the run is ended at `due_at`, else only the name is forgotten then; `due_at` None means never.
    `heard_at` is the time of the latest record.
    """

    name: str
    run_id: int
    ends: bool
    heard_at: int
    due_at: int | None


async def get(tx: Tx, name: str) -> Source | None:
    """What is known of a name."""
    row = await tx.one(f"SELECT {_COLUMNS} FROM telemetry WHERE name = ?", name)
    return None if row is None else Source(row[0], row[1], bool(row[2]), row[3], row[4])


async def put(tx: Tx, found: Sequence[Source]) -> None:
    """Remember names, in the place of what was known of them; in one order, so that no two wait for each other."""
    sql = f"""INSERT INTO telemetry ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)
              ON CONFLICT (name) DO UPDATE SET run_id = excluded.run_id, ends = excluded.ends,
              heard_at = excluded.heard_at, due_at = excluded.due_at"""
    rows = [(each.name, each.run_id, int(each.ends), each.heard_at, each.due_at) for each in sorted(found)]
    await tx.many(sql, rows)


async def due(tx: Tx, now: int, limit: int) -> list[str]:
    """Names whose time has come."""
    sql = "SELECT name FROM telemetry WHERE due_at <= ? ORDER BY due_at LIMIT ?"
    return [row[0] for row in await tx.all(sql, now, limit)]


async def delete(tx: Tx, name: str) -> None:
    """Forget a name."""
    await tx.run("DELETE FROM telemetry WHERE name = ?", name)


async def root_status(tx: Tx, run_id: int) -> str | None:
    """How the last span ended that is within no other and no tool's call; None where there is none."""
    sql = """SELECT status FROM spans WHERE run_id = ? AND parent_id IS NULL AND kind <> 'tool'
             AND ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT 1"""
    row = await tx.one(sql, run_id)
    return None if row is None else row[0]


async def last_of(tx: Tx, run_id: int, types: Sequence[str]) -> tuple[str, str] | None:
    """Type and payload of the last event of some types."""
    row = await tx.one(_LAST.format(marks=", ".join("?" * len(types))), run_id, *types)
    return None if row is None else (row[0], row[1])
