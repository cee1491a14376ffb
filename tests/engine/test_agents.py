"""Agents and versions: registered by name, or by the settings of the runs that are created."""

import pytest

from agentrunner.domain.agent import MAX_VERSIONS, OTHER_VERSION, NewVersion, version_of
from agentrunner.domain.errors import AgentNotFound, NameTaken, VersionNotFound
from agentrunner.domain.run import NewRun
from agentrunner.engine import agents, runs
from agentrunner.store import agents as stored
from agentrunner.store.base import Tx
from engine.world import World


async def test_register(world: World) -> None:
    """An agent has one name, a version one name in its agent; both are found by it."""
    agent = await agents.register(world.s, "reviewer", "web")
    assert await agents.get(world.s, "reviewer") == agent == await agents.by_id(world.s, agent.id)
    assert [each.name for each in await agents.page(world.s, "", 10)] == ["reviewer"]
    assert await agents.page(world.s, "reviewer", 10) == []
    added = await agents.add_version(world.s, agent, NewVersion(version="1.0", tools=("Edit",), models=("m",)))
    assert await agents.version(world.s, agent, "1.0") == added
    assert (added.tools, added.models) == (("Edit",), ("m",))
    assert await agents.versions(world.s, agent) == [added]
    with pytest.raises(NameTaken):
        await agents.register(world.s, "reviewer", "other")
    with pytest.raises(NameTaken):
        await agents.add_version(world.s, agent, NewVersion(version="1.0"))
    with pytest.raises(AgentNotFound):
        await agents.get(world.s, "nobody")
    with pytest.raises(VersionNotFound):
        await agents.version(world.s, agent, "2.0")


async def test_runs_belong(world: World) -> None:
    """The same settings are the same version; others are another; a run that names no agent has none."""
    one, two, other, none = await world.many(
        [
            {"agent": "a", "options": {"argv": ["x"], "model": "m"}},
            {"agent": "a", "options": {"model": "m", "argv": ["x"], "cwd": "/tmp"}},
            {"agent": "a", "options": {"argv": ["y"]}},
            {"options": {"argv": ["x"]}},
        ]
    )
    assert one.agent_version == two.agent_version == version_of("command", one.options).version
    assert other.agent_version not in (None, one.agent_version)
    assert (none.agent, none.agent_version) == (None, None)
    agent = await agents.get(world.s, "a")
    assert {each.version for each in await agents.versions(world.s, agent)} == {one.agent_version, other.agent_version}


async def test_program_names_its_agent(world: World) -> None:
    """The runs of an agent program belong to it by themselves, and a named version is kept."""
    (run,) = await runs.create(world.s, [NewRun(backend="other", goal="x", agent_version="7")])
    assert (run.agent, run.agent_version) == ("other", "7")


async def test_retry_keeps_the_version(world: World) -> None:
    """A retried run counts for the version that the first one counted for."""
    (run,) = await runs.create(world.s, [NewRun(backend="command", agent="a", agent_version="7")])
    await runs.stop(world.s, run.id)
    assert (await runs.retry(world.s, run.id)).agent_version == "7"


async def test_versions_are_bounded(world: World) -> None:
    """Whoever changes the settings with every run gets no endless list of versions."""
    agent = await agents.register(world.s, "a", "")

    async def fill(tx: Tx) -> None:
        for number in range(MAX_VERSIONS):
            await stored.insert_version(tx, agent.id, NewVersion(version=f"v{number}"), 0)

    await world.s.db.write(fill)
    made = await world.many([{"agent": "a", "options": {"argv": [str(n)]}} for n in range(3)])
    assert {run.agent_version for run in made} == {OTHER_VERSION}
    assert len(await agents.versions(world.s, agent)) == MAX_VERSIONS + 1
