"""Pages of short lists, the oldest first: what their routes have in common."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Protocol, TypeVar

from litestar.params import QueryParameter

from agentrunner.api import query
from agentrunner.engine.services import Services

Limit = Annotated[int, QueryParameter(ge=1, le=500)]
Cursor = Annotated[str | None, QueryParameter(max_length=100)]


class Numbered(Protocol):
    """Something with an id."""

    @property
    def id(self) -> int:
        """Its place in the list."""
        ...


N = TypeVar("N", bound=Numbered)
Read = Callable[[Services, int, int], Awaitable[list[N]]]


async def after(
    noun: str, read: Read[N], services: Services, cursor: str | None, limit: int
) -> tuple[list[N], str | None]:
    """What `read` finds behind a cursor, `limit` at most, and the cursor of the next page. Raises InvalidCursor."""
    found = await read(services, query.position(noun, cursor) or 0, limit + 1)
    following = query.cursor(noun, found[limit - 1].id) if len(found) > limit else None
    return found[:limit], following
