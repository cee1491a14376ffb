"""Where sorted lists of ids meet: each is read newest first, a piece at a time, and skipped where others have nothing.

So a page of runs that meet several conditions costs about what its rarest condition does, however common the others.
"""

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

Fetch = Callable[[int, int], Awaitable[list[int]]]
"""Ids below one, as many as asked for at most, the newest first; empty where there is none left."""
_FIRST = 64
_MOST = 4096


class Ids(Protocol):
    """Ids in falling order."""

    async def at_most(self, top: int) -> int | None:
        """The newest that is not above `top`, which never rises from call to call; None where there is none."""
        ...


class Known:
    """Ids that are all there already, the newest first."""

    def __init__(self, ids: Sequence[int]) -> None:
        self._negated = [-each for each in ids]
        self._at = 0

    async def at_most(self, top: int) -> int | None:
        """The newest that is not above `top`."""
        self._at = bisect_left(self._negated, -top, lo=self._at)
        return -self._negated[self._at] if self._at < len(self._negated) else None


class Fetched:
    """Ids that are fetched as they are needed: few behind a jump, more and more where one is read after the other."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._piece = Known(())
        self._below = 0
        self._size = _FIRST
        self._is_over = False

    async def at_most(self, top: int) -> int | None:
        """The newest that is not above `top`."""
        if (found := await self._piece.at_most(top)) is not None or self._is_over:
            return found
        is_next = top + 1 == self._below
        self._size = min(self._size * 4, _MOST) if is_next else _FIRST
        ids = await self._fetch(top + 1, self._size)
        self._is_over = not ids
        self._piece = Known(ids)
        self._below = ids[-1] if ids else 0
        return await self._piece.at_most(top)


class AnyOf:
    """Ids that are in one list at least."""

    def __init__(self, lists: Sequence[Ids]) -> None:
        self._lists = lists

    async def at_most(self, top: int) -> int | None:
        """The newest of all that is not above `top`."""
        found = [each for ids in self._lists if (each := await ids.at_most(top)) is not None]
        return max(found, default=None)


async def meet(lists: Sequence[Ids], top: int) -> int | None:
    """The newest id not above `top` that is in every list; None where there is none."""
    while True:
        lowest = top
        for ids in lists:
            found = await ids.at_most(lowest)
            if found is None:
                return None
            lowest = found
        if lowest == top or len(lists) == 1:
            return lowest
        top = lowest


async def page(lists: Sequence[Ids], without: Sequence[Ids], top: int, limit: int) -> list[int]:
    """The newest ids not above `top` that are in every list and in none of `without`."""
    page: list[int] = []
    while len(page) < limit and (found := await meet(lists, top)) is not None:
        top = found - 1
        for ids in without:
            if await ids.at_most(found) == found:
                break
        else:
            page.append(found)
    return page
