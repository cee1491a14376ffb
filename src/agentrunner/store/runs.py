"""The SQL of runs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from agentrunner.domain.retry import RetryPolicy
from agentrunner.domain.run import Limits, Run, Usage
from agentrunner.domain.state import Status
from agentrunner.domain.worker import Worker, lacking
from agentrunner.store import search_page
from agentrunner.store.base import Tx
from agentrunner.store.columns import decode, encode, of_values
from agentrunner.store.query import plan_of

RunRow = tuple[Any, ...]
"""A run as it lies in the database: two that are equal are the same run as it was at the same time."""

MOST_AHEAD = 1000
"""Further nobody counts who is ahead in the queue: it may hold a million."""
_JSON: dict[str, type] = {
    "options": dict[str, Any],
    "limits": Limits,
    "retry": RetryPolicy,
    "usage": Usage,
    "labels": dict[str, str],
    "metadata": dict[str, Any],
}
_COLUMNS = tuple(name for name in Run.__struct_fields__ if name not in {"id", "project"})
_NAMES = ("id", "project", *_COLUMNS)
_SELECT = f"SELECT r.id, p.name AS project, {', '.join('r.' + name for name in _COLUMNS)}"
_AT_ONCE = (500, 20, 1)
_ADVANCE = """UPDATE runs SET last_seq = last_seq + ? WHERE id = ? AND status IN ('QUEUED', 'RUNNING', 'PAUSED')
              RETURNING last_seq, attempt"""
_FROM = "FROM runs r JOIN projects p ON p.id = r.project_id"


async def insert(tx: Tx, run: Run) -> Run | None:
    """Store a new run; answers it with its id, or None where its `external_id` is taken."""
    sql = f"""INSERT INTO runs ({", ".join(_COLUMNS)}) VALUES ({", ".join("?" * len(_COLUMNS))})
              ON CONFLICT (external_id) DO NOTHING RETURNING id"""
    row = await tx.one(sql, *(encode(getattr(run, name)) for name in _COLUMNS))
    if row is None:
        return None
    if run.labels:
        labels = [(name, value, row[0]) for name, value in run.labels.items()]
        await tx.many("INSERT INTO labels (name, value, run_id) VALUES (?, ?, ?)", labels)
    return msgspec.structs.replace(run, id=row[0])


async def insert_all(tx: Tx, new: Sequence[Run]) -> list[int]:
    """Store new runs that have neither an `external_id` nor labels; answers their ids, which rise in their order."""
    ids: list[int] = []
    for size in _AT_ONCE:
        row = f"({', '.join('?' * len(_COLUMNS))})"
        sql = f"INSERT INTO runs ({', '.join(_COLUMNS)}) VALUES {', '.join([row] * size)} RETURNING id"
        while len(new) - len(ids) >= size:
            some = new[len(ids) : len(ids) + size]
            stored = await tx.all(sql, *(encode(getattr(run, name)) for run in some for name in _COLUMNS))
            ids += sorted(each[0] for each in stored)
    return ids


async def update(tx: Tx, changes: Sequence[tuple[int, Mapping[str, Any]]]) -> None:
    """Set some fields of some runs, named as in `Run`; those that set the same ones travel together."""
    together: dict[tuple[str, ...], list[list[Any]]] = {}
    for run_id, fields in changes:
        together.setdefault(tuple(fields), []).append([*map(encode, fields.values()), run_id])
    for names, rows in together.items():
        sql = f"UPDATE runs SET {', '.join(f'{name} = ?' for name in names)} WHERE id = ?"
        if len(rows) == 1:
            await tx.run(sql, *rows[0])
        else:
            await tx.many(sql, rows)


async def advance(tx: Tx, run_id: int, count: int) -> tuple[int, int] | None:
    """Make room for `count` events of a run that is not over: its last `seq` then, and its attempt; else None."""
    row = await tx.one(_ADVANCE, count, run_id)
    return None if row is None else (row[0], row[1])


async def get(tx: Tx, run_id: int) -> Run | None:
    """One run."""
    row = await tx.one(f"{_SELECT} {_FROM} WHERE r.id = ?", run_id)
    return None if row is None else decode(row, Run, _JSON)


async def lock(tx: Tx, run_id: int) -> Run | None:
    """One run, to be changed in this transaction: nobody else changes it before the end."""
    lock = f"{tx.dialect.lock_row} OF r" if tx.dialect.lock_row else ""
    row = await tx.one(f"{_SELECT} {_FROM} WHERE r.id = ? {lock}", run_id)
    return None if row is None else decode(row, Run, _JSON)


async def lock_all(tx: Tx, ids: Sequence[int]) -> list[Run]:
    """The same for several, in the order of their ids; one that is gone is left out."""
    lock = f"{tx.dialect.lock_row} OF r" if tx.dialect.lock_row else ""
    rows = await tx.all(f"{_SELECT} {_FROM} WHERE r.id IN ({_marks(ids)}) ORDER BY r.id {lock}", *ids)
    return [decode(row, Run, _JSON) for row in rows]


async def of_version(tx: Tx, agent: str, version: str, before: tuple[int, int], limit: int) -> list[tuple[int, int]]:
    """When the newest runs of a version before (created_at, id) were created, and their ids."""
    sql = f"""SELECT created_at, id FROM runs WHERE agent = ? AND agent_version = ? AND (created_at, id) < (?, ?)
              ORDER BY created_at DESC, id DESC LIMIT {int(limit)}"""
    return [(row[0], row[1]) for row in await tx.all(sql, agent, version, *before)]


async def newest(tx: Tx, limit: int) -> list[Run]:
    """The runs that were created last, the newest first."""
    rows = await tx.all(f"{_SELECT} {_FROM} ORDER BY r.created_at DESC, r.id DESC LIMIT {int(limit)}")
    return [decode(row, Run, _JSON) for row in rows]


async def by_external_id(tx: Tx, external_id: str) -> Run | None:
    """The run with the id that a client chose."""
    row = await tx.one(f"{_SELECT} {_FROM} WHERE r.external_id = ?", external_id)
    return None if row is None else decode(row, Run, _JSON)


async def by_ids(tx: Tx, ids: Sequence[int]) -> list[Run]:
    """Several runs, in the order of their ids."""
    if not ids:
        return []
    rows = await tx.all(f"{_SELECT} {_FROM} WHERE r.id IN ({_marks(ids)}) ORDER BY r.id", *ids)
    return [decode(row, Run, _JSON) for row in rows]


async def page(tx: Tx, filters: Mapping[str, Any], before: int | None, limit: int) -> list[RunRow]:
    """The newest runs below id `before`, as rows, which `of_row` makes runs of.

    `filters` are column values, `labels` pairs, `text` to find, and a `query` that counts from the instant `now`.
    """
    plan = plan_of(filters)
    if plan.is_empty:
        below, args = ("", []) if before is None else ("WHERE r.id < ?", [before])
        newest = f"{below} ORDER BY r.id DESC LIMIT {int(limit)}"
    elif args := await search_page.find(tx, plan, before, limit):
        newest = f"WHERE r.id IN ({_marks(args)}) ORDER BY r.id DESC"
    else:
        return []
    return [tuple(row) for row in await tx.all(f"{_SELECT} {_FROM} {newest}", *args)]  # type: ignore[arg-type]


def of_row(row: RunRow) -> Run:
    """The run of a row."""
    return of_values(dict(zip(_NAMES, row, strict=True)), Run, _JSON)


async def page_ids(tx: Tx, filters: Mapping[str, Any], before: int | None, limit: int) -> list[int]:
    """The ids of the same runs."""
    return await search_page.find(tx, plan_of(filters), before, limit)


async def queued(tx: Tx, now: int, worker: Worker, capped: Mapping[str, Sequence[Any]], limit: int) -> list[int]:
    """Ids of the runs that may start on a worker, best first: it has their backend and enforces their limits.

    `capped` are the values per column that may not. A run that has a worker before it starts needs that one.
    """
    backends = worker.backends
    ready = "(hold IS NULL OR (hold = 'not_before' AND hold_until <= ?))"
    where = ["status = 'QUEUED'", ready, f"backend IN ({_marks(backends)})", "(worker_id IS NULL OR worker_id = ?)"]
    args: list[Any] = [now, *backends, worker.id]
    for name in lacking(worker):
        # A limit that is not set is not in the text.
        where.append("limits NOT LIKE ?")
        args.append(f'%"{name}"%')
    for column, values in capped.items():
        if values:
            where.append(f"({column} IS NULL OR {column} NOT IN ({_marks(values)}))")
            args.extend(values)
    sql = f"SELECT id FROM runs WHERE {' AND '.join(where)} ORDER BY priority DESC, id LIMIT {int(limit)}"
    return [row[0] for row in await tx.all(sql, *args)]


async def next_hold(tx: Tx, after: int) -> int | None:
    """When the next run that is held until a time behind `after` may start."""
    sql = "SELECT min(hold_until) FROM runs WHERE status = 'QUEUED' AND hold = 'not_before' AND hold_until > ?"
    row = await tx.one(sql, after)
    return None if row is None else row[0]


async def expired(tx: Tx, queued_before: int, limit: int) -> list[int]:
    """Ids of runs that could have started since before a time."""
    sql = """SELECT id FROM runs WHERE status = 'QUEUED' AND queued_at < ?
             AND (hold IS NULL OR (hold = 'not_before' AND hold_until < ?)) ORDER BY id LIMIT ?"""
    return [row[0] for row in await tx.all(sql, queued_before, queued_before, limit)]


async def ended_page(tx: Tx, after: tuple[int, int], before: int, limit: int) -> list[Run]:
    """The runs that ended (time, id) behind `after` and before a time, in that order."""
    where = "(r.ended_at, r.id) > (?, ?) AND r.ended_at < ?"
    sql = f"{_SELECT} {_FROM} WHERE {where} ORDER BY r.ended_at, r.id LIMIT {int(limit)}"
    return [decode(row, Run, _JSON) for row in await tx.all(sql, *after, before)]


async def owned(tx: Tx, worker_id: str) -> list[int]:
    """Ids of the active runs of a worker."""
    sql = "SELECT id FROM runs WHERE worker_id = ? AND status IN ('RUNNING', 'PAUSED') ORDER BY id"
    return [row[0] for row in await tx.all(sql, worker_id)]


async def wished(tx: Tx, worker_id: str) -> list[Run]:
    """The active runs of a worker for which somebody wished something."""
    where = "r.worker_id = ? AND r.status IN ('RUNNING', 'PAUSED') AND r.revision > 0"
    sql = f"{_SELECT} {_FROM} WHERE {where} ORDER BY r.id"
    return [decode(row, Run, _JSON) for row in await tx.all(sql, worker_id)]


async def active_ids(tx: Tx) -> list[int]:
    """Ids of all active runs that a worker owns."""
    sql = "SELECT id FROM runs WHERE worker_id IS NOT NULL AND status IN ('RUNNING', 'PAUSED') ORDER BY id"
    return [row[0] for row in await tx.all(sql)]


async def position(tx: Tx, run: Run) -> int:
    """How many queued runs without a hold are ahead of this one, `MOST_AHEAD` at most."""
    sql = f"""SELECT count(*) FROM (SELECT 1 FROM runs WHERE status = 'QUEUED' AND hold IS NULL
              AND (priority > ? OR (priority = ? AND id < ?)) LIMIT {MOST_AHEAD}) ahead"""
    row = await tx.one(sql, run.priority, run.priority, run.id)
    assert row is not None
    return int(row[0])


async def count_status(tx: Tx, statuses: Iterable[Status]) -> int:
    """How many runs have one of these statuses, counted row by row (for checks; the counters are in `stats`)."""
    wanted = list(statuses)
    row = await tx.one(f"SELECT count(*) FROM runs WHERE status IN ({_marks(wanted)})", *map(encode, wanted))
    assert row is not None
    return int(row[0])


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


async def ids_with_status(tx: Tx, statuses: Iterable[Status], after: int, limit: int) -> list[int]:
    """Ids behind `after` of runs that somebody executes or will, in order; reported ones are not among them."""
    values = [status.value for status in statuses]
    sql = f"""SELECT id FROM runs WHERE status IN ({_marks(values)}) AND backend <> 'external' AND id > ?
              ORDER BY id LIMIT {int(limit)}"""
    return [row[0] for row in await tx.all(sql, *values, after)]
