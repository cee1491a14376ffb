"""Agents and their versions over HTTP."""

from typing import Annotated

import msgspec
from litestar import get
from litestar.params import PathParameter, QueryParameter

from agentrunner.api import query
from agentrunner.api.pages import Cursor, Limit, after
from agentrunner.api.query import MAX_ID
from agentrunner.api.routes import Given
from agentrunner.domain.agent import AgentView, VersionView, version_view, view
from agentrunner.domain.stats import Figures, figures
from agentrunner.domain.token import Scope
from agentrunner.engine import agents

_NOUN = "versions"
AgentId = Annotated[int, PathParameter(ge=1, le=MAX_ID, description="The id of an agent.")]
Name = Annotated[str | None, QueryParameter(min_length=1, max_length=200, description="Only the agent of this name.")]


class AgentPage(msgspec.Struct, frozen=True, kw_only=True):
    """Agents by name. `next_cursor` goes into `cursor` for the next page; null on the last."""

    items: list[AgentView]
    next_cursor: str | None


class VersionFigures(VersionView, frozen=True, kw_only=True):
    """A version with the figures of all its runs that have ever ended."""

    figures: Figures


class VersionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Versions of an agent, the newest first. `next_cursor` goes into `cursor` for the next page; null on the last."""

    items: list[VersionFigures]
    next_cursor: str | None


@get("/v1/agents", opt={"scope": Scope.READ}, summary="List agents")
async def page(context: Given, limit: Limit = 100, cursor: Cursor = None, name: Name = None) -> AgentPage:
    """Agents by name; with `name` the one of that name, which is 404 where there is none."""
    if name is not None:
        return AgentPage(items=[view(await agents.get(context.services, name))], next_cursor=None)
    found, following = await after("agents", agents.page_behind, context.services, cursor, limit)
    return AgentPage(items=[view(agent) for agent in found], next_cursor=following)


@get("/v1/agents/{agent_id:int}/versions", opt={"scope": Scope.READ}, summary="List the versions of an agent")
async def versions(context: Given, agent_id: AgentId, limit: Limit = 100, cursor: Cursor = None) -> VersionPage:
    """The newest first: outcomes, durations, tokens, cost, and cost per success of all runs that ended."""
    before = query.position(_NOUN, cursor)
    agent, found = await agents.versions_with_totals(
        context.services, agent_id, MAX_ID if before is None else before, limit + 1
    )
    items = [
        VersionFigures(**msgspec.structs.asdict(version_view(agent.name, version)), figures=figures(total))
        for version, total in found[:limit]
    ]
    following = query.cursor(_NOUN, items[-1].id) if len(found) > limit else None
    return VersionPage(items=items, next_cursor=following)


HANDLERS = [page, versions]
