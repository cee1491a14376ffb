"""The SQL of roll-ups: what is kept of finished runs per version, project and stretch of time."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

from agentrunner.domain.rollup import FIELDS, Grain, Histogram, Tally
from agentrunner.store.base import Row, Tx
from agentrunner.store.columns import decode, encode, of_values

_JSON: dict[str, type] = {"durations": Histogram, "waits": Histogram}
_KEY = ("grain", "start", "version_id", "project_id")
_WHERE_KEY = " AND ".join(f"{name} = ?" for name in _KEY)
_COLUMNS = ", ".join(FIELDS)
_KEYS = len(_KEY)
_SELECT = f"SELECT {', '.join(_KEY)}, {_COLUMNS} FROM rollups"
_PUT = f"""INSERT INTO rollups ({", ".join(_KEY)}, {_COLUMNS}) VALUES ({", ".join("?" * (len(_KEY) + len(FIELDS)))})
           ON CONFLICT ({", ".join(_KEY)}) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in FIELDS)}"""
_MINUTES = "FROM rollups WHERE grain = 'minute' AND start < ? ORDER BY start LIMIT ?"
_SOME_MINUTES = {
    "sqlite": f"DELETE FROM rollups WHERE rowid IN (SELECT rowid {_MINUTES})",
    "postgres": f"DELETE FROM rollups WHERE ctid = ANY(ARRAY(SELECT ctid {_MINUTES}))",
}


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


class Sealed(NamedTuple):
    """A roll-up with its columns as they are stored, for whoever may not have to look into it."""

    key: Key
    values: tuple[Any, ...]


class Wanted(NamedTuple):
    """Which roll-ups: of stretches that began in [start, end); of some versions or of one project if said."""

    grain: Grain
    start: int
    end: int
    versions: Sequence[int] | None = None
    project_id: int | None = None


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


async def drop_minutes(tx: Tx, before: int, limit: int) -> int:
    """Delete up to `limit` roll-ups of minutes that began before a time, the oldest first; answers how many."""
    return await tx.run(_SOME_MINUTES[tx.dialect.name], before, limit)


async def count(tx: Tx, wanted: Wanted, most: int) -> int:
    """How many roll-ups `read` would find, counted up to `most`."""
    where, args = _where(wanted)
    row = await tx.one(f"SELECT count(*) FROM (SELECT 1 FROM rollups WHERE {where} LIMIT {int(most)}) AS found", *args)
    assert row is not None
    return int(row[0])


async def drop(tx: Tx, grain: Grain, start: int, end: int) -> int:
    """Delete the roll-ups of stretches that began in [start, end); answers how many."""
    return await tx.run("DELETE FROM rollups WHERE grain = ? AND start >= ? AND start < ?", grain.value, start, end)


async def read(
    tx: Tx, grain: Grain, start: int, end: int, versions: Sequence[int] | None = None, project_id: int | None = None
) -> list[Kept]:
    """The roll-ups of stretches that began in [start, end), oldest first; of some versions or one project if said."""
    where, args = _where(Wanted(grain, start, end, versions, project_id))
    return [_kept(row) for row in await tx.all(f"{_SELECT} WHERE {where} ORDER BY start LIMIT 200000", *args)]


async def sealed(tx: Tx, wanted: Wanted) -> list[Sealed]:
    """What `read` finds, each as it is stored; those of one stretch in the order of versions and projects."""
    where, args = _where(wanted)
    order = "start, version_id, project_id"
    rows = await tx.all(f"{_SELECT} WHERE {where} ORDER BY {order} LIMIT 200000", *args)
    found: list[tuple[Any, ...]] = [tuple(cast(Iterable[Any], row)) for row in rows]
    return [Sealed(Key(wanted.grain, *values[1:_KEYS]), values[_KEYS:]) for values in found]


def opened(found: Sealed) -> Tally:
    """The figures of a roll-up."""
    return of_values(dict(zip(FIELDS, found.values, strict=True)), Tally, _JSON)


def _where(wanted: Wanted) -> tuple[str, list[Any]]:
    where = ["grain = ?", "start >= ?", "start < ?"]
    args: list[Any] = [wanted.grain.value, wanted.start, wanted.end]
    if wanted.versions is not None:
        where.append(f"version_id IN ({', '.join('?' * len(wanted.versions))})" if wanted.versions else "1 = 0")
        args.extend(wanted.versions)
    if wanted.project_id is not None:
        where.append("project_id = ?")
        args.append(wanted.project_id)
    return " AND ".join(where), args


async def lock(tx: Tx) -> None:
    """Let no other transaction change a roll-up until the end of this one."""
    if tx.dialect.name == "postgres":
        await tx.run("LOCK TABLE rollups IN SHARE ROW EXCLUSIVE MODE")


async def versions(tx: Tx, first: int, limit: int) -> list[int]:
    """The ids of versions from `first` on that have a roll-up, 0 among them for the runs without one; in order."""
    # One step of the index per version: DISTINCT would read all their days.
    sql = "SELECT version_id FROM rollups WHERE version_id >= ? AND grain = 'day' ORDER BY version_id LIMIT 1"
    found: list[int] = []
    while len(found) < limit and (row := await tx.one(sql, first)) is not None:
        found.append(row[0])
        first = row[0] + 1
    return found


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
