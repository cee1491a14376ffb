"""Saved views over HTTP."""

from typing import Annotated

import msgspec
from litestar import delete, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from agentrunner.api import query
from agentrunner.api.routes import Given
from agentrunner.domain.token import Scope
from agentrunner.domain.view import NewView, SavedViewView, view
from agentrunner.engine import views

_NOUN = "views"


class ViewPage(msgspec.Struct, frozen=True, kw_only=True):
    """Views, the oldest first. `next_cursor` goes into `cursor` for the next page; null on the last."""

    items: list[SavedViewView]
    next_cursor: str | None


@get("/v1/views", opt={"scope": Scope.READ}, summary="List saved views")
async def page(
    context: Given,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
    cursor: Annotated[str | None, QueryParameter(max_length=100)] = None,
) -> ViewPage:
    """Queries with a name, the oldest first."""
    found = await views.page(context.services, query.position(_NOUN, cursor) or 0, limit + 1)
    following = query.cursor(_NOUN, found[limit - 1].id) if len(found) > limit else None
    return ViewPage(items=[view(each) for each in found[:limit]], next_cursor=following)


@post("/v1/views", opt={"scope": Scope.ADMIN}, summary="Save a view")
async def create(context: Given, data: JSONBody[NewView]) -> SavedViewView:
    """A query with a name; the query is answered in its canonical form."""
    return view(await views.create(context.services, data))


@delete("/v1/views/{name:str}", opt={"scope": Scope.ADMIN}, summary="Delete a view")
async def remove(context: Given, name: FromPath[str]) -> None:
    """Forget a query; runs are not touched."""
    await views.delete(context.services, name)


HANDLERS = [page, create, remove]
