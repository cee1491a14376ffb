"""Use cases of what all agents did together: figures of today, and totals of each version."""

from typing import NamedTuple

from agentrunner.domain.agent import Agent, AgentVersion
from agentrunner.domain.rollup import LENGTH_MS, Grain, start_of
from agentrunner.engine.services import Services
from agentrunner.store import overview
from agentrunner.store.base import Tx
from agentrunner.store.overview import Sums

ACTIVE_MS = 48 * 3_600_000
"""Who did something within this time is active."""
MOST_VERSIONS = 10_000
_WEEK_MS = 7 * 86_400_000
_MINUTE, _HOUR, _DAY = (LENGTH_MS[grain] for grain in (Grain.MINUTE, Grain.HOUR, Grain.DAY))


class Pair(NamedTuple):
    """What finished runs add up to in a stretch of time, and in the one before it."""

    now: Sums
    before: Sums


class Overview(NamedTuple):
    """Active agents now and a week ago; this day (UTC) and the last; this hour of 60 minutes and the last."""

    active: int
    active_before: int
    days: Pair
    hours: Pair


class Total(NamedTuple):
    """A version of an agent with all its runs that have ever ended; `is_active` as of now."""

    agent: Agent
    version: AgentVersion
    sums: Sums
    heard_at: int
    is_active: bool


async def read(s: Services) -> Overview:
    """The figures of now. Raises QueryTimeout."""
    return await s.db.search(_read, s.clock())


async def _read(tx: Tx, now: int) -> Overview:
    hour = start_of(Grain.HOUR, now) + _HOUR
    return Overview(
        await overview.active_agents(tx, hour - ACTIVE_MS, hour),
        await overview.active_agents(tx, hour - ACTIVE_MS - _WEEK_MS, hour - _WEEK_MS),
        await _pair(tx, Grain.DAY, start_of(Grain.DAY, now) + _DAY, _DAY),
        await _pair(tx, Grain.MINUTE, start_of(Grain.MINUTE, now) + _MINUTE, _HOUR),
    )


async def _pair(tx: Tx, grain: Grain, end: int, length: int) -> Pair:
    return Pair(
        await overview.sums(tx, grain, end - length, end),
        await overview.sums(tx, grain, end - 2 * length, end - length),
    )


async def totals(s: Services) -> list[Total]:
    """The versions of all agents, by the agent's name, the newest version first. Raises QueryTimeout.

    A version was heard of when a run of it last ended, or when it was added.
    """
    return await s.db.search(_totals, s.clock())


async def _totals(tx: Tx, now: int) -> list[Total]:
    sums = await overview.by_version(tx)
    found = []
    for agent, version in await overview.versions(tx, MOST_VERSIONS):
        mine = sums.get(version.id, Sums())
        heard_at = mine.last_seen or version.created_at
        found.append(Total(agent, version, mine, heard_at, heard_at > now - ACTIVE_MS))
    return found
