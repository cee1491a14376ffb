"""Workers over HTTP, as people see them; what workers themselves call is in `control`."""

import msgspec
from litestar import get

from agentrunner.api.routes import Given
from agentrunner.domain.token import Scope
from agentrunner.domain.worker import WorkerView, view
from agentrunner.engine import workers


class WorkerPage(msgspec.Struct, frozen=True, kw_only=True):
    """Every worker, the last heard first."""

    items: list[WorkerView]
    next_cursor: str | None


@get("/v1/workers", opt={"scope": Scope.READ}, summary="List workers")
async def page(context: Given) -> WorkerPage:
    """Every worker that ever registered, and whether its lease lives."""
    found = await workers.all_with_lease(context.services)
    return WorkerPage(items=[view(worker, lives) for worker, lives in found], next_cursor=None)


HANDLERS = [page]
