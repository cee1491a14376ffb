"""Series of figures over HTTP, for charts; and counting them anew."""

from typing import Annotated, NamedTuple

import msgspec
from litestar import get, post
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody, QueryParameter, SkipValidation

from agentrunner.api.routes import Given
from agentrunner.domain.stats import By, RebuildAnswer, RebuildStep, Stats, instant
from agentrunner.domain.token import Scope
from agentrunner.engine import rollups, stats
from agentrunner.engine.services import Services
from agentrunner.engine.stats import Asked

WITHIN_S = 2.0
"""One request rebuilds for so long; whoever wants it whole repeats it until `next` is null."""
_TIME = "`24h` (before now; w, d, h, m, s), `2026-11-20` or `2026-11-20T08:00:00Z`"

Since = Annotated[str, QueryParameter(min_length=1, max_length=50, description=f"From when on: {_TIME}.")]
Ever = Annotated[
    str | None, QueryParameter(min_length=1, max_length=50, description=f"From when on: {_TIME}; else ever.")
]
Until = Annotated[
    str | None, QueryParameter(min_length=1, max_length=50, description=f"Until when: {_TIME}; else now.")
]
Name = Annotated[str | None, QueryParameter(min_length=1, max_length=200)]
_SPLIT = QueryParameter(description="One of each agent, version or project.")
Split = Annotated[By, _SPLIT]
MaybeSplit = Annotated[By | None, _SPLIT]


class Chosen(NamedTuple):
    """Whose runs."""

    agent: str | None
    version: str | None
    project: str | None


def chosen(agent: Name = None, version: Name = None, project: Name = None) -> Chosen:
    """Of one agent, one version of it, one project; all where none is said."""
    return Chosen(agent, version, project)


CHOSEN = {"narrowed": Provide(chosen, sync_to_thread=False)}
Narrowed = NamedDependency[SkipValidation[Chosen]]


class Rebuild(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to go on: what the answer before says as `next`; from the beginning where it is left away."""

    next: RebuildStep | None = None


def window(services: Services, since: str | None, until: str | None) -> tuple[int | None, int]:
    """Both ends in milliseconds. Raises InvalidField."""
    now = services.clock()
    start = None if since is None else instant("since", since, now)
    return start, now + 1 if until is None else instant("until", until, now)


@get("/v1/stats", opt={"scope": Scope.READ}, dependencies=CHOSEN, summary="Figures of finished runs over time")
async def show(
    context: Given, narrowed: Narrowed, since: Since = "24h", until: Until = None, by: MaybeSplit = None
) -> Stats:
    """Outcomes, durations, waits, tokens and cost, in at most about 400 minutes, hours or days."""
    asked = Asked(*window(context.services, since, until), *narrowed, by)
    return await stats.chart(context.services, asked)


@post("/v1/stats/rebuild", opt={"scope": Scope.ADMIN}, summary="Count the figures anew", status_code=200)
async def rebuild(context: Given, data: JSONBody[Rebuild]) -> RebuildAnswer:
    """From the runs that there are, for some seconds; repeat it with `next` until that is null."""
    return await rollups.rebuild_within(context.services, data.next or RebuildStep(), WITHIN_S)


HANDLERS = [show, rebuild]
