"""The SQL of full text: documents of words, found newest run first, and how far they reach.

A document is the text that one event brought: title and goal with the first event of a run, else what a `message`, an
`error` or the end of a run says. They are made behind the events, in the order of the events' ids, up to a watermark.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import msgspec

from agentrunner.domain.words import MAX_TEXT, Phrase, body, texts
from agentrunner.store import meta
from agentrunner.store.base import Tx

READ = ("message", "error", "run.completed", "run.failed", "run.stopped")
"""The types of events whose text is indexed."""
FRESH = 1000
"""How many runs that are not indexed yet are looked through instead."""
_FRESH_TEXT = 10_000
_KEY = "search"
_WINDOW = 20_000
_ROWS = 250
_RECENT = 2000
_MOST_RUN = 2**31 - 1
_MARKS = ", ".join("?" * len(READ))
_GATHER = f"""
    SELECT e.id, e.run_id, e.seq, substr(e.payload, 1, {MAX_TEXT}) AS payload, r.title,
        substr(r.goal, 1, {MAX_TEXT}) AS goal
    FROM events e LEFT JOIN runs r ON r.id = e.run_id AND e.seq = 1
    WHERE e.id > ? AND e.id <= ? AND (e.type IN ({_MARKS}) OR e.seq = 1) ORDER BY e.id LIMIT {_ROWS}"""


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """How far the documents go: up to this event, and to the run of the newest first event among them.

    On PostgreSQL transactions commit in another order than their events' ids: whatever is `safe` no event comes below
    any more, and `horizon` will be once every transaction before `xid` is over.
    """

    event: int = 0
    run: int = 0
    safe: int = 0
    horizon: int = 0
    xid: int = 0


class Text(NamedTuple):
    """An event that brought text; title and goal only with the first event of a run that is there."""

    event_id: int
    run_id: int
    seq: int
    payload: str
    title: str | None
    goal: str | None


class Step(NamedTuple):
    """What the index takes up next: the rows, and the reach before and behind them."""

    rows: list[Text]
    before: Reach
    after: Reach
    is_last: bool


class Document(NamedTuple):
    """The words of one event's text."""

    run_id: int
    seq: int
    words: list[str]


async def reach(tx: Tx) -> Reach:
    """How far the documents go."""
    stored = await meta.get(tx, _KEY)
    return Reach() if stored is None else msgspec.json.decode(stored, type=Reach)


async def oldest_missing(tx: Tx) -> int | None:
    """When the oldest event happened that is not looked at yet; None where every one is."""
    row = await tx.one("SELECT ts FROM events WHERE id > ? ORDER BY id LIMIT 1", (await reach(tx)).event)
    return None if row is None else int(row[0])


async def gather(tx: Tx) -> Step | None:
    """The next few texts; None where there is nothing to do."""
    before = await reach(tx)
    known = await _settled(tx, before)
    upto = min(before.event + _WINDOW, known.safe)
    if upto <= before.event:
        return None if known == before else Step([], before, known, is_last=True)
    rows = [Text(*(row[column] for column in range(6))) for row in await tx.all(_GATHER, before.event, upto, *READ)]
    last = rows[-1].event_id if len(rows) == _ROWS else upto
    newest = max([before.run, *(row.run_id for row in rows if row.seq == 1)])
    after = msgspec.structs.replace(known, event=last, run=newest)
    return Step(rows, before, after, is_last=last >= known.safe)


async def _settled(tx: Tx, before: Reach) -> Reach:
    """The reach with what is safe by now."""
    row = await tx.one("SELECT coalesce(max(id), 0) FROM events")
    newest = 0 if row is None else int(row[0])
    if tx.dialect.name == "sqlite":
        return msgspec.structs.replace(before, safe=newest)
    if newest <= before.safe:
        return before
    snapshot = "pg_snapshot_{0}(pg_current_snapshot())::text::bigint"
    found = await tx.one(f"SELECT {snapshot.format('xmin')}, {snapshot.format('xmax')}")
    oldest, following = (0, 0) if found is None else (found[0], found[1])
    if oldest == following:
        return msgspec.structs.replace(before, safe=newest, horizon=newest, xid=following)
    if oldest < before.xid:
        return before
    return msgspec.structs.replace(before, safe=before.horizon, horizon=newest, xid=following)


