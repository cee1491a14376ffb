"""Saved views over HTTP."""

import msgspec
from litestar import delete, get, post
from litestar.params import FromPath, JSONBody

from agentrunner.api.pages import Cursor, Limit, after
from agentrunner.api.routes import Given
from agentrunner.domain.token import Scope
from agentrunner.domain.view import NewView, SavedViewView, view
from agentrunner.engine import views


class ViewPage(msgspec.Struct, frozen=True, kw_only=True):
    """Views, the oldest first. `next_cursor` goes into `cursor` for the next page; null on the last."""

    items: list[SavedViewView]
    next_cursor: str | None


@get("/v1/views", opt={"scope": Scope.READ}, summary="List saved views")
async def page(context: Given, limit: Limit = 100, cursor: Cursor = None) -> ViewPage:
    """Queries with a name, the oldest first."""
    found, following = await after("views", views.page, context.services, cursor, limit)
    return ViewPage(items=[view(each) for each in found], next_cursor=following)


@post("/v1/views", opt={"scope": Scope.ADMIN}, summary="Save a view")
async def create(context: Given, data: JSONBody[NewView]) -> SavedViewView:
    """A query with a name; the query is answered in its canonical form."""
    return view(await views.create(context.services, data))


@delete("/v1/views/{name:str}", opt={"scope": Scope.ADMIN}, summary="Delete a view")
async def remove(context: Given, name: FromPath[str]) -> None:
    """Forget a query; runs are not touched."""
    await views.delete(context.services, name)


HANDLERS = [page, create, remove]
