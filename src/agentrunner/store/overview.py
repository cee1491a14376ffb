"""The SQL of what all agents did together: sums of roll-ups, never a look at a run."""

from typing import NamedTuple

from agentrunner.domain.agent import Agent, AgentVersion
from agentrunner.domain.rollup import Grain
from agentrunner.store.base import Tx
from agentrunner.store.columns import of_values

_SUMS = ("runs", "completed", "failed", "timed", "duration_ms", "cost_micro")
_ADDED = ", ".join(f"COALESCE(sum({name}), 0) AS {name}" for name in _SUMS)
_JSON: dict[str, type] = {"tools": tuple[str, ...], "models": tuple[str, ...], "settings": dict}
_OF_VERSION = AgentVersion.__struct_fields__
_OF_AGENT = Agent.__struct_fields__


class Sums(NamedTuple):
    """What is added up of finished runs; milliseconds, millionths of a dollar. `last_seen` is the latest end or 0."""

    runs: int = 0
    completed: int = 0
    failed: int = 0
    timed: int = 0
    duration_ms: int = 0
    cost_micro: int = 0
    last_seen: int = 0


async def sums(tx: Tx, grain: Grain, start: int, end: int) -> Sums:
    """All runs that ended in stretches that began in [start, end)."""
    sql = f"SELECT {_ADDED} FROM rollups WHERE grain = ? AND start >= ? AND start < ?"
    row = await tx.one(sql, grain.value, start, end)
    assert row is not None
    return Sums(*(row[name] for name in _SUMS))


async def active_agents(tx: Tx, start: int, end: int) -> int:
    """How many agents had a run that ended in an hour that began in [start, end)."""
    # One probe a version: of busy agents nearly every hour has a roll-up, and one is enough.
    sql = """SELECT count(DISTINCT v.agent_id) FROM agent_versions v WHERE EXISTS (SELECT 1 FROM rollups r
             WHERE r.version_id = v.id AND r.grain = 'hour' AND r.start >= ? AND r.start < ?)"""
    row = await tx.one(sql, start, end)
    assert row is not None
    return int(row[0])


async def by_version(tx: Tx) -> dict[int, Sums]:
    """All runs that have ever ended, by the id of their version."""
    sql = f"""SELECT version_id, {_ADDED}, max(last_seen) AS last_seen FROM rollups
              WHERE grain = 'ever' AND start = 0 GROUP BY version_id"""
    return {row["version_id"]: Sums(*(row[name] for name in Sums._fields)) for row in await tx.all(sql)}


async def versions(tx: Tx, limit: int) -> list[tuple[Agent, AgentVersion]]:
    """The newest versions of all agents with their agents: by the agent's name, the newest version first."""
    names = [f"v.{name}" for name in _OF_VERSION] + [f"a.{name}" for name in _OF_AGENT]
    sql = f"""SELECT {", ".join(names)} FROM (SELECT * FROM agent_versions ORDER BY id DESC LIMIT {int(limit)}) v
              JOIN agents a ON a.id = v.agent_id ORDER BY a.name, v.id DESC"""
    middle = len(_OF_VERSION)
    found = []
    for row in await tx.all(sql):
        values = [row[number] for number in range(len(names))]
        agent = Agent(**dict(zip(_OF_AGENT, values[middle:], strict=True)))
        found.append((agent, of_values(dict(zip(_OF_VERSION, values[:middle], strict=True)), AgentVersion, _JSON)))
    return found