def documents(step: Step) -> list[Document]:
    """The documents of a step; this takes time, and no transaction."""
    return [Document(row.run_id, row.seq, found) for row in step.rows if (found := _words(row))]


def _words(row: Text) -> list[str]:
    if row.seq == 1:
        return body((row.title or "", row.goal or ""))
    try:
        return body(texts(msgspec.json.decode(row.payload)))
    except msgspec.DecodeError:  # cut in the middle, so no JSON any more
        return body([row.payload])


async def put(tx: Tx, step: Step, found: Sequence[Document]) -> bool:
    """Store documents and move the watermark; False where another process did so meanwhile."""
    sql = "UPDATE meta SET value = ? WHERE key = ? AND value = ?"
    if await meta.get(tx, _KEY) is None:
        await meta.put_once(tx, _KEY, _encoded(Reach()))
    if not await tx.run(sql, _encoded(step.after), _KEY, _encoded(step.before)):
        return False
    if found:
        of = _OF[tx.dialect.name]
        await tx.many(of.put, [(each.run_id, each.seq, of.written(each.words)) for each in found])
    return True


def _encoded(reach: Reach) -> str:
    return msgspec.json.encode(reach).decode()


async def forget_events(tx: Tx, run_id: int, first: int, below: int) -> None:
    """Drop the texts of a run's events from `seq` first to below, which this transaction deleted; keep the title."""
    of = _OF[tx.dialect.name]
    await tx.run(of.forget, run_id, max(first, 2), run_id, below)
    if first == 1 and await tx.one(of.has, run_id, 1) is None:
        # The indexer did not get there in time, and will not find the first event any more.
        row = await tx.one(f"SELECT title, substr(goal, 1, {MAX_TEXT}) FROM runs WHERE id = ?", run_id)
        if row is not None and (found := body((row[0], row[1]))):
            await tx.many(of.put, [(run_id, 1, of.written(found))])
    await _step_back(tx)


async def forget_run(tx: Tx, run_id: int) -> None:
    """Drop the texts of a run that this transaction has deleted, events and all."""
    await tx.run(_OF[tx.dialect.name].forget, run_id, 0, run_id + 1, 0)
    await _step_back(tx)


async def _step_back(tx: Tx) -> None:
    """SQLite gives ids behind the newest row out again, so the watermark never stays above what is left."""
    if tx.dialect.name != "sqlite":
        return
    present = await reach(tx)
    row = await tx.one("SELECT coalesce((SELECT max(id) FROM events), 0), coalesce((SELECT max(id) FROM runs), 0)")
    assert row is not None
    less = msgspec.structs.replace(present, event=min(present.event, row[0]), run=min(present.run, row[1]))
    if less != present:
        await meta.put(tx, _KEY, _encoded(less))


async def fresh(tx: Tx, sought: Sequence[Phrase]) -> dict[Phrase, list[int]]:
    """The newest runs that are not indexed yet and whose title and goal hold a phrase, the newest first."""
    sql = f"""SELECT id, title, substr(goal, 1, {_FRESH_TEXT}) FROM runs WHERE id > ? ORDER BY id DESC LIMIT {FRESH}"""
    rows = [(row[0], body((row[1], row[2]))) for row in await tx.all(sql, (await reach(tx)).run)]
    return {each: [run_id for run_id, text in rows if each.is_in(text)] for each in sought}


