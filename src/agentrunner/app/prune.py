"""Deleting what is past its retention now, instead of when server and worker next do it by themselves."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from agentrunner.app.db import held
from agentrunner.app.wiring import open_services
from agentrunner.client import retention as remote
from agentrunner.client.http import Http
from agentrunner.config import Settings
from agentrunner.domain.retention import Pruned
from agentrunner.engine import retention
from agentrunner.process import holder
from agentrunner.worker.retention import Kept, Spools, due_now

DAY_S = 86_400.0
_PIECE_S = 5.0

Tell = Callable[[Pruned], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """What went, or would go: of the record, and of this host's raw output.

    `is_left` where a worker of this data directory runs: it alone deletes raw output, within a minute of its time.
    """

    record: Pruned
    spools: list[Kept]
    is_left: bool


def prune(settings: Settings, dry_run: bool, tell: Tell) -> Gone:
    """Through the server where one runs, else by itself; `tell` is given the sum so far.

    Raises ConfigurationError, and what a server answers.
    """
    is_served = bool(settings.server_url) or holder.is_held(settings.data_path / "server.lock")
    record = _asked(settings, dry_run, tell) if is_served else _alone(settings, dry_run, tell)
    spools = Spools(settings.data_path / "runs" / record.instance_id)
    limits = settings.retention_spools * DAY_S, settings.retention_spools_bytes
    is_left = holder.is_held(settings.data_path / "worker.lock")
    if dry_run or is_left:
        return Gone(record=record, spools=due_now(spools.kept(), *limits), is_left=is_left)
    return Gone(record=record, spools=spools.sweep(*limits, lambda _: False), is_left=False)


def _asked(settings: Settings, dry_run: bool, tell: Tell) -> Pruned:
    with Http.connect(settings) as http:
        if dry_run:
            return remote.plan(http)
        total = Pruned(is_done=False)
        while not total.is_done:
            total = total.plus(remote.prune(http))
            tell(total)
        return total


def _alone(settings: Settings, dry_run: bool, tell: Tell) -> Pruned:
    with held(settings.data_path):
        return asyncio.run(_record(settings, dry_run, tell))


async def _record(settings: Settings, dry_run: bool, tell: Tell) -> Pruned:
    async with open_services(settings) as services:
        if dry_run:
            return await retention.plan(services)
        total = Pruned(is_done=False)
        while not total.is_done:
            total = total.plus(await retention.prune(services, _PIECE_S))
            tell(total)
        return total
