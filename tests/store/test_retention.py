"""What refers to a run is found wherever it is, quickly, over both databases."""

from agentrunner.store import meta, retention
from agentrunner.store.base import Database, Tx
from agentrunner.store.sqlite import SqliteDatabase

PROJECT = "INSERT INTO projects (id, name, settings, created_at) VALUES (1, 'p', '{}', 1)"
RUN = """INSERT INTO runs (id, title, goal, project_id, backend, status, desired, revision, answered, attempt, epoch,
         priority, options, limits, retry, on_lost, has_secrets, usage, last_seq, created_at, queued_at, ended_at,
         labels, metadata) VALUES (?, 't', 'g', 1, 'external', 'COMPLETED', 'run', 0, 0, 1, 0, 0, '{}', '{}', '{}',
         'wait', 0, '{}', ?, ?, 1, 2, '{}', '{}')"""
EVENT = "INSERT INTO events (run_id, seq, attempt, ts, type, level, payload) VALUES (?, ?, 1, 1, 'log', 'info', '{}')"
MORE = [
    "INSERT INTO labels (name, value, run_id) VALUES ('a', 'b', ?)",
    "INSERT INTO inputs (run_id, text, created_at) VALUES (?, 'hello', 1)",
    "INSERT INTO attempts (run_id, number, uid, worker_id, boot_id, claimed_at) VALUES (?, 1, 'u', 'w', 'b', 1)",
    "INSERT INTO samples (run_id, attempt, at, cpu_us, memory_bytes, processes) VALUES (?, 1, 1, 1, 1, 1)",
]


async def fill(tx: Tx) -> None:
    """Two runs of ten events; the first with a row in other tables too."""
    await tx.run(PROJECT)
    for run_id in (1, 2):
        await tx.run(RUN, run_id, 10, run_id)
        await tx.many(EVENT, [(run_id, seq) for seq in range(1, 11)])
    for sql in MORE:
        await tx.run(sql, 1)


async def test_a_run_goes_with_all_that_refers_to_it(database: Database) -> None:
    """In pieces no larger than asked, and nothing of another run with it."""
    await database.write(fill)
    deleted = [await database.write(retention.delete_events, 1, 11, 4) for _ in range(4)]
    assert deleted == [4, 4, 2, 0]
    pieces = 0
    while await database.write(retention.delete_rest, 1, {"a": "b"}, 1):
        pieces += 1
    assert pieces >= len(MORE) - 1
    await database.write(retention.delete_run, 1)
    [left] = await database.read(retention.created_before, 100, (-1, 0), 10)
    assert (left.id, left.first_seq, left.last_seq, left.prunable) == (2, 1, 10, 9)


async def test_pages_go_on_behind_the_last_one(database: Database) -> None:
    """By creation, then number; and only what was created before."""
    await database.write(fill)
    [first] = await database.read(retention.created_before, 3, (-1, 0), 1)
    [second] = await database.read(retention.created_before, 3, (first.created_at, first.id), 1)
    assert [first.id, second.id] == [1, 2]
    assert await database.read(retention.created_before, 3, (second.created_at, second.id), 1) == []
    assert [old.id for old in await database.read(retention.created_before, 2, (-1, 0), 9)] == [1]


async def test_the_newest_are_known(database: Database) -> None:
    """By number, and by their events."""
    assert await database.read(retention.newest) == set()
    await database.write(fill)
    assert await database.read(retention.newest) == {2}

    async def say(tx: Tx) -> None:
        await tx.run(EVENT, 1, 11)

    await database.write(say)
    assert await database.read(retention.newest) == {1, 2}


async def test_the_mark_only_rises(database: Database) -> None:
    """A longer retention later makes no timeline whole again."""
    for before, mark in ((5, "5"), (3, "5"), (9, "9")):
        await database.write(retention.note_pruned, before)
        assert await database.read(meta.get, retention.EVENTS_PRUNED) == mark


async def test_no_table_is_read_whole(sqlite_database: SqliteDatabase) -> None:
    """Deleting a run looks into every table that refers to runs: each needs an index that begins with that column."""

    async def unindexed(tx: Tx) -> list[str]:
        sql = """SELECT m.name FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f
                 WHERE m.type = 'table' AND f."table" = 'runs' AND NOT EXISTS (SELECT 1
                 FROM pragma_index_list(m.name) i JOIN pragma_index_info(i.name) c
                 WHERE c.seqno = 0 AND c.name = f."from" AND i.partial = 0)
                 AND NOT EXISTS (SELECT 1 FROM pragma_table_info(m.name) t WHERE t.pk = 1 AND t.name = f."from")"""
        return [row[0] for row in await tx.all(sql)]

    assert await sqlite_database.read(unindexed) == []
