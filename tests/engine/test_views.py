"""Saved views."""

import asyncio

import pytest

from agentrunner.domain.errors import InvalidField, NameTaken, NotFound, TooManyRequests
from agentrunner.domain.view import MAX_VIEWS, NewView, SavedView
from agentrunner.engine import views
from engine.world import START, World


async def test_a_view_is_kept_until_it_is_deleted(world: World) -> None:
    """With its query in the canonical form."""
    made = await views.create(world.s, NewView(name="bad nights", query="  STATUS:Failed since:48h"))
    assert made == SavedView(id=1, name="bad nights", query="status:failed since:2d", created_at=START)
    assert await views.page(world.s, 0, 10) == [made]
    await views.delete(world.s, "bad nights")
    assert await views.page(world.s, 0, 10) == []
    with pytest.raises(NotFound):
        await views.delete(world.s, "bad nights")


async def test_refusals(world: World) -> None:
    """A query that is none, and a name that is taken, also by one of several at once."""
    with pytest.raises(InvalidField, match="did you mean `failed`"):
        await views.create(world.s, NewView(name="a", query="status:faild"))
    new = NewView(name="a", query="x")
    made = await asyncio.gather(*(views.create(world.s, new) for _ in range(5)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in made) == ["NameTaken"] * 4 + ["SavedView"]
    with pytest.raises(NameTaken):
        await views.create(world.s, new)


async def test_how_many_there_may_be(world: World) -> None:
    """A bound; deleting makes room again."""
    names = [f"v{n}" for n in range(MAX_VIEWS)]
    await asyncio.gather(*(views.create(world.s, NewView(name=name, query="")) for name in names))
    with pytest.raises(TooManyRequests):
        await views.create(world.s, NewView(name="more", query=""))
    await views.delete(world.s, "v7")
    await views.create(world.s, NewView(name="more", query=""))
    assert [saved.name for saved in await views.page(world.s, MAX_VIEWS, 10)] == ["more"]
