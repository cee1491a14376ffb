"""The SQL of inputs."""

from collections.abc import Sequence

from agentrunner.domain.decision import Input
from agentrunner.store.base import Tx
from agentrunner.store.columns import decode


async def insert(tx: Tx, run_id: int, text: str, now: int) -> Input:
    """Store an input that is to be delivered."""
    sql = "INSERT INTO inputs (run_id, text, created_at) VALUES (?, ?, ?) RETURNING id"
    row = await tx.one(sql, run_id, text, now)
    assert row is not None
    return Input(id=row[0], run_id=run_id, text=text, created_at=now)


async def get(tx: Tx, input_id: int) -> Input | None:
    """One input."""
    row = await tx.one("SELECT id, run_id, text, created_at, delivered_at FROM inputs WHERE id = ?", input_id)
    return None if row is None else decode(row, Input, {})


async def waiting(tx: Tx, worker_id: str, known: Sequence[int]) -> list[Input]:
    """Undelivered inputs of the active runs of a worker, but for those it knows; at most 100."""
    narrow = f"AND i.id NOT IN ({', '.join('?' * len(known))})" if known else ""
    sql = f"""SELECT i.id, i.run_id, i.text, i.created_at, i.delivered_at FROM inputs i JOIN runs r ON r.id = i.run_id
              WHERE r.worker_id = ? AND r.status IN ('RUNNING', 'PAUSED') AND i.delivered_at IS NULL {narrow}
              ORDER BY i.id LIMIT 100"""
    return [decode(row, Input, {}) for row in await tx.all(sql, worker_id, *known)]


async def count_waiting(tx: Tx, run_id: int) -> int:
    """How many inputs of a run wait."""
    row = await tx.one("SELECT count(*) FROM inputs WHERE run_id = ? AND delivered_at IS NULL", run_id)
    assert row is not None
    return int(row[0])


async def deliver(tx: Tx, run_id: int, input_id: int, now: int) -> None:
    """The shim has written this input of this run to the agent."""
    sql = "UPDATE inputs SET delivered_at = ? WHERE id = ? AND run_id = ? AND delivered_at IS NULL"
    await tx.run(sql, now, input_id, run_id)
