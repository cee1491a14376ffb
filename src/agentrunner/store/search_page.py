"""A page of run ids by plan, the newest first: every statement follows an index, none sorts more than a few ids."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from agentrunner.domain.words import Phrase
from agentrunner.store import search
from agentrunner.store.base import Tx
from agentrunner.store.query import Plan, Source, Span
from agentrunner.store.search_join import AnyOf, Fetched, Ids, Known, page

FEW = 2000
"""Up to so many ids of a span are sorted; where there are more, the newest runs are asked one by one."""
_EVERY = Source("r.id > ?", [0])
_TOP = 2**63 - 1
_MOST_WORKERS = 1000
_CHUNK = 500


async def find(tx: Tx, plan: Plan, before: int | None, limit: int) -> list[int]:
    """Ids of the newest runs below one that meet a plan."""
    conditions = (list(plan.where), list(plan.args))
    known = [ids for span in plan.spans if (ids := await _few(tx, span, conditions)) is not None]
    sources = [*plan.lists, *[await _of_workers(tx, values) for values in plan.workers]]
    below = _TOP if before is None else before
    is_one = not known and not plan.phrases and len(sources) <= 1
    if is_one and all(each.table == _EVERY.table for few in sources for each in few):
        sources = [[_also(each, conditions) for each in sources[0]] if sources else [_also(_EVERY, conditions)]]
        conditions = ([], [])
        if len(sources[0]) == 1 and not plan.without:
            return await _fetch(tx, sources[0][0], below, limit)
    lists: list[Ids] = [*known, *[AnyOf([Fetched(partial(_fetch, tx, each)) for each in few]) for few in sources]]
    fresh = await search.fresh(tx, [*plan.phrases, *plan.without]) if plan.phrases or plan.without else {}
    # What each text has to be without leaves few candidates; the join then asks about the runs' other texts.
    lists += [_holding(tx, each, fresh, plan.without) for each in plan.phrases]
    without = [_holding(tx, each, fresh) for each in plan.without]
    return await _passing(tx, (lists, without), conditions, below, limit)


async def _passing(
    tx: Tx,
    lists: tuple[Sequence[Ids], Sequence[Ids]],
    conditions: tuple[list[str], list[Any]],
    below: int,
    limit: int,
) -> list[int]:
    """Where the lists meet, the runs that are there and meet the conditions too."""
    where, args = conditions
    found: list[int] = []
    size = min(limit, _CHUNK)
    while len(found) < limit and (chunk := await page(*lists, below - 1, size)):
        marks = ", ".join("?" * len(chunk))
        sql = f"SELECT r.id FROM runs r WHERE {' AND '.join([f'r.id IN ({marks})', *where])}"
        there = {row[0] for row in await tx.all(sql, *chunk, *args)}
        found += [run_id for run_id in chunk if run_id in there]
        if len(chunk) < size:
            break
        below, size = chunk[-1], min(2 * size, _CHUNK)
    return found[:limit]


async def _fetch(tx: Tx, source: Source, below: int, limit: int) -> list[int]:
    sql = f"""SELECT {source.id} FROM {source.table} WHERE {source.where} AND {source.id} < ?
              ORDER BY {source.id} DESC LIMIT {int(limit)}"""
    return [row[0] for row in await tx.all(sql, *source.args, below)]


def _also(source: Source, conditions: tuple[list[str], list[Any]]) -> Source:
    where, args = conditions
    return Source(" AND ".join([source.where, *where]), [*source.args, *args])


async def _few(tx: Tx, span: Span, conditions: tuple[list[str], list[Any]]) -> Known | None:
    """The ids of a span where they are few; else it becomes one of the conditions."""
    rows = await tx.all(f"{span.few} LIMIT {FEW + 1}", *span.few_args)
    if len(rows) <= FEW:
        return Known(sorted((row[0] for row in rows), reverse=True))
    conditions[0].append(span.where)
    conditions[1].extend(span.args)
    return None


async def _of_workers(tx: Tx, values: Sequence[str]) -> list[Source]:
    """Workers by name, which several may share, or by id."""
    marks = ", ".join("?" * len(values))
    rows = await tx.all(f"SELECT id FROM workers WHERE name IN ({marks}) LIMIT {_MOST_WORKERS}", *values)
    ids = dict.fromkeys([*values, *(row[0] for row in rows)])
    return [Source("r.worker_id = ?", [each]) for each in ids]


def _holding(tx: Tx, phrase: Phrase, fresh: dict[Phrase, list[int]], without: Sequence[Phrase] = ()) -> Ids:
    return AnyOf([Fetched(partial(search.matching, tx, phrase, without)), Known(fresh[phrase])])
