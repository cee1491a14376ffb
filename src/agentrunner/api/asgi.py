"""The types of ASGI, and the bounds of one server."""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds in seconds, bytes and counts; the defaults are the product's, tests shorten them.

    `head_s`, `body_s`: a request must have arrived; `stall_s`: a stream's reader must take a byte;
    `linger_s`: what comes behind a refusal is thrown away for so long; `stop_s`: requests may finish while stopping.
    """

    head_s: float = 10.0
    body_s: float = 30.0
    idle_s: float = 75.0
    stall_s: float = 30.0
    heartbeat_s: float = 15.0
    linger_s: float = 0.5
    stop_s: float = 3.0
    tick_s: float = 1.0
    flush_s: float = 0.05
    head_bytes: int = 16 * 1024
    connections: int = 20_000
