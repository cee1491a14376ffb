"""The SQL of workers."""

from collections.abc import Sequence

import msgspec

from agentrunner.domain.control import Program
from agentrunner.domain.worker import Worker
from agentrunner.store.base import Tx
from agentrunner.store.columns import decode, encode

_JSON: dict[str, type] = {"backends": list[str], "limits": dict[str, str | None], "programs": dict[str, Program]}
_COLUMNS = Worker.__struct_fields__
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM workers"


class Claimed(msgspec.Struct, frozen=True):
    """The answer last given to a worker's claim: its `claim_id` and pairs of run and attempt."""

    claim_id: str
    runs: list[tuple[int, int]]


async def put(tx: Tx, worker: Worker) -> None:
    """Store a worker that registers, new or known; what it found of programs stays until it says so again."""
    updates = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name not in ("id", "programs"))
    sql = f"""INSERT INTO workers ({", ".join(_COLUMNS)}) VALUES ({", ".join("?" * len(_COLUMNS))})
              ON CONFLICT (id) DO UPDATE SET {updates}, reachable = 1, claim_id = NULL, claim_runs = NULL"""
    await tx.run(sql, *(encode(getattr(worker, name)) for name in _COLUMNS))


async def lock(tx: Tx, worker_id: str) -> Worker | None:
    """One worker, to be changed in this transaction."""
    row = await tx.one(f"{_SELECT} WHERE id = ? {tx.dialect.lock_row}", worker_id)
    return None if row is None else decode(row, Worker, _JSON)


async def get(tx: Tx, worker_id: str) -> Worker | None:
    """One worker."""
    row = await tx.one(f"{_SELECT} WHERE id = ?", worker_id)
    return None if row is None else decode(row, Worker, _JSON)


async def all(tx: Tx) -> list[Worker]:
    """Every worker, at most 10,000, the last heard first."""
    rows = await tx.all(f"{_SELECT} ORDER BY heard_at DESC, id LIMIT 10000")
    return [decode(row, Worker, _JSON) for row in rows]


async def hear(tx: Tx, worker_id: str, running: int, now: int) -> bool:
    """Note a sign of life; answers whether the worker had been unreachable."""
    row = await tx.one(f"SELECT reachable FROM workers WHERE id = ? {tx.dialect.lock_row}", worker_id)
    sql = "UPDATE workers SET heard_at = ?, running = ?, reachable = 1 WHERE id = ?"
    await tx.run(sql, now, running, worker_id)
    return row is not None and not row[0]


async def found(tx: Tx, worker_id: str, programs: dict[str, Program]) -> None:
    """Keep what a worker found of its backends."""
    await tx.run("UPDATE workers SET programs = ? WHERE id = ?", encode(programs), worker_id)


async def silent(tx: Tx, heard_before: int) -> list[str]:
    """Ids of the workers last heard before a time for which something is still to be done; at most 1,000."""
    sql = """SELECT w.id FROM workers w WHERE w.heard_at < ? AND (w.reachable = 1 OR EXISTS (
                 SELECT 1 FROM runs r
                 WHERE r.worker_id = w.id AND r.status IN ('RUNNING', 'PAUSED') AND r.on_lost <> 'wait'))
             ORDER BY w.id LIMIT 1000"""
    return [row[0] for row in await tx.all(sql, heard_before)]


async def is_reachable(tx: Tx, worker_id: str) -> bool:
    """False once the worker's runs were marked unreachable."""
    row = await tx.one("SELECT reachable FROM workers WHERE id = ?", worker_id)
    return row is not None and bool(row[0])


async def mark_unreachable(tx: Tx, worker_id: str) -> None:
    """The worker's lease is over."""
    await tx.run("UPDATE workers SET reachable = 0 WHERE id = ?", worker_id)


async def hear_all(tx: Tx, now: int) -> None:
    """Count the silence of every worker from now: the time a server was away is not the workers' silence."""
    await tx.run("UPDATE workers SET heard_at = ?", now)


async def claimed(tx: Tx, worker_id: str) -> Claimed | None:
    """The last claim of a worker."""
    row = await tx.one("SELECT claim_id, claim_runs FROM workers WHERE id = ?", worker_id)
    if row is None or row[0] is None:
        return None
    return Claimed(row[0], msgspec.json.decode(row[1], type=list[tuple[int, int]]))


async def remember_claim(tx: Tx, worker_id: str, claim_id: str, runs: Sequence[tuple[int, int]]) -> None:
    """Keep the answer to a claim, so that repeating the claim repeats it."""
    text = msgspec.json.encode(list(runs)).decode()
    await tx.run("UPDATE workers SET claim_id = ?, claim_runs = ? WHERE id = ?", claim_id, text, worker_id)
