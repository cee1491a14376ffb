"""Tokens: made once, shown once, stored as a hash."""

import pytest

from agentrunner.domain.errors import NotFound
from agentrunner.domain.token import PREFIX, Scope
from agentrunner.engine import tokens
from engine.world import World


@pytest.mark.parametrize("scope", Scope)
async def test_a_token_opens_its_scope(world: World, scope: Scope) -> None:
    """Its text is answered once; the database has only the hash."""
    token, text = await tokens.create(world.s, "mine", scope)
    assert text.startswith(PREFIX)
    assert len(text) > 40
    assert await tokens.authenticate(world.s, text) is scope
    assert [(item.id, item.name, item.scope, item.revoked_at) for item in await tokens.all(world.s)] == [
        (token.id, "mine", scope.value, None)
    ]
    stored = await world.rows("SELECT * FROM tokens")
    assert text not in repr([tuple(row) for row in stored])


@pytest.mark.parametrize("text", ["", "ar_", "x" * 1000, "ar_\x00", "ar_'; DROP TABLE tokens; --"])
async def test_anything_else_opens_nothing(world: World, text: str) -> None:
    """Unknown texts are just unknown."""
    await tokens.create(world.s, "mine", Scope.ADMIN)
    assert await tokens.authenticate(world.s, text) is None


def test_texts_differ() -> None:
    """256 random bits."""
    assert len({tokens.generate() for _ in range(1000)}) == 1000


async def test_revoking(world: World) -> None:
    """From then on it opens nothing; a second time there is nothing to revoke."""
    token, text = await tokens.create(world.s, "mine", Scope.READ)
    _, kept = await tokens.create(world.s, "kept", Scope.READ)
    await tokens.revoke(world.s, token.id)
    assert await tokens.authenticate(world.s, text) is None
    assert await tokens.authenticate(world.s, kept) is Scope.READ
    for gone in (token.id, 4711):
        with pytest.raises(NotFound):
            await tokens.revoke(world.s, gone)


async def test_the_token_of_a_file(world: World) -> None:
    """Known after the first start, not stored again at the second."""
    text = tokens.generate()
    for _ in range(2):
        assert await tokens.ensure(world.s, "token", Scope.ADMIN, text)
    assert await tokens.authenticate(world.s, text) is Scope.ADMIN
    assert len(await tokens.all(world.s)) == 1


async def test_a_revoked_token_of_a_file(world: World) -> None:
    """It stays revoked, and the server starts all the same."""
    text = tokens.generate()
    await tokens.ensure(world.s, "token", Scope.ADMIN, text)
    [token] = await tokens.all(world.s)
    await tokens.revoke(world.s, token.id)
    assert not await tokens.ensure(world.s, "token", Scope.ADMIN, text)
    assert await tokens.authenticate(world.s, text) is None
