"""Retention over HTTP: what is past it, and deleting that now instead of at the next sweep."""

import msgspec
from litestar import post
from litestar.params import JSONBody

from agentrunner.api.routes import Given
from agentrunner.domain.retention import Pruned
from agentrunner.domain.token import Scope
from agentrunner.engine import retention

WITHIN_S = 5.0
"""One request works for so long; whoever wants everything gone repeats it until `is_done`."""


class Prune(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`dry_run` only counts."""

    dry_run: bool = False


@post("/v1/retention", opt={"scope": Scope.ADMIN}, summary="Delete what is past its retention", status_code=200)
async def prune(context: Given, data: JSONBody[Prune]) -> Pruned:
    """Runs, timelines and secrets, for some seconds; repeat it until `is_done`. Raw output goes on its worker."""
    if data.dry_run:
        return await retention.plan(context.services)
    return await retention.prune(context.services, WITHIN_S)


HANDLERS = [prune]
