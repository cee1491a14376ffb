"""The SQL of agents and their versions."""

from collections.abc import Sequence

import msgspec

from agentrunner.domain.agent import Agent, AgentVersion, NewVersion
from agentrunner.store.base import Tx
from agentrunner.store.columns import decode, encode

_JSON: dict[str, type] = {"tools": tuple[str, ...], "models": tuple[str, ...], "settings": dict}
_AT_ONCE = 500
_AGENT = "SELECT id, name, project, created_at, updated_at FROM agents"
_VERSION = """SELECT id, agent_id, version, cluster, tools, models, deployment, settings, created_at, updated_at
              FROM agent_versions"""


async def insert(tx: Tx, name: str, project: str, now: int) -> int | None:
    """Store an agent; None where the name is taken."""
    sql = """INSERT INTO agents (name, project, created_at, updated_at) VALUES (?, ?, ?, ?)
             ON CONFLICT (name) DO NOTHING RETURNING id"""
    row = await tx.one(sql, name, project, now, now)
    return None if row is None else row[0]


async def by_name(tx: Tx, name: str) -> Agent | None:
    """The agent of this name."""
    row = await tx.one(f"{_AGENT} WHERE name = ?", name)
    return None if row is None else decode(row, Agent, {})


async def get(tx: Tx, agent_id: int) -> Agent | None:
    """One agent."""
    row = await tx.one(f"{_AGENT} WHERE id = ?", agent_id)
    return None if row is None else decode(row, Agent, {})


async def page(tx: Tx, after: str, limit: int) -> list[Agent]:
    """Agents behind a name, in the order of their names."""
    rows = await tx.all(f"{_AGENT} WHERE name > ? ORDER BY name LIMIT {int(limit)}", after)
    return [decode(row, Agent, {}) for row in rows]


async def insert_version(tx: Tx, agent_id: int, new: NewVersion, now: int) -> int | None:
    """Store a version; None where the agent has it already."""
    sql = """INSERT INTO agent_versions
             (agent_id, version, cluster, tools, models, deployment, settings, created_at, updated_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (agent_id, version) DO NOTHING RETURNING id"""
    values = (new.version, new.cluster, list(new.tools), list(new.models), new.deployment, new.settings)
    row = await tx.one(sql, agent_id, *map(encode, values), now, now)
    return None if row is None else row[0]


async def version(tx: Tx, agent_id: int, name: str) -> AgentVersion | None:
    """One version of an agent."""
    row = await tx.one(f"{_VERSION} WHERE agent_id = ? AND version = ?", agent_id, name)
    return None if row is None else decode(row, AgentVersion, _JSON)


async def versions(tx: Tx, agent_id: int, limit: int) -> list[AgentVersion]:
    """The versions of an agent, the newest first."""
    rows = await tx.all(f"{_VERSION} WHERE agent_id = ? ORDER BY id DESC LIMIT {int(limit)}", agent_id)
    return [decode(row, AgentVersion, _JSON) for row in rows]


async def versions_by_ids(tx: Tx, ids: list[int]) -> dict[int, tuple[Agent, AgentVersion]]:
    """Versions with their agents, by the version's id."""
    found: dict[int, tuple[Agent, AgentVersion]] = {}
    for version_id in ids:
        row = await tx.one(f"{_VERSION} WHERE id = ?", version_id)
        if row is not None:
            known = decode(row, AgentVersion, _JSON)
            agent = await get(tx, known.agent_id)
            assert agent is not None
            found[version_id] = (agent, known)
    return found


async def version_id(tx: Tx, agent: str | None, name: str | None) -> int:
    """The id of an agent's version by their names; 0 for none."""
    if agent is None or name is None:
        return 0
    sql = """SELECT v.id FROM agent_versions v JOIN agents a ON a.id = v.agent_id
             WHERE a.name = ? AND v.version = ?"""
    row = await tx.one(sql, agent, name)
    return 0 if row is None else int(row[0])


async def count_versions(tx: Tx, agent_id: int, most: int) -> int:
    """How many versions an agent has, counted up to `most`."""
    sql = f"SELECT count(*) FROM (SELECT 1 FROM agent_versions WHERE agent_id = ? LIMIT {int(most)}) AS found"
    row = await tx.one(sql, agent_id)
    assert row is not None
    return int(row[0])


async def version_ids(tx: Tx, agent_id: int) -> list[int]:
    """The ids of an agent's versions."""
    return [row[0] for row in await tx.all("SELECT id FROM agent_versions WHERE agent_id = ?", agent_id)]


async def versions_behind(tx: Tx, agent_id: int, before: int, limit: int) -> list[AgentVersion]:
    """The versions of an agent that are older than one by its id, the newest first."""
    sql = f"{_VERSION} WHERE agent_id = ? AND id < ? ORDER BY id DESC LIMIT {int(limit)}"
    return [decode(row, AgentVersion, _JSON) for row in await tx.all(sql, agent_id, before)]


async def names(tx: Tx, ids: Sequence[int]) -> dict[int, tuple[str, str, tuple[str, ...]]]:
    """The agent, the version's name and its models of some versions, by the version's id."""
    found: dict[int, tuple[str, str, tuple[str, ...]]] = {}
    for begin in range(0, len(ids), _AT_ONCE):
        some = ids[begin : begin + _AT_ONCE]
        sql = f"""SELECT v.id, a.name AS agent, v.version, v.models FROM agent_versions v
                  JOIN agents a ON a.id = v.agent_id WHERE v.id IN ({", ".join("?" * len(some))})"""
        for row in await tx.all(sql, *some):
            found[row[0]] = (row[1], row[2], tuple(msgspec.json.decode(row[3], type=list[str])))
    return found
