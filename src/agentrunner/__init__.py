"""Runs AI agents as supervised processes and keeps a true record of every step, whatever is killed."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentrunner.client.async_client import AsyncClient
    from agentrunner.client.client import Client
    from agentrunner.client.reporter import Reporter, ReporterOptions

__version__ = "0.1.0"

__all__ = ["AsyncClient", "Client", "Reporter", "ReporterOptions", "__version__"]

_PLACES = {
    "AsyncClient": "agentrunner.client.async_client",
    "Client": "agentrunner.client.client",
    "Reporter": "agentrunner.client.reporter",
    "ReporterOptions": "agentrunner.client.reporter",
}


def __getattr__(name: str) -> Any:
    """A public name, its module loaded now: commands and workers need none of them."""
    if name not in _PLACES:
        raise AttributeError(f"module 'agentrunner' has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
