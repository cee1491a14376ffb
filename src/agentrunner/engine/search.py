"""Use cases of full text: it is made in the background, behind what it describes, and says how far it reaches."""

import asyncio
import time
from contextlib import suppress

from agentrunner.domain.errors import QueryTimeout
from agentrunner.domain.query import Field, Query
from agentrunner.engine.services import Services
from agentrunner.store import search

EVERY_S = 1.0
"""How often a server looks for text that is not indexed yet."""
_REST = 4.0
"""Rest so many times as long as each step took, waiting for its turn included: under load the index falls behind."""


async def index(s: Services) -> None:
    """Index what was stored since, in small transactions with rests between them: others go first."""
    if await s.db.read(search.oldest_missing) is None:
        return
    with suppress(QueryTimeout):  # people's searches take all there is; the index can wait
        while True:
            began = time.monotonic()
            step = await s.db.search(search.gather)
            if step is None:
                return
            found = await asyncio.to_thread(search.documents, step)
            await s.db.write(search.put, step, found)
            if step.is_last:
                return
            await asyncio.sleep(_REST * (time.monotonic() - began))


async def indexed_to(s: Services, query: Query) -> int | None:
    """Up to which instant all text is found that a query looks for; None where that is up to now."""
    if all(term.field is not Field.TEXT for term in query.terms):
        return None
    missing = await s.db.read(search.oldest_missing)
    return None if missing is None else min(missing, s.clock())