async def matching(tx: Tx, sought: Phrase, without: Sequence[Phrase], below: int, limit: int) -> list[int]:
    """Ids below one of runs with a document that holds a phrase and none of others, the newest first; empty at the end.

    Another document of the same run may hold what this one is `without`.
    """
    if not sought.words:
        return []
    others = [each for each in without if each.words]
    return await _OF[tx.dialect.name].find(tx, (sought, *others), below, limit)


async def _find_sqlite(tx: Tx, phrases: Sequence[Phrase], below: int, limit: int) -> list[int]:
    match = " NOT ".join(f'"{" ".join(each.words)}"' + ("*" if each.is_prefix else "") for each in phrases)
    sql = f"""SELECT DISTINCT rowid >> 32 FROM search WHERE search MATCH ? AND rowid < ? << 32
              ORDER BY rowid DESC LIMIT {int(limit)}"""
    return [row[0] for row in await tx.all(sql, match, min(below, _MOST_RUN))]


async def _find_postgres(tx: Tx, phrases: Sequence[Phrase], below: int, limit: int) -> list[int]:
    """First among the runs right below, then by the index: in one statement the planner walks either way, and wrong."""
    match = " & !".join(f"({_query(each)})" for each in phrases)
    holds = "body @@ CAST(CAST(? AS text) AS tsquery)"
    top = min(below, _MOST_RUN)
    row = await tx.one("SELECT coalesce(max(run_id), 0) FROM search WHERE run_id < ?", top)
    lowest = (0 if row is None else row[0]) - _RECENT
    sql = f"""WITH near AS MATERIALIZED (SELECT run_id, body FROM search WHERE run_id < ? AND run_id >= ?
              ORDER BY run_id DESC LIMIT {2 * _RECENT}), found AS (SELECT run_id FROM near WHERE {holds})
              SELECT DISTINCT run_id FROM found ORDER BY run_id DESC LIMIT {int(limit)}"""
    if rows := await tx.all(sql, top, lowest, match):
        return [row[0] for row in rows]
    sql = f"""WITH found AS MATERIALIZED (SELECT run_id FROM search WHERE {holds} AND run_id < ?)
              SELECT DISTINCT run_id FROM found ORDER BY run_id DESC LIMIT {int(limit)}"""
    return [row[0] for row in await tx.all(sql, match, top)]


def _query(phrase: Phrase) -> str:
    return " <-> ".join(f"'{word}'" for word in phrase.words) + (":*" if phrase.is_prefix else "")


def _vector(found: Sequence[str]) -> str:
    """A text vector written out: each word with its places, of which PostgreSQL keeps the first 256."""
    places: dict[str, list[int]] = {}
    for place, word in enumerate(found, start=1):
        places.setdefault(word, []).append(place)
    return " ".join(f"'{word}':{','.join(map(str, at[:256]))}" for word, at in places.items())


class _Sql(NamedTuple):
    """Where the drivers differ."""

    find: Callable[[Tx, Sequence[Phrase], int, int], Awaitable[list[int]]]
    put: str
    written: Callable[[Sequence[str]], str]
    forget: str
    has: str


_OF = {
    "sqlite": _Sql(
        _find_sqlite,
        "INSERT OR REPLACE INTO search (rowid, body) VALUES (? << 32 | ?, ?)",
        " ".join,
        "DELETE FROM search WHERE rowid >= (? << 32 | ?) AND rowid < (? << 32 | ?)",
        "SELECT 1 FROM search WHERE rowid = (? << 32 | ?)",
    ),
    "postgres": _Sql(
        _find_postgres,
        """INSERT INTO search (run_id, seq, body) VALUES (?, ?, CAST(CAST(? AS text) AS tsvector))
           ON CONFLICT (run_id, seq) DO UPDATE SET body = excluded.body""",
        _vector,
        "DELETE FROM search WHERE (run_id, seq) >= (?, ?) AND (run_id, seq) < (?, ?)",
        "SELECT 1 FROM search WHERE run_id = ? AND seq = ?",
    ),
}
