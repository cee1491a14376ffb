"""Lists: a page as the server answers it, and every item of all pages."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

if TYPE_CHECKING:
    from agentrunner.client.http import Http

T = TypeVar("T")
Params = tuple[tuple[str, str], ...]


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """Some items; `next_cursor` asks for the following ones, null on the last page."""

    items: list[T]
    next_cursor: str | int | None


def each(http: "Http", path: str, kind: type[Page[T]], params: Params, cursor: str = "cursor") -> Iterator[T]:
    """Every item, page after page; `cursor` is the parameter that the next page's cursor goes into."""
    following: str | int | None = None
    while True:
        asked = params if following is None else (*((n, v) for n, v in params if n != cursor), (cursor, str(following)))
        page = http.get(path, kind, asked)
        yield from page.items
        if page.next_cursor is None or page.next_cursor == following:
            return
        following = page.next_cursor
