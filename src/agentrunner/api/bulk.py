"""Bulk actions over HTTP."""

from litestar import post
from litestar.params import JSONBody

from agentrunner.api import query
from agentrunner.api.routes import Given
from agentrunner.domain.bulk import BulkItem, BulkPage, BulkRequest, Result
from agentrunner.domain.errors import InvalidField
from agentrunner.domain.query import parse
from agentrunner.domain.token import Scope
from agentrunner.engine import bulk

_NOUN = "bulk"


@post("/v1/runs/bulk", status_code=200, opt={"scope": Scope.ADMIN}, summary="Pause, resume, stop or retry by query")
async def act(context: Given, data: JSONBody[BulkRequest]) -> BulkPage:
    """Do the same to every run that matches, and say of each what became of it."""
    wanted = parse(data.q)
    if not wanted.terms and not data.all:
        raise InvalidField('`q` is empty and would mean every run; say so with `"all": true`, or narrow it.')
    before = query.position(_NOUN, data.cursor)
    found = await bulk.find(context.services, wanted, before, data.limit + 1)
    following = query.cursor(_NOUN, found[data.limit - 1]) if len(found) > data.limit else None
    if data.preview:
        items = [BulkItem(id=run_id, result=Result.MATCHES) for run_id in found[: data.limit]]
    else:
        items = await bulk.apply(context.services, data.action, found[: data.limit])
    return BulkPage(items=items, next_cursor=following)


HANDLERS = [act]
