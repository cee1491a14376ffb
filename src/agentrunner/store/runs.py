"""The SQL of runs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from agentrunner.domain.retry import RetryPolicy
from agentrunner.domain.run import Limits, Run, Usage
from agentrunner.domain.state import Status
from agentrunner.store.base import Tx
from agentrunner.store.columns import decode, encode
from agentrunner.store.query import conditions as of_query
from agentrunner.store.query import contains

_JSON: dict[str, type] = {
    "options": dict[str, Any],
    "limits": Limits,
    "retry": RetryPolicy,
    "usage": Usage,
    "labels": dict[str, str],
    "metadata": dict[str, Any],
}
_COLUMNS = tuple(name for name in Run.__struct_fields__ if name not in {"id", "project"})
_SELECT = f"SELECT r.id, p.name AS project, {', '.join('r.' + name for name in _COLUMNS)}"
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


async def update(tx: Tx, run_id: int, fields: Mapping[str, Any]) -> None:
    """Set some fields of a run, named as in `Run`."""
    assignments = ", ".join(f"{name} = ?" for name in fields)
    await tx.run(f"UPDATE runs SET {assignments} WHERE id = ?", *map(encode, fields.values()), run_id)


async def get(tx: Tx, run_id: int) -> Run | None:
    """One run."""
    row = await tx.one(f"{_SELECT} {_FROM} WHERE r.id = ?", run_id)
    return None if row is None else decode(row, Run, _JSON)


async def lock(tx: Tx, run_id: int) -> Run | None:
    """One run, to be changed in this transaction: nobody else changes it before the end."""
    lock = f"{tx.dialect.lock_row} OF r" if tx.dialect.lock_row else ""
    row = await tx.one(f"{_SELECT} {_FROM} WHERE r.id = ? {lock}", run_id)
    return None if row is None else decode(row, Run, _JSON)


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


async def page(tx: Tx, filters: Mapping[str, Any], before: int | None, limit: int) -> list[Run]:
    """The newest runs below id `before`.

    `filters` are column values, `labels` pairs, `text` to find, and a `query` that counts from the instant `now`.
    """
    found, args = _ids(filters, before, limit)
    rows = await tx.all(f"{_SELECT} {_FROM} WHERE r.id IN ({found}) ORDER BY r.id DESC", *args)
    return [decode(row, Run, _JSON) for row in rows]


async def page_ids(tx: Tx, filters: Mapping[str, Any], before: int | None, limit: int) -> list[int]:
    """The ids of the same runs."""
    found, args = _ids(filters, before, limit)
    return [row[0] for row in await tx.all(found, *args)]


def _ids(filters: Mapping[str, Any], before: int | None, limit: int) -> tuple[str, list[Any]]:
    """The statement that finds a page's ids: where an index has to be sorted, ids alone are, and not whole rows."""
    where, args = _conditions(filters)
    if before is not None:
        where.append("r.id < ?")
        args.append(before)
    condition = f"WHERE {' AND '.join(where)}" if where else ""
    return f"SELECT r.id FROM runs r {condition} ORDER BY r.id DESC LIMIT {int(limit)}", args


def _conditions(filters: Mapping[str, Any]) -> tuple[list[str], list[Any]]:
    where: list[str] = []
    args: list[Any] = []
    for name in ("status", "backend", "agent", "worker_id"):
        if values := filters.get(name):
            where.append(f"r.{name} IN ({_marks(values)})")
            args.extend(map(encode, values))
    if projects := filters.get("project"):
        where.append(f"r.project_id IN (SELECT id FROM projects WHERE name IN ({_marks(projects)}))")
        args.extend(projects)
    for name, value in filters.get("labels", ()):
        where.append("r.id IN (SELECT run_id FROM labels WHERE name = ? AND value = ?)")
        args.extend((name, value))
    for word in filters.get("text", ()):
        sql, found = contains(word)
        where.append(sql)
        args.extend(found)
    if (query := filters.get("query")) is not None:
        more, found = of_query(query, filters["now"])
        where.extend(more)
        args.extend(found)
    return where, args


async def queued(
    tx: Tx, now: int, backends: Sequence[str], capped: Mapping[str, Sequence[Any]], limit: int
) -> list[int]:
    """Ids of the runs of some backends that may start, best first; `capped` are the values per column that may not."""
    ready = "(hold IS NULL OR (hold = 'not_before' AND hold_until <= ?))"
    where = ["status = 'QUEUED'", ready, f"backend IN ({_marks(backends)})"]
    args: list[Any] = [now, *backends]
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
    """How many queued runs without a hold are ahead of this one."""
    sql = """SELECT count(*) FROM runs WHERE status = 'QUEUED' AND hold IS NULL
             AND (priority > ? OR (priority = ? AND id < ?))"""
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
