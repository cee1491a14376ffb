"""Use cases of saved views."""

from agentrunner.domain import query
from agentrunner.domain.errors import NameTaken, NotFound, TooManyRequests
from agentrunner.domain.view import MAX_VIEWS, NewView, SavedView
from agentrunner.engine.services import Services
from agentrunner.store import views
from agentrunner.store.base import Tx


async def create(s: Services, new: NewView) -> SavedView:
    """Save a view. Raises InvalidField for a query that is none, NameTaken, TooManyRequests."""
    return await s.db.write(_create, new.name, str(query.parse(new.query)), s.clock())


async def _create(tx: Tx, name: str, text: str, now: int) -> SavedView:
    if await views.count(tx) >= MAX_VIEWS:
        raise TooManyRequests(f"There are {MAX_VIEWS} views already; delete one first.")
    made = await views.insert(tx, name, text, now)
    if made is None:
        raise NameTaken(f"There is a view called {name!r} already; delete it first to change it.")
    return made


async def page(s: Services, after: int, limit: int) -> list[SavedView]:
    """Views behind an id, the oldest first."""
    return await s.db.read(views.page, after, limit)


async def delete(s: Services, name: str) -> None:
    """Remove a view. Raises NotFound."""
    await s.db.write(_delete, name)


async def _delete(tx: Tx, name: str) -> None:
    if not await views.delete(tx, name):
        raise NotFound(f"There is no view called {name!r}.")
