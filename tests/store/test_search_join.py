"""Where lists of ids meet: the same as sets would say, at the price of the rarest list."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from agentrunner.store.search_join import AnyOf, Fetched, Ids, Known, page

SETS = st.sets(st.integers(1, 300))


class Table:
    """Ids that are fetched, counting how many."""

    def __init__(self, ids: Sequence[int], at_most: int = 10_000) -> None:
        self._ids = sorted(ids, reverse=True)
        self._at_most = at_most
        self.calls = self.rows = 0

    async def fetch(self, below: int, limit: int) -> list[int]:
        """Ids below one; perhaps fewer than asked for."""
        found = [each for each in self._ids if each < below][: min(limit, self._at_most)]
        self.calls += 1
        self.rows += len(found)
        return found


@given(st.lists(SETS, min_size=1, max_size=4), st.lists(SETS, max_size=2), st.integers(0, 320), st.integers(1, 50))
async def test_it_is_what_sets_say(lists: list[set[int]], without: list[set[int]], top: int, limit: int) -> None:
    """For known and fetched lists, in pieces of any size."""
    met = set.intersection(*lists).difference(*without)
    wanted = sorted((each for each in met if each <= top), reverse=True)[:limit]
    for size in (1, 3, 10_000):
        ids: list[Ids] = [
            Known(sorted(each, reverse=True)) if number % 2 else Fetched(Table(sorted(each), size).fetch)
            for number, each in enumerate(lists)
        ]
        others = [Fetched(Table(sorted(each), size).fetch) for each in without]
        assert await page(ids, others, top, limit) == wanted


@given(st.lists(SETS, max_size=4))
async def test_alternatives(lists: list[set[int]]) -> None:
    """What is in several is there once."""
    ids = AnyOf([Fetched(Table(sorted(each)).fetch) for each in lists])
    assert await page([ids], [], 1000, 1000) == sorted(set().union(*lists), reverse=True)


async def test_a_rare_list_makes_a_common_one_cheap() -> None:
    """Of a hundred thousand only a few pieces are fetched."""
    common, rare = Table(range(100_000)), Table([7, 50_000, 99_000])
    assert await page([Fetched(common.fetch), Fetched(rare.fetch)], [], 10**9, 50) == [99_000, 50_000, 7]
    assert common.rows < 1000
    assert common.calls < 10


async def test_an_empty_list_ends_it() -> None:
    """Whatever the others have."""
    common = Table(range(100_000))
    assert await page([Fetched(common.fetch), Known(())], [], 10**9, 50) == []
    assert common.calls <= 1
