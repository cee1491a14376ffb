"""Use cases of counters."""

from agentrunner.domain.run import Run
from agentrunner.domain.state import Status
from agentrunner.engine.services import Services
from agentrunner.store import runs, stats


async def by_status(s: Services) -> dict[Status, int]:
    """How many runs have each status."""
    found = await s.db.read(stats.read, "status/")
    return {status: found.get(status.value, 0) for status in Status}


async def ended(s: Services, after: tuple[int, int], before: int, limit: int) -> list[Run]:
    """The runs that ended (time, id) behind `after` and before a time, in that order. Raises QueryTimeout."""
    return await s.db.search(runs.ended_page, after, before, limit)
