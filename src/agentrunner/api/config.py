"""What a console or a client has to know of this server before it asks for more."""

from importlib.metadata import version

import msgspec

from agentrunner.api import cookies, query
from agentrunner.api import events as reported
from agentrunner.api import runs as created
from agentrunner.api.auth import presented
from agentrunner.api.call import Call
from agentrunner.api.context import Context
from agentrunner.api.routes import Raw
from agentrunner.config import OPTIONAL_SERVICES
from agentrunner.domain.control import PROTOCOL_VERSION
from agentrunner.domain.instant import rfc3339
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

    `instance` names the database: another value means that ids and cursors kept elsewhere are void. `now` is the
    server's clock, `scope` what the asker may do, and `by_session` that a session's cookie says so. `services` are the
    optional ones that `GET /v1/services` looks at.
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
    now: str
    scope: Scope
    by_session: bool
    services: list[str]


async def show(context: Context, call: Call, _: str) -> None:
    """`GET /v1/config`."""
    query.check(call.scope["query_string"], (), ())
    settings = context.services.settings
    instance = await context.services.db.read(meta.get, INSTANCE)
    view = ConfigView(
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
        now=rfc3339(context.services.clock()),
        scope=call.held or Scope.ADMIN,
        by_session=call.held is not None and presented(call) is None and cookies.sent(call) is not None,
        services=[name for name in OPTIONAL_SERVICES if getattr(settings, f"{name}_url")],
    )
    await call.json(view)


ROUTES = [
    Raw("GET", "/v1/config", Scope.READ, show, "What clients have to know of this server", answers={200: ConfigView})
]
