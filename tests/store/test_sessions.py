"""Links and sessions in both databases, and what a database says of its size."""

import asyncio

from agentrunner.domain.session import Session
from agentrunner.domain.token import Scope
from agentrunner.store import sessions, system, tokens
from agentrunner.store.base import Database, Tx

NOW = 1_000_000


def session(**fields: object) -> Session:
    """One that was made now."""
    given = {"scope": Scope.READ, "browser": "b", "token_id": None, "created_at": NOW, "used_at": NOW, **fields}
    return Session(id=0, expires_at=NOW + 100, **given)  # type: ignore[arg-type]


async def test_of_many_who_use_a_link_one_gets_in(database: Database) -> None:
    """At once or one after the other."""
    await database.write(sessions.put_login, "hash", Scope.ADMIN, NOW + 10)
    got = await asyncio.gather(*(database.write(sessions.take_login, "hash", NOW) for _ in range(10)))
    assert sorted(map(str, got)) == ["None"] * 9 + ["admin"]
    await database.write(sessions.put_login, "late", Scope.ADMIN, NOW)
    assert await database.write(sessions.take_login, "late", NOW) is None
    assert await database.write(sessions.count_logins, NOW) == 0


async def test_a_session_lives_until_its_end_or_its_tokens(database: Database) -> None:
    """Found by its hash as long as neither has come."""
    token = await database.write(tokens.insert, "t", "token", "read", NOW)
    made = await database.write(sessions.insert, "mine", session(token_id=token.id))
    other = await database.write(sessions.insert, "other", session(used_at=NOW + 1))
    assert await database.read(sessions.by_hash, "mine", NOW) == made
    assert [each.id for each in await database.read(sessions.live, NOW)] == [other.id, made.id]
    assert await database.read(sessions.by_hash, "mine", NOW + 100) is None
    await database.write(tokens.revoke, token.id, NOW)
    assert await database.read(sessions.by_hash, "mine", NOW) is None
    assert [each.id for each in await database.read(sessions.live, NOW)] == [other.id]
    await database.write(sessions.touch, other.id, NOW + 5)
    found = await database.read(sessions.by_hash, "other", NOW)
    assert found is not None
    assert found.used_at == NOW + 5
    assert await database.write(sessions.delete, other.id)
    assert not await database.write(sessions.delete, other.id)
    await database.write(sessions.delete_all)
    assert await database.read(sessions.live, NOW) == []


async def test_how_large_it_is(database: Database) -> None:
    """Its driver, schema and size; on SQLite its file too."""

    async def read(tx: Tx) -> tuple[str, system.Extent]:
        return tx.dialect.name, await system.extent(tx)

    name, found = await database.read(read)
    assert found.driver == name
    assert found.schema >= 10
    assert found.size > 4096
    assert (found.file is not None) == (name == "sqlite")
