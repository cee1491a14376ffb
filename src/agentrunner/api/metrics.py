"""The Agent Metrics surface (`/api/v1/agents`, `/api/v1/ui`): agents, versions, their runs, figures of a dashboard.

It answers as the server does for which its clients were written: its shapes, its success codes, its texts where it
refuses. What a query says that is not understood is ignored, as there.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec

from agentrunner.api import metrics_wire, query
from agentrunner.api.call import BODY_BYTES, Call, decode
from agentrunner.api.context import Context
from agentrunner.api.metrics_wire import (
    MetricsActivity,
    MetricsAgent,
    MetricsCard,
    MetricsNewAgent,
    MetricsNewRuns,
    MetricsNewVersion,
    MetricsRun,
    MetricsTotal,
    MetricsVersion,
)
from agentrunner.api.ops import KEY_HEADER, answer_page, number, said
from agentrunner.api.routes import Raw
from agentrunner.api.runs import checked_key
from agentrunner.domain.agent import Agent, AgentVersion
from agentrunner.domain.errors import AgentNotFound, InvalidField, InvalidRequest, NameTaken, VersionNotFound
from agentrunner.domain.finished import Finished
from agentrunner.domain.token import Scope
from agentrunner.engine import agents, finished, overview
from agentrunner.engine.finished import Target
from agentrunner.engine.services import Services

MOST_AGENTS = 10_000
MOST_RUNS = 10_000
RUNS_SHOWN = 1000
RUNS_BYTES = 8 * 1024 * 1024
LATELY = 10
_NOUN = "finished"
_ID_DIGITS = 24
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_HEX = frozenset("0123456789abcdefABCDEF")

T = TypeVar("T")
Serve = Callable[[Context, Call, str], Awaitable[None]]


class MetricsRunsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs: the newest `limit`; `cursor` is what the header Link of the page before says."""

    limit: int = RUNS_SHOWN
    cursor: str | None = None


async def _decoded(call: Call, kind: type[T], limit: int = BODY_BYTES) -> T:
    """The body, whatever it says to be: the documents' clients do not all say so."""
    content = await call.body(limit)
    try:
        with call.decoding():
            return decode(content, kind)
    except InvalidRequest as error:
        raise InvalidRequest(f"Invalid request body: {error.detail}") from error


def _agent_id(text: str) -> int:
    """The number of an id in a path. Raises InvalidRequest."""
    if len(text) != _ID_DIGITS or not set(text) <= _HEX:
        raise InvalidRequest("Invalid agent ID format")
    return int(text, 16)


async def _agent(s: Services, text: str) -> Agent:
    """The agent of an id in a path. Raises InvalidRequest, AgentNotFound."""
    wanted = _agent_id(text)
    try:
        if wanted > query.MAX_ID:
            raise AgentNotFound
        return await agents.by_id(s, wanted)
    except AgentNotFound as error:
        raise AgentNotFound("agent not found") from error


async def page(context: Context, call: Call, _: str) -> None:
    """`GET /api/v1/agents`."""
    found = await agents.page(context.services, "", MOST_AGENTS)
    await call.json([metrics_wire.agent(each) for each in found])


async def register(context: Context, call: Call, name: str) -> None:
    """`POST /api/v1/agents/{name}/register`."""
    body = await _decoded(call, MetricsNewAgent)
    if body.name and body.name != name:
        raise InvalidRequest("Agent name in URL and request body must match")
    if not _NAME.fullmatch(name):
        raise InvalidRequest("Agent name has 1 to 200 characters, none of them a control character")
    try:
        found = await agents.register(context.services, name, body.project or "")
    except NameTaken as error:
        raise NameTaken("Failed to create agent: agent with this name already exists") from error
    await call.json(metrics_wire.agent(found), 201)


async def add_version(context: Context, call: Call, agent_id: str) -> None:
    """`POST /api/v1/agents/{agent_id}/versions`."""
    agent = await _agent(context.services, agent_id)
    body = await _decoded(call, MetricsNewVersion)
    try:
        found = await agents.add_version(context.services, agent, metrics_wire.new_version(body))
    except NameTaken as error:
        raise NameTaken("Failed to add agent version: version already exists for this agent") from error
    await call.json(metrics_wire.version(found), 201)


async def versions(context: Context, call: Call, agent_id: str) -> None:
    """`GET /api/v1/agents/{agent_id}/versions`."""
    agent = await _agent(context.services, agent_id)
    await call.json([metrics_wire.version(each) for each in await agents.versions(context.services, agent)])


async def show_version(context: Context, call: Call, text: str) -> None:
    """`GET /api/v1/agents/{agent_id}/versions/{version}`."""
    agent_id, _, name = text.partition("/")
    agent = await _agent(context.services, agent_id)
    await call.json(metrics_wire.version(await _version(context.services, agent, name)))


