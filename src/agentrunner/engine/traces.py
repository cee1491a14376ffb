"""Use cases of traces: the spans of a run, what it used, and what they say together; read off the loop."""

from agentrunner.domain.span import MAX_SPANS, Span
from agentrunner.domain.trace import Trace, summarize
from agentrunner.domain.usage import RunUsage
from agentrunner.engine import usage
from agentrunner.engine.runs import find
from agentrunner.engine.services import Services
from agentrunner.store import spans
from agentrunner.store.base import Tx


async def page(s: Services, run_id: int, since: int, limit: int) -> list[Span]:
    """The spans of a run that began at `since` (ms) or later, in that order."""
    return await s.db.search(spans.page, run_id, since, limit)


async def used(s: Services, run_id: int) -> RunUsage:
    """What a run used, in all and by span. Raises RunNotFound."""
    return await s.db.search(_used, run_id)


async def _used(tx: Tx, run_id: int) -> RunUsage:
    return await usage.of(tx, await find(tx, run_id))


async def summary(s: Services, run_id: int) -> Trace:
    """How long a run took, along which chain, and where the time went. Raises RunNotFound."""
    return await s.db.search(_summary, run_id, s.clock())


async def _summary(tx: Tx, run_id: int, now: int) -> Trace:
    found = await _used(tx, run_id)
    return summarize(await spans.page(tx, run_id, 0, MAX_SPANS), found.by_span, now)
