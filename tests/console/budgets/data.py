"""What the budgets are measured on: a database as years of use leave it, and two very long runs in it."""

import asyncio
from pathlib import Path

from size import cost, rows

LONG, HUGE = 100_000, 1_000_000
SAID = "line {} of a long story"


def fill(place: Path, runs: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Fill a data directory; a run with 100,000 events and one with 1,000,000: id and last line of each."""
    place.chmod(0o700)
    huge = asyncio.run(cost.prepare(place))
    database = place / "agentrunner.db"
    long = huge + 1
    rows.fill(database, huge, long, runs)
    rows.fill_events(database, long, LONG)
    rows.fill_events(database, huge, HUGE)
    asyncio.run(_index(place))
    return (long, _last(database, long)), (huge, _last(database, huge))


async def _index(place: Path) -> None:
    # A server would do it meanwhile, and what is measured would be that.
    world = await cost.open_world(place)
    await cost.index(world)
    await world.s.db.stop()


def _last(database: Path, run_id: int) -> int:
    with rows.opened(database) as connection:
        return int(connection.execute("SELECT last_seq FROM runs WHERE id = ?", (run_id,)).fetchone()[0])
