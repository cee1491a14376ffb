"""The SQL of one-time links and sessions; of either only the SHA-256 is stored."""

import msgspec

from agentrunner.domain.session import MAX_SESSIONS, Session
from agentrunner.domain.token import Scope
from agentrunner.store.base import Tx
from agentrunner.store.columns import decode

_COLUMNS = ", ".join(f"s.{name}" for name in Session.__struct_fields__)
_LIVE = f"""SELECT {_COLUMNS} FROM sessions s LEFT JOIN tokens t ON t.id = s.token_id
            WHERE s.expires_at > ? AND t.revoked_at IS NULL"""


async def count_logins(tx: Tx, now: int) -> int:
    """How many links are open; those whose time is over are removed."""
    await tx.run("DELETE FROM logins WHERE expires_at <= ?", now)
    row = await tx.one("SELECT count(*) FROM logins")
    return 0 if row is None else int(row[0])


async def put_login(tx: Tx, digest: str, scope: Scope, expires_at: int) -> None:
    """Store a link by the SHA-256 of its code."""
    await tx.run("INSERT INTO logins (hash, scope, expires_at) VALUES (?, ?, ?)", digest, scope.value, expires_at)


async def take_login(tx: Tx, digest: str, now: int) -> Scope | None:
    """Use a link up: of several who try only one is answered its scope."""
    row = await tx.one("DELETE FROM logins WHERE hash = ? AND expires_at > ? RETURNING scope", digest, now)
    return None if row is None else Scope(row[0])


async def insert(tx: Tx, digest: str, session: Session) -> Session:
    """Store a session by the SHA-256 of its text (its `id` is given here), and make room for it."""
    await tx.run("DELETE FROM sessions WHERE expires_at <= ?", session.created_at)
    newest = f"SELECT id FROM sessions ORDER BY used_at DESC, id DESC LIMIT {MAX_SESSIONS - 1}"
    await tx.run(f"DELETE FROM sessions WHERE id NOT IN ({newest})")
    row = await tx.one(
        """INSERT INTO sessions (hash, scope, browser, token_id, created_at, used_at, expires_at)
           VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id""",
        digest,
        session.scope.value,
        session.browser,
        session.token_id,
        session.created_at,
        session.used_at,
        session.expires_at,
    )
    assert row is not None
    return msgspec.structs.replace(session, id=row[0])


async def by_hash(tx: Tx, digest: str, now: int) -> Session | None:
    """The live session whose text has this SHA-256."""
    row = await tx.one(f"{_LIVE} AND s.hash = ?", now, digest)
    return None if row is None else decode(row, Session, {})


async def live(tx: Tx, now: int) -> list[Session]:
    """Every live session, the last used first."""
    sql = f"{_LIVE} ORDER BY s.used_at DESC, s.id DESC LIMIT {MAX_SESSIONS}"
    return [decode(row, Session, {}) for row in await tx.all(sql, now)]


async def touch(tx: Tx, session_id: int, now: int) -> None:
    """Note that a session is used."""
    await tx.run("UPDATE sessions SET used_at = ? WHERE id = ? AND used_at < ?", now, session_id, now)


async def delete(tx: Tx, session_id: int) -> bool:
    """End a session; False where there is none."""
    return await tx.run("DELETE FROM sessions WHERE id = ?", session_id) > 0


async def delete_all(tx: Tx) -> None:
    """End every session and every link."""
    await tx.run("DELETE FROM sessions")
    await tx.run("DELETE FROM logins")
