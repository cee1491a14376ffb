"""Sums that are kept: found again by what they are made of, and made anew when any of it has changed."""

import pytest

from agentrunner.domain.rollup import FIELDS, Grain, Tally, one, total
from agentrunner.domain.stats import figures
from agentrunner.engine import rollups, sums
from agentrunner.store import rollups as stored
from agentrunner.store.base import Tx
from agentrunner.store.columns import encode
from agentrunner.store.rollups import Key, Sealed, Wanted
from engine.test_rollups import some_ends
from engine.world import World


async def _sealed(world: World) -> list[Sealed]:
    return await world.s.db.read(stored.sealed, Wanted(Grain.EVER, 0, 1))


async def test_the_sum_of_roll_ups(world: World) -> None:
    """It is what adding them gives, and the same object when it is asked for again."""
    await some_ends(world)
    kept = await rollups.read(world.s, rollups.Window(Grain.EVER, 0, 1))
    found = sums.of_rollups(await _sealed(world))
    assert found.tally == total(each.tally for each in kept)
    assert found.figures == figures(found.tally)
    assert sums.of_rollups(await _sealed(world)) is found
    parts = [sums.of_rollups([each]) for each in await _sealed(world)]
    assert sums.of_sums(parts).tally == found.tally
    assert sums.of_sums(parts) is sums.of_sums(parts)


@pytest.mark.parametrize("column", ["durations", "waits", "cost_micro", "last_seen"])
async def test_what_changes_is_seen(world: World, column: str) -> None:
    """One changed column of one roll-up, however it came about, makes another sum."""
    await some_ends(world)
    before = sums.of_rollups(await _sealed(world))
    changed = {"durations": '{"counts": {"7": 1}}', "waits": '{"counts": {"9": 4}}', "cost_micro": 99, "last_seen": 5}

    async def change(tx: Tx) -> None:
        await tx.run(f"UPDATE rollups SET {column} = ? WHERE grain = 'ever'", changed[column])

    grown = await world.rows(f"SELECT {column}, version_id FROM rollups WHERE grain = 'ever'")
    await world.s.db.write(change)
    assert sums.of_rollups(await _sealed(world)).tally != before.tally

    async def restore(tx: Tx) -> None:
        for value, version_id in grown:
            await tx.run(f"UPDATE rollups SET {column} = ? WHERE grain = 'ever' AND version_id = ?", value, version_id)

    await world.s.db.write(restore)
    assert sums.of_rollups(await _sealed(world)) is before


def test_only_so_many_are_kept() -> None:
    """The one that was not asked for longest goes first."""
    rows = [
        Sealed(Key(Grain.DAY, 0, 1, 1), _values(Tally(runs=n, timed=1, duration_ms=n, durations=one(n))))
        for n in range(sums.MOST + 1)
    ]
    first, second = (sums.of_rollups([row]) for row in rows[:2])
    for row in rows[2:-1]:
        sums.of_rollups([row])
    assert sums.of_rollups([rows[0]]) is first
    sums.of_rollups([rows[-1]])
    assert sums.of_rollups([rows[0]]) is first
    assert sums.of_rollups([rows[1]]) is not second


def _values(tally: Tally) -> tuple[object, ...]:
    return tuple(encode(getattr(tally, name)) for name in FIELDS)
