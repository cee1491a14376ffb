"""The SQL of retention: what is past its time, deleted in pieces that keep nobody waiting for long."""

from collections.abc import Mapping
from typing import NamedTuple

from agentrunner.store import search
from agentrunner.store.base import Tx

EVENTS_PRUNED = "events_pruned_before"
"""In `meta`: timelines of runs that had ended before this instant (milliseconds) may lack their beginning."""
RUNS_DELETED = "runs_deleted_before"
"""In `meta`: of the runs that had ended before this instant (milliseconds) some may be deleted."""
_PAGE = """
    SELECT r.id, r.created_at, r.ended_at, r.last_seq, (SELECT min(e.seq) FROM events e WHERE e.run_id = r.id)
    FROM runs r WHERE r.created_at < ? AND (r.created_at, r.id) > (?, ?) ORDER BY r.created_at, r.id LIMIT ?
"""
_OF_RUNS = {
    "sqlite": """SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
                 WHERE m.type = 'table' AND c.name = 'run_id' ORDER BY m.name""",
    "postgres": """SELECT table_name FROM information_schema.columns
                   WHERE table_schema = current_schema() AND column_name = 'run_id' ORDER BY table_name""",
}
_SOME = {
    "sqlite": "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE run_id = ? LIMIT ?)",
    "postgres": "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE run_id = ? LIMIT ?))",
}


class Old(NamedTuple):
    """A run that was created long ago; `first_seq` is the first event that is there, None where none is."""

    id: int
    created_at: int
    ended_at: int | None
    last_seq: int
    first_seq: int | None

    @property
    def prunable(self) -> int:
        """How many events can go: the last one stays, for it says how the run ended."""
        return 0 if self.first_seq is None else max(0, self.last_seq - self.first_seq)


async def created_before(tx: Tx, before: int, after: tuple[int, int], limit: int) -> list[Old]:
    """Runs created before a time, behind one by (created_at, id), in that order."""
    return [Old(*(row[column] for column in range(5))) for row in await tx.all(_PAGE, before, *after, limit)]


async def first_seq(tx: Tx, run_id: int) -> int | None:
    """The first event of a run that is there."""
    row = await tx.one("SELECT min(seq) FROM events WHERE run_id = ?", run_id)
    return None if row is None else row[0]


async def delete_events(tx: Tx, run_id: int, below: int, limit: int) -> int:
    """Delete up to `limit` events of a run below a `seq`, the first ones, with their texts; answers how many."""
    first = await first_seq(tx, run_id)
    if first is None or first >= below:
        return 0
    end = min(below, first + limit)
    count = await tx.run("DELETE FROM events WHERE run_id = ? AND seq < ?", run_id, end)
    await search.forget_events(tx, run_id, first, end)
    return count


async def newest(tx: Tx) -> set[int]:
    """The newest run and the one that has the newest event: SQLite would give their ids out again."""
    row = await tx.one("SELECT (SELECT max(id) FROM runs), (SELECT run_id FROM events ORDER BY id DESC LIMIT 1)")
    return set() if row is None else {row[0], row[1]} - {None}


async def delete_rest(tx: Tx, run_id: int, labels: Mapping[str, str], limit: int) -> int:
    """Delete up to `limit` rows of a table that refer to a run; 0 once none does."""
    for name, value in labels.items():
        await tx.run("DELETE FROM labels WHERE name = ? AND value = ? AND run_id = ?", name, value, run_id)
    for row in await tx.all(_OF_RUNS[tx.dialect.name]):
        if row[0] != "labels" and (count := await tx.run(_SOME[tx.dialect.name].format(table=row[0]), run_id, limit)):
            return count
    return 0


async def delete_run(tx: Tx, run_id: int) -> None:
    """Delete a run that nothing refers to any more."""
    await tx.run("DELETE FROM runs WHERE id = ?", run_id)
    await search.forget_run(tx, run_id)


async def note_pruned(tx: Tx, before: int) -> None:
    """Remember up to which end timelines are cut, before any is; never less than before."""
    await _raise(tx, EVENTS_PRUNED, before)


async def note_deleted(tx: Tx, before: int) -> None:
    """Remember up to which end whole runs are deleted, before any is; never less than before."""
    await _raise(tx, RUNS_DELETED, before)


async def deleted_before(tx: Tx) -> int:
    """Of the runs that had ended before this instant (milliseconds) some may be deleted; 0 where none is."""
    row = await tx.one("SELECT value FROM meta WHERE key = ?", RUNS_DELETED)
    return 0 if row is None else int(row[0])


async def _raise(tx: Tx, key: str, before: int) -> None:
    row = await tx.one("SELECT value FROM meta WHERE key = ?", key)
    if row is None or int(row[0]) < before:
        sql = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        await tx.run(sql, key, str(before))
