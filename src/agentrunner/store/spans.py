"""The SQL of spans."""

from typing import Any

from agentrunner.domain.span import Span
from agentrunner.store.base import Tx
from agentrunner.store.columns import decode, encode

_JSON: dict[str, type] = {"attrs": dict[str, Any]}
_COLUMNS = ("run_id", "span_id", "parent_id", "name", "kind", "started_at", "ended_at", "status", "attrs")
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM spans"
_PUT = f"""INSERT INTO spans ({", ".join(_COLUMNS)}) VALUES ({", ".join("?" * len(_COLUMNS))})
           ON CONFLICT (run_id, span_id)
           DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[2:])}"""


async def put(tx: Tx, span: Span) -> None:
    """Store a span, in the place of the one with its id."""
    await tx.run(_PUT, *(encode(getattr(span, name)) for name in _COLUMNS))


async def get(tx: Tx, run_id: int, span_id: str) -> Span | None:
    """One span."""
    row = await tx.one(f"{_SELECT} WHERE run_id = ? AND span_id = ?", run_id, span_id)
    return None if row is None else decode(row, Span, _JSON)


async def innermost(tx: Tx, run_id: int) -> str | None:
    """The id of the span that began last and is open; calls of tools contain nothing."""
    sql = """SELECT span_id FROM spans WHERE run_id = ? AND ended_at IS NULL AND kind <> 'tool'
             ORDER BY started_at DESC LIMIT 1"""
    row = await tx.one(sql, run_id)
    return None if row is None else row[0]


async def oldest_call(tx: Tx, run_id: int, name: str) -> Span | None:
    """The first open call of a tool."""
    where = "run_id = ? AND ended_at IS NULL AND kind = 'tool' AND name = ?"
    row = await tx.one(f"{_SELECT} WHERE {where} ORDER BY started_at LIMIT 1", run_id, name)
    return None if row is None else decode(row, Span, _JSON)


async def count(tx: Tx, run_id: int) -> int:
    """How many spans a run has."""
    row = await tx.one("SELECT count(*) FROM spans WHERE run_id = ?", run_id)
    assert row is not None
    return int(row[0])


async def close(tx: Tx, run_id: int, now: int, status: str) -> int:
    """End every open span of a run, none before it began; answers how many."""
    sql = """UPDATE spans SET ended_at = CASE WHEN started_at > ? THEN started_at ELSE ? END, status = ?
             WHERE run_id = ? AND ended_at IS NULL"""
    return await tx.run(sql, now, now, status, run_id)


async def page(tx: Tx, run_id: int, since: int, limit: int) -> list[Span]:
    """The spans of a run that began at `since` (ms) or later, in the order in which they began."""
    sql = f"{_SELECT} WHERE run_id = ? AND started_at >= ? ORDER BY started_at, span_id LIMIT {int(limit)}"
    return [decode(row, Span, _JSON) for row in await tx.all(sql, run_id, since)]
