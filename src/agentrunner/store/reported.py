"""The SQL of what programs said, word for word, of the runs that they report by a document's surface."""

from collections.abc import Sequence
from typing import Any

import msgspec

from agentrunner.store.base import Tx
from agentrunner.store.columns import decode, encode

_JSON: dict[str, type] = {"extra": dict[str, Any]}
_COLUMNS = ("run_id", "surface", "status", "error", "extra")
_NAMES = ", ".join(_COLUMNS)
_AT_ONCE = 1000
_PUT = f"""INSERT INTO reported ({_NAMES}) VALUES (?, ?, ?, ?, ?) ON CONFLICT (run_id)
           DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])}"""


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """A run's row: the surface by which it came, the status and the error as they were said, and what else was."""

    run_id: int
    surface: str
    status: str
    error: str | None = None
    extra: dict[str, Any] = {}


async def put(tx: Tx, reported: Reported) -> None:
    """Store a run's row, in the place of the one there is."""
    await tx.run(_PUT, *_values(reported))


async def insert(tx: Tx, rows: Sequence[Reported]) -> None:
    """Store the rows of new runs."""
    if rows:
        await tx.insert("reported", _NAMES, [_values(row) for row in rows])


def _values(reported: Reported) -> tuple[Any, ...]:
    return tuple(encode(getattr(reported, name)) for name in _COLUMNS)


async def get(tx: Tx, run_id: int) -> Reported | None:
    """A run's row; None where it did not come in by a surface."""
    row = await tx.one(f"SELECT {_NAMES} FROM reported WHERE run_id = ?", run_id)
    return None if row is None else decode(row, Reported, _JSON)


async def between(tx: Tx, surface: str, first: int, last: int) -> dict[int, Reported]:
    """The rows of one surface by run, of the runs with these ids and those between."""
    sql = f"SELECT {_NAMES} FROM reported WHERE run_id BETWEEN ? AND ? AND surface = ?"
    return {row["run_id"]: decode(row, Reported, _JSON) for row in await tx.all(sql, first, last, surface)}


async def by_runs(tx: Tx, surface: str, ids: Sequence[int]) -> dict[int, Reported]:
    """The rows of one surface by run, of some runs."""
    found: dict[int, Reported] = {}
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        sql = f"SELECT {_NAMES} FROM reported WHERE surface = ? AND run_id IN ({', '.join('?' * len(some))})"
        found |= {row["run_id"]: decode(row, Reported, _JSON) for row in await tx.all(sql, surface, *some)}
    return found
