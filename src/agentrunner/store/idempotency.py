"""The SQL of idempotency keys: what a repeated create answers."""

import msgspec

from agentrunner.store.base import Tx


async def take(tx: Tx, key: str, fingerprint: str, now: int) -> bool:
    """Make a key this transaction's, before it creates anything; False where it is known, waiting for who has it."""
    sql = """INSERT INTO idempotency (key, fingerprint, run_ids, created_at) VALUES (?, ?, '[]', ?)
             ON CONFLICT (key) DO NOTHING"""
    return await tx.run(sql, key, fingerprint, now) > 0


async def fill(tx: Tx, key: str, ids: list[int]) -> None:
    """Remember what a taken key created: runs, or an input."""
    await tx.run("UPDATE idempotency SET run_ids = ? WHERE key = ?", msgspec.json.encode(ids).decode(), key)


async def find(tx: Tx, key: str) -> tuple[str, list[int]]:
    """The fingerprint of the body that came with a known key, and the ids of what it created."""
    row = await tx.one("SELECT fingerprint, run_ids FROM idempotency WHERE key = ?", key)
    assert row is not None
    return row[0], msgspec.json.decode(row[1], type=list[int])


async def forget(tx: Tx, before: int) -> int:
    """Drop the keys from before a time."""
    return await tx.run("DELETE FROM idempotency WHERE created_at < ?", before)
