"""The SQL of roll-ups: what is kept of finished runs per version, project and stretch of time."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from agentrunner.domain.rollup import FIELDS, Grain, Histogram, Tally
from agentrunner.store.base import Row, Tx
from agentrunner.store.columns import decode, encode

_JSON: dict[str, type] = {"durations": Histogram, "waits": Histogram}
_KEY = ("grain", "start", "version_id", "project_id")
_WHERE_KEY = " AND ".join(f"{name} = ?" for name in _KEY)
_COLUMNS = ", ".join(FIELDS)
_PUT = f"""INSERT INTO rollups ({", ".join(_KEY)}, {_COLUMNS}) VALUES ({", ".join("?" * (len(_KEY) + len(FIELDS)))})
           ON CONFLICT ({", ".join(_KEY)}) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in FIELDS)}"""


class Key(NamedTuple):
    """Which roll-up: the grain, when the stretch began (ms), the version (0: none) and the project."""

    grain: Grain
    start: int
    version_id: int
    project_id: int


class Kept(NamedTuple):
    """A roll-up as stored."""

    key: Key
    tally: Tally


async def add(tx: Tx, changes: Iterable[tuple[Key, Tally]]) -> None:
    """Add to roll-ups, in the order of their keys so that two transactions never wait for each other."""
    for key, more in sorted(changes, key=lambda change: change[0]):
        # Made first where it is new: only a row that is there can be locked until the end of the transaction.
        if (known := await _locked(tx, key)) is None:
            await put(tx, key, Tally(), replace=False)
            known = await _locked(tx, key)
            assert known is not None
        await put(tx, key, known.plus(more))


async def _locked(tx: Tx, key: Key) -> Tally | None:
    row = await tx.one(f"SELECT {_COLUMNS} FROM rollups WHERE {_WHERE_KEY} {tx.dialect.lock_row}", *_values(key))
    return None if row is None else decode(row, Tally, _JSON)


async def put(tx: Tx, key: Key, tally: Tally, *, replace: bool = True) -> None:
    """Store a roll-up; with `replace` in the place of the one that is there."""
    sql = _PUT if replace else f"{_PUT.partition('DO UPDATE')[0]} DO NOTHING"
    await tx.run(sql, *_values(key), *(encode(getattr(tally, name)) for name in FIELDS))


async def drop(tx: Tx, grain: Grain, start: int, end: int) -> int:
    """Delete the roll-ups of stretches that began in [start, end); answers how many."""
    return await tx.run("DELETE FROM rollups WHERE grain = ? AND start >= ? AND start < ?", grain.value, start, end)


async def read(
    tx: Tx, grain: Grain, start: int, end: int, versions: Sequence[int] | None = None, project_id: int | None = None
) -> list[Kept]:
    """The roll-ups of stretches that began in [start, end), oldest first; of some versions or one project if said."""
    where = ["grain = ?", "start >= ?", "start < ?"]
    args: list[Any] = [grain.value, start, end]
    if versions is not None and not versions:
        return []
    if versions is not None:
        where.append(f"version_id IN ({', '.join('?' * len(versions))})")
        args.extend(versions)
    if project_id is not None:
        where.append("project_id = ?")
        args.append(project_id)
    sql = f"SELECT {', '.join(_KEY)}, {_COLUMNS} FROM rollups WHERE {' AND '.join(where)} ORDER BY start LIMIT 200000"
    return [_kept(row) for row in await tx.all(sql, *args)]


async def lock(tx: Tx) -> None:
    """Let no other transaction change a roll-up until the end of this one."""
    if tx.dialect.name == "postgres":
        await tx.run("LOCK TABLE rollups IN SHARE ROW EXCLUSIVE MODE")


async def versions(tx: Tx) -> list[int]:
    """The ids of the versions that have a roll-up, 0 among them for the runs without one."""
    rows = await tx.all("SELECT DISTINCT version_id FROM rollups WHERE grain = 'day' ORDER BY version_id LIMIT 1000000")
    return [row[0] for row in rows]


async def hours(tx: Tx, after: int, limit: int) -> list[int]:
    """When the hours behind `after` began in which a run has ended, oldest first."""
    sql = """SELECT ended_at FROM runs WHERE ended_at >= ? ORDER BY ended_at, id LIMIT 1"""
    found: list[int] = []
    while len(found) < limit and (row := await tx.one(sql, after)) is not None:
        found.append(row[0] - row[0] % 3_600_000)
        after = found[-1] + 3_600_000
    return found


def _kept(row: Row) -> Kept:
    key = Key(Grain(row["grain"]), row["start"], row["version_id"], row["project_id"])
    return Kept(key, decode(row, Tally, _JSON))


def _values(key: Key) -> tuple[object, ...]:
    return (key.grain.value, *key[1:])