async def add_runs(context: Context, call: Call, text: str) -> None:
    """`POST /api/v1/agents/{agent_id}/versions/{version}/runs`: of one run that run, of `runs` an array."""
    key = checked_key(call.header(b"idempotency-key"))
    agent_id, _, name = text.partition("/")
    agent = await _agent(context.services, agent_id)
    version = await _version(context.services, agent, name)
    body = await _decoded(call, MetricsNewRuns, RUNS_BYTES)
    stored = await finished.add(context.services, Target(agent.id, name), _finished(body), key)
    made = [metrics_wire.run(each, agent.id, version.id) for each in stored]
    await call.json(made[0] if body.runs is None else made, 201)


def _finished(body: MetricsNewRuns) -> list[Finished]:
    try:
        if body.runs is None:
            return [metrics_wire.finished(body)]
        return [metrics_wire.finished(each, f"runs[{number}].") for number, each in enumerate(body.runs)]
    except InvalidField as error:
        raise InvalidRequest(f"Invalid request body: {error.detail}") from error


async def _version(s: Services, agent: Agent, name: str) -> AgentVersion:
    try:
        if "\x00" in name:
            raise VersionNotFound
        return await agents.version(s, agent, name)
    except VersionNotFound as error:
        raise VersionNotFound("version not found for this agent") from error


async def runs_of_version(context: Context, call: Call, text: str) -> None:
    """`GET /api/v1/agents/{agent_id}/versions/{version}/runs`."""
    agent_id, _, name = text.partition("/")
    agent = await _agent(context.services, agent_id)
    ids = {name: (await _version(context.services, agent, name)).id}
    await _runs(context, call, agent, ids, name)


async def runs_of_agent(context: Context, call: Call, agent_id: str) -> None:
    """`GET /api/v1/agents/{agent_id}/runs`."""
    agent = await _agent(context.services, agent_id)
    ids = {each.version: each.id for each in await agents.versions(context.services, agent)}
    await _runs(context, call, agent, ids, None)


async def _runs(context: Context, call: Call, agent: Agent, ids: dict[str, int], version: str | None) -> None:
    asked = said(call)
    limit = number(asked.get("limit"), RUNS_SHOWN, "limit", MOST_RUNS)
    before = query.position(_NOUN, asked.get("cursor") or None)
    found = await finished.page(context.services, agent, version, before, limit + 1)
    shown = [metrics_wire.run(each, agent.id, ids.get(each.run.agent_version or "", 0)) for each in found[:limit]]
    link = ""
    if len(found) > limit:
        following = urlencode({"limit": limit, "cursor": query.cursor(_NOUN, shown[-1].run_id)})
        link = f"{quote(call.path)}?{following}"
    await answer_page(call, msgspec.json.encode(shown), link)


async def show_stats(context: Context, call: Call, _: str) -> None:
    """`GET /api/v1/ui/stats`."""
    await call.json(metrics_wire.cards(await overview.read(context.services)))


async def recent_activity(context: Context, call: Call, _: str) -> None:
    """`GET /api/v1/ui/recent_activity`."""
    await call.json([metrics_wire.activity(each) for each in await finished.recent(context.services, LATELY)])


async def agent_versions(context: Context, call: Call, _: str) -> None:
    """`GET /api/v1/ui/agent_versions`."""
    await call.json([metrics_wire.total(each) for each in await overview.totals(context.services)])


def _read(path: str, serve: Serve, summary: str, answer: object, *, paged: bool = False) -> Raw:
    asked = MetricsRunsQuery if paged else None
    return Raw("GET", path, Scope.READ, serve, f"Agent Metrics: {summary}", query=asked, answers={200: answer})


def _post(path: str, serve: Serve, summary: str, body: object, answer: object) -> Raw:
    bodies = {"application/json": body}
    header = KEY_HEADER if body is MetricsNewRuns else None
    named = f"Agent Metrics: {summary}"
    return Raw("POST", path, Scope.REPORT, serve, named, bodies=bodies, answers={201: answer}, header=header)


_AGENTS = "/api/v1/agents"
_VERSIONS = f"{_AGENTS}/{{agent_id}}/versions"
_RUNS = f"{_VERSIONS}/{{version}}/runs"
ROUTES: Sequence[Raw] = [
    _read(_AGENTS, page, "agents by name", list[MetricsAgent]),
    _post(f"{_AGENTS}/{{name}}/register", register, "register an agent", MetricsNewAgent, MetricsAgent),
    _post(_VERSIONS, add_version, "add a version to an agent", MetricsNewVersion, MetricsVersion),
    _read(_VERSIONS, versions, "the versions of an agent, the newest first", list[MetricsVersion]),
    _read(f"{_VERSIONS}/{{version}}", show_version, "one version of an agent", MetricsVersion),
    _post(_RUNS, add_runs, "report a run that is over, or many", MetricsNewRuns, MetricsRun | list[MetricsRun]),
    _read(_RUNS, runs_of_version, "the runs of a version, the newest first", list[MetricsRun], paged=True),
    _read(f"{_AGENTS}/{{agent_id}}/runs", runs_of_agent, "the runs of an agent", list[MetricsRun], paged=True),
    _read("/api/v1/ui/stats", show_stats, "four figures of today", list[MetricsCard]),
    _read("/api/v1/ui/recent_activity", recent_activity, "the runs that began last", list[MetricsActivity]),
    _read("/api/v1/ui/agent_versions", agent_versions, "versions with their metrics", list[MetricsTotal]),
]
