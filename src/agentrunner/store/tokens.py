"""The SQL of tokens; only their SHA-256 is stored."""

import msgspec

from agentrunner.store.base import Tx
from agentrunner.store.columns import decode


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token as stored."""

    id: int
    name: str
    scope: str
    created_at: int
    revoked_at: int | None


_SELECT = "SELECT id, name, scope, created_at, revoked_at FROM tokens"


async def insert(tx: Tx, name: str, digest: str, scope: str, now: int) -> Token:
    """Store a token by the SHA-256 of its text."""
    sql = "INSERT INTO tokens (name, hash, scope, created_at) VALUES (?, ?, ?, ?) RETURNING id"
    row = await tx.one(sql, name, digest, scope, now)
    assert row is not None
    return Token(id=row[0], name=name, scope=scope, created_at=now, revoked_at=None)


async def insert_once(tx: Tx, name: str, digest: str, scope: str, now: int) -> None:
    """Store a token unless it is known, live or revoked."""
    sql = "INSERT INTO tokens (name, hash, scope, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING"
    await tx.run(sql, name, digest, scope, now)


async def by_hash(tx: Tx, digest: str) -> Token | None:
    """The token whose text has this SHA-256, unless revoked."""
    row = await tx.one(f"{_SELECT} WHERE hash = ? AND revoked_at IS NULL", digest)
    return None if row is None else decode(row, Token, {})


async def all(tx: Tx) -> list[Token]:
    """Every token, at most 10,000."""
    return [decode(row, Token, {}) for row in await tx.all(f"{_SELECT} ORDER BY id LIMIT 10000")]


async def revoke(tx: Tx, token_id: int, now: int) -> bool:
    """End a token; False where there is none, or it had ended."""
    sql = "UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
    return await tx.run(sql, now, token_id) > 0
