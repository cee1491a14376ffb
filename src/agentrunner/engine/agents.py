"""Use cases of agents: register one, add a version, find what a run belongs to."""

import msgspec

from agentrunner.domain.agent import (
    MAX_VERSIONS,
    OTHER_VERSION,
    Agent,
    AgentVersion,
    NewVersion,
    agent_of,
    version_of,
)
from agentrunner.domain.errors import AgentNotFound, NameTaken, VersionNotFound
from agentrunner.domain.rollup import Grain, Tally
from agentrunner.domain.run import Run
from agentrunner.domain.stats import Adding
from agentrunner.engine.services import Services
from agentrunner.store import agents, rollups
from agentrunner.store.base import Tx

LISTED = 10_000
"""How many versions one list holds: more than an agent gets by itself."""


async def register(s: Services, name: str, project: str) -> Agent:
    """Register an agent. Raises NameTaken."""
    return await s.db.write(_register, name, project, s.clock())


async def _register(tx: Tx, name: str, project: str, now: int) -> Agent:
    agent_id = await agents.insert(tx, name, project, now)
    if agent_id is None:
        raise NameTaken(f"There is an agent called {name!r} already.")
    return Agent(id=agent_id, name=name, project=project, created_at=now, updated_at=now)


async def get(s: Services, name: str) -> Agent:
    """One agent by name. Raises AgentNotFound."""
    return await s.db.read(find, name)


async def find(tx: Tx, name: str) -> Agent:
    """The same inside a transaction."""
    agent = await agents.by_name(tx, name)
    if agent is None:
        raise AgentNotFound(f"There is no agent called {name!r}.")
    return agent


async def by_id(s: Services, agent_id: int) -> Agent:
    """One agent. Raises AgentNotFound."""
    agent = await s.db.read(agents.get, agent_id)
    if agent is None:
        raise AgentNotFound(f"There is no agent {agent_id}.")
    return agent


async def page(s: Services, after: str, limit: int) -> list[Agent]:
    """Agents behind a name, in the order of their names."""
    return await s.db.read(agents.page, after, limit)


async def add_version(s: Services, agent: Agent, new: NewVersion) -> AgentVersion:
    """Add a version to an agent. Raises NameTaken."""
    return await s.db.write(_add_version, agent, new, s.clock())


async def _add_version(tx: Tx, agent: Agent, new: NewVersion, now: int) -> AgentVersion:
    if await agents.insert_version(tx, agent.id, new, now) is None:
        raise NameTaken(f"The agent {agent.name!r} has a version {new.version!r} already.")
    return await find_version(tx, agent, new.version)


async def version(s: Services, agent: Agent, name: str) -> AgentVersion:
    """One version of an agent. Raises VersionNotFound."""
    return await s.db.read(find_version, agent, name)


async def find_version(tx: Tx, agent: Agent, name: str) -> AgentVersion:
    """The same inside a transaction."""
    found = await agents.version(tx, agent.id, name)
    if found is None:
        raise VersionNotFound(f"The agent {agent.name!r} has no version {name!r}.")
    return found


async def versions(s: Services, agent: Agent) -> list[AgentVersion]:
    """The versions of an agent, the newest first."""
    return await s.db.read(agents.versions, agent.id, LISTED)


async def page_behind(s: Services, agent_id: int, limit: int) -> list[Agent]:
    """Agents behind one by its id (0: from the first on), in the order of their names."""
    return await s.db.read(_page_behind, agent_id, limit)


async def _page_behind(tx: Tx, agent_id: int, limit: int) -> list[Agent]:
    last = await agents.get(tx, agent_id)
    return await agents.page(tx, "" if last is None else last.name, limit)


async def versions_with_totals(
    s: Services, agent_id: int, before: int, limit: int
) -> tuple[Agent, list[tuple[AgentVersion, Tally]]]:
    """Versions of an agent that are older than one by its id, the newest first, with all their runs that ever ended.

    Raises AgentNotFound, QueryTimeout.
    """
    return await s.db.search(_versions_with_totals, agent_id, before, limit)


async def _versions_with_totals(
    tx: Tx, agent_id: int, before: int, limit: int
) -> tuple[Agent, list[tuple[AgentVersion, Tally]]]:
    agent = await agents.get(tx, agent_id)
    if agent is None:
        raise AgentNotFound(f"There is no agent {agent_id}.")
    found = await agents.versions_behind(tx, agent_id, before, limit)
    sums = {each.id: Adding() for each in found}
    for kept in await rollups.read(tx, Grain.EVER, 0, 1, list(sums)):
        sums[kept.key.version_id].add(kept.tally)
    return agent, [(each, sums[each.id].tally) for each in found]


async def belong(tx: Tx, run: Run, now: int) -> Run:
    """The run with its agent and version, which are there from now on; `run.agent_version` is kept where it has one.

    An agent that has 1,000 versions gets no more by itself: further settings count for its version `other`.
    """
    name = agent_of(run.agent, run.backend)
    if name is None:
        return run
    wanted = version_of(run.backend, run.options)
    if run.agent_version is not None:
        wanted = msgspec.structs.replace(wanted, version=run.agent_version)
    await agents.insert(tx, name, run.project, now)
    agent = await find(tx, name)
    if await agents.version(tx, agent.id, wanted.version) is None:
        if await agents.count_versions(tx, agent.id, MAX_VERSIONS) >= MAX_VERSIONS:
            wanted = NewVersion(version=OTHER_VERSION)
        await agents.insert_version(tx, agent.id, wanted, now)
    return msgspec.structs.replace(run, agent=name, agent_version=wanted.version)
