"""The SQL of idempotency keys: what a repeated create answers."""

import msgspec

from agentrunner.store.base import Tx


async def find(tx: Tx, key: str) -> tuple[str, list[int]] | None:
    """The fingerprint of the body that came with a key, and the runs it created."""
    row = await tx.one("SELECT fingerprint, run_ids FROM idempotency WHERE key = ?", key)
    return None if row is None else (row[0], msgspec.json.decode(row[1], type=list[int]))


async def keep(tx: Tx, key: str, fingerprint: str, run_ids: list[int], now: int) -> bool:
    """Remember a key; False where somebody else was faster."""
    sql = """INSERT INTO idempotency (key, fingerprint, run_ids, created_at) VALUES (?, ?, ?, ?)
             ON CONFLICT (key) DO NOTHING"""
    return await tx.run(sql, key, fingerprint, msgspec.json.encode(run_ids).decode(), now) > 0


async def forget(tx: Tx, before: int) -> int:
    """Drop the keys from before a time."""
    return await tx.run("DELETE FROM idempotency WHERE created_at < ?", before)
