"""The SQL of samples: points of a run's timeline of CPU and memory, and its totals."""

from collections.abc import Sequence

import msgspec

from agentrunner.domain.sample import MOST_POINTS, Sample, Taken, Totals
from agentrunner.store.base import Tx

_TOTALS = Totals.__struct_fields__
_POINT = ("attempt", "at", "cpu_us", "memory_bytes", "processes")


async def sampled(tx: Tx, worker_id: str) -> dict[int, int]:
    """The active runs of a worker, with the attempt that each is in."""
    sql = "SELECT id, attempt FROM runs WHERE worker_id = ? AND status IN ('RUNNING', 'PAUSED')"
    return {row[0]: row[1] for row in await tx.all(sql, worker_id)}


async def totals(tx: Tx, run_ids: Sequence[int]) -> dict[int, Totals]:
    """The totals of runs, where there are any; they are about to change."""
    if not run_ids:
        return {}
    marks = ", ".join("?" * len(run_ids))
    sql = f"SELECT {', '.join(_TOTALS)} FROM sample_totals WHERE run_id IN ({marks}) ORDER BY run_id"
    rows = await tx.all(f"{sql} {tx.dialect.lock_row}", *run_ids)
    return {row["run_id"]: Totals(**{name: row[name] for name in _TOTALS}) for row in rows}


async def put_totals(tx: Tx, found: Sequence[Totals]) -> None:
    """Store totals, new or known."""
    updates = ", ".join(f"{name} = excluded.{name}" for name in _TOTALS if name != "run_id")
    sql = f"""INSERT INTO sample_totals ({", ".join(_TOTALS)}) VALUES ({", ".join("?" * len(_TOTALS))})
              ON CONFLICT (run_id) DO UPDATE SET {updates}"""
    await tx.many(sql, [msgspec.structs.astuple(totals) for totals in found])


async def add(tx: Tx, taken: Sequence[Taken], at: int) -> None:
    """Keep samples as points."""
    rows = [(item.run_id, item.attempt, at, item.cpu_us, item.memory_bytes, item.processes) for item in taken]
    sql = f"INSERT INTO samples (run_id, {', '.join(_POINT)}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
    await tx.many(sql, rows)


async def thin(tx: Tx, run_id: int) -> int:
    """Drop every other point of a run; answers how many."""
    sql = """DELETE FROM samples WHERE run_id = ? AND at IN (SELECT at FROM (
                 SELECT at, row_number() OVER (ORDER BY at) AS place FROM samples WHERE run_id = ?
             ) AS numbered WHERE place % 2 = 0)"""
    return await tx.run(sql, run_id, run_id)


async def of_run(tx: Tx, run_id: int) -> tuple[Totals | None, list[Sample]]:
    """The totals and the points of a run, in order."""
    row = await tx.one(f"SELECT {', '.join(_TOTALS)} FROM sample_totals WHERE run_id = ?", run_id)
    sql = f"SELECT {', '.join(_POINT)} FROM samples WHERE run_id = ? ORDER BY at LIMIT {2 * MOST_POINTS}"
    points = [Sample(**{name: point[name] for name in _POINT}) for point in await tx.all(sql, run_id)]
    return (None if row is None else Totals(**{name: row[name] for name in _TOTALS})), points
