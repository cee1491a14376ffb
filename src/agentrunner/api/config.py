"""What a console or a client has to know of this server before it asks for more."""

from importlib.metadata import version

import msgspec
from litestar import get

from agentrunner.api import events as reported
from agentrunner.api import runs as created
from agentrunner.api.routes import Given
from agentrunner.domain.control import PROTOCOL_VERSION
from agentrunner.domain.run import MAX_BATCH
from agentrunner.domain.token import Scope
from agentrunner.engine.workers import INSTANCE
from agentrunner.store import meta


class Most(msgspec.Struct, frozen=True, kw_only=True):
    """The most that one request takes."""

    runs: int = MAX_BATCH
    runs_bytes: int = created.CREATE_BYTES
    events: int = reported.MOST_EVENTS
    events_bytes: int = reported.BODY_BYTES


class ConfigView(msgspec.Struct, frozen=True, kw_only=True):
    """The server's version and settings, as far as others need them; milliseconds for polling, seconds for leases.

    `instance` names the database: another value means that ids and cursors kept elsewhere are void.
    """

    version: str
    instance: str
    protocol: int
    polling_interval_fast: int
    polling_max_backoff: int
    event_max_buffer: int
    lease_s: float
    heartbeat_s: float
    stream_heartbeat_s: float
    insecure_no_auth: bool
    workers_from_network: bool
    most: Most


@get("/v1/config", opt={"scope": Scope.READ}, summary="What clients have to know of this server")
async def show(context: Given) -> ConfigView:
    """Version, instance and settings."""
    settings = context.services.settings
    instance = await context.services.db.read(meta.get, INSTANCE)
    return ConfigView(
        version=version("agentrunner"),
        instance=instance or "",
        protocol=PROTOCOL_VERSION,
        polling_interval_fast=settings.polling_interval_fast,
        polling_max_backoff=settings.polling_max_backoff,
        event_max_buffer=settings.event_max_buffer,
        lease_s=settings.lease_s,
        heartbeat_s=settings.heartbeat_s,
        stream_heartbeat_s=context.bounds.heartbeat_s,
        insecure_no_auth=settings.insecure_no_auth,
        workers_from_network=settings.workers_from_network,
        most=Most(),
    )


HANDLERS = [show]
