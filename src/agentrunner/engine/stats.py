"""Use cases of counters."""

from agentrunner.domain.state import Status
from agentrunner.engine.services import Services
from agentrunner.store import stats


async def by_status(s: Services) -> dict[Status, int]:
    """How many runs have each status."""
    found = await s.db.read(stats.read, "status/")
    return {status: found.get(status.value, 0) for status in Status}
