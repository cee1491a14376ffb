"""Pages of lists: what their routes have in common."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Protocol, TypeVar

from litestar.params import QueryParameter

from agentrunner.api import query
from agentrunner.engine.services import Services

PAGE_BYTES = 4 * 1024 * 1024
"""About as much is in one page: whatever is behind it has a page of its own."""
READ = 100
"""How many items are read at once: what they need in memory is bounded, however large each is."""

Limit = Annotated[int, QueryParameter(ge=1, le=500)]
Cursor = Annotated[str | None, QueryParameter(max_length=100)]


class Numbered(Protocol):
    """Something with an id."""

    @property
    def id(self) -> int:
        """Its place in the list."""
        ...


T = TypeVar("T")
N = TypeVar("N", bound=Numbered)
Read = Callable[[Services, int, int], Awaitable[list[N]]]


async def after(
    noun: str, read: Read[N], services: Services, cursor: str | None, limit: int
) -> tuple[list[N], str | None]:
    """What `read` finds behind a cursor, `limit` at most, and the cursor of the next page. Raises InvalidCursor."""
    found = await read(services, query.position(noun, cursor) or 0, limit + 1)
    following = query.cursor(noun, found[limit - 1].id) if len(found) > limit else None
    return found[:limit], following


async def gather(
    read: Callable[[Sequence[T], int], Awaitable[Sequence[T]]], show: Callable[[T], bytes | None], limit: int
) -> tuple[list[bytes], list[T]]:
    """What `read` finds behind those it is given (none: from the first on), as `show` writes it, where it does.

    At most `limit` items, and no further one behind 4 MiB. With them comes the last that was looked at, where there are
    more behind it, else nothing.
    """
    items: list[bytes] = []
    size, seen, count = 0, list[T](), min(READ, limit)
    while True:
        # One more than is looked at says whether more are behind.
        found = await read(seen, count + 1)
        for each in found[:count]:
            if len(items) >= limit or size >= PAGE_BYTES:
                return items, seen
            seen = [each]
            if (item := show(each)) is not None:
                items.append(item)
                size += len(item)
        if len(found) <= count:
            return items, []
        if len(items) >= limit:
            return items, seen
        count = READ
