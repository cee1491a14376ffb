"""The use case of bulk actions: one engine function for each run that a query finds, each a transaction of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from agentrunner.domain.bulk import Action, BulkItem, Result
from agentrunner.domain.errors import AgentRunnerError
from agentrunner.domain.query import Query
from agentrunner.engine import runs
from agentrunner.engine.services import Services
from agentrunner.store import runs as stored

_AT_ONCE = 50
"""Enough for the database to put many transactions into one commit, few enough to leave others their turn."""
_WISHES: dict[Action, Callable[[Services, int], Awaitable[runs.Wished]]] = {
    Action.PAUSE: runs.pause,
    Action.RESUME: runs.resume,
    Action.STOP: runs.stop,
}


async def find(s: Services, query: Query, before: int | None, limit: int) -> list[int]:
    """Ids of the newest runs below an id that match. Raises QueryTimeout."""
    filters: dict[str, Any] = {"query": query, "now": s.clock()}
    return await s.db.search(stored.page_ids, filters, before, limit)


async def apply(s: Services, action: Action, run_ids: Sequence[int]) -> list[BulkItem]:
    """Do to each run what its own route does; a refusal of one keeps none of the others."""
    found: list[BulkItem] = []
    for first in range(0, len(run_ids), _AT_ONCE):
        chunk = run_ids[first : first + _AT_ONCE]
        found += await asyncio.gather(*(_one(s, action, run_id) for run_id in chunk))
    return found


async def _one(s: Services, action: Action, run_id: int) -> BulkItem:
    try:
        if action is Action.RETRY:
            return BulkItem(id=run_id, result=Result.DONE, new_id=(await runs.retry(s, run_id)).id)
        wished = await _WISHES[action](s, run_id)
    except AgentRunnerError as error:
        return BulkItem(id=run_id, result=Result.REFUSED, code=error.code, detail=error.detail)
    return BulkItem(id=run_id, result=Result.DONE if wished.is_fact else Result.PENDING)
