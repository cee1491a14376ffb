"""The SQL of saved views."""

from agentrunner.domain.view import SavedView
from agentrunner.store.base import Tx
from agentrunner.store.columns import decode

_SELECT = "SELECT id, name, query, created_at FROM views"


async def insert(tx: Tx, name: str, query: str, now: int) -> SavedView | None:
    """Store a view; None where the name is taken."""
    sql = """INSERT INTO views (name, query, created_at) VALUES (?, ?, ?)
             ON CONFLICT (name) DO NOTHING RETURNING id, name, query, created_at"""
    row = await tx.one(sql, name, query, now)
    return None if row is None else decode(row, SavedView, {})


async def page(tx: Tx, after: int, limit: int) -> list[SavedView]:
    """Views behind an id, in the order of their ids."""
    rows = await tx.all(f"{_SELECT} WHERE id > ? ORDER BY id LIMIT {int(limit)}", after)
    return [decode(row, SavedView, {}) for row in rows]


async def count(tx: Tx) -> int:
    """How many there are."""
    row = await tx.one("SELECT count(*) FROM views")
    assert row is not None
    return int(row[0])


async def delete(tx: Tx, name: str) -> bool:
    """Remove a view; False where there is none of that name."""
    return await tx.run("DELETE FROM views WHERE name = ?", name) > 0
