"""The optional services beside Agent Runner over HTTP: whether the ones in the settings answer."""

import asyncio
import time
from typing import Literal

import msgspec
from litestar import get

from agentrunner.api.probes import Health
from agentrunner.api.routes import Given
from agentrunner.config import OPTIONAL_SERVICES
from agentrunner.domain.instant import rfc3339
from agentrunner.domain.token import Scope

_PATHS = {"forgejo": "/api/healthz", "taiga": "/api/v1/", "ollama": "/api/version"}
"""What each answers to everybody, and cheaply."""
_TITLES = {"forgejo": "Forgejo", "taiga": "Taiga", "ollama": "Ollama"}


class ServiceView(msgspec.Struct, frozen=True, kw_only=True):
    """An optional service: `up` answers, `failing` answers a server's error (5xx), `down` does not answer within 2 s.

    `detail` says so in words. What was seen is at most 10 s old.
    """

    name: Literal["forgejo", "taiga", "ollama"]
    title: str
    url: str
    status: Health
    detail: str
    http_status: int | None
    latency_ms: float | None
    checked_at: str


class ServicePage(msgspec.Struct, frozen=True, kw_only=True):
    """The services in the settings, always in the same order; none where none is set."""

    items: list[ServiceView]
    next_cursor: str | None


@get("/v1/services", opt={"scope": Scope.READ}, summary="Whether the optional services answer")
async def page(context: Given) -> ServicePage:
    """Forgejo, Taiga and Ollama, as far as their URLs are set, all looked at at once."""
    urls = {name: str(getattr(context.services.settings, f"{name}_url")).rstrip("/") for name in OPTIONAL_SERVICES}
    wanted = [(name, url) for name, url in urls.items() if url]
    seen = await asyncio.gather(*(context.probes.look(url + _PATHS[name]) for name, url in wanted))
    now, clock = time.monotonic(), context.services.clock()
    items = [
        ServiceView(
            name=name,  # type: ignore[arg-type]
            title=_TITLES[name],
            url=url,
            status=found.health,
            detail=found.detail,
            http_status=found.status,
            latency_ms=found.latency_ms,
            checked_at=rfc3339(clock - round((now - found.at) * 1000)),
        )
        for (name, url), found in zip(wanted, seen, strict=True)
    ]
    return ServicePage(items=items, next_cursor=None)


HANDLERS = [page]
