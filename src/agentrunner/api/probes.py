"""Looks whether another server answers: one GET without credentials, its status line read, no redirect followed."""

import asyncio
import ssl
import time
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

Health = Literal["up", "failing", "down"]
WITHIN_S = 2.0
REMEMBER_S = 10.0
_MOST_BYTES = 8192
_REQUEST = b"GET %b HTTP/1.1\r\nHost: %b\r\nAccept: */*\r\nUser-Agent: agentrunner\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look found: `up` answers, `failing` answers a server's error, `down` does not; `at` is `monotonic`."""

    health: Health
    detail: str
    status: int | None
    latency_ms: float | None
    at: float


class Probes:
    """What was lately seen of each address: one look at a time each, good for 10 s, for however many ask."""

    def __init__(self) -> None:
        self._looks: dict[str, asyncio.Task[Seen]] = {}

    async def look(self, url: str) -> Seen:
        """What is at an address, within 2 s."""
        task = self._looks.get(url)
        if task is None or (task.done() and time.monotonic() - task.result().at > REMEMBER_S):
            task = self._looks[url] = asyncio.create_task(_look(url))
        # Whoever asked may go; the others still wait.
        return await asyncio.shield(task)


async def _look(url: str) -> Seen:
    began = time.monotonic()
    try:
        async with asyncio.timeout(WITHIN_S):
            status = await _status(url)
    except TimeoutError:
        return Seen("down", f"no answer within {WITHIN_S:g} s", None, None, time.monotonic())
    except (OSError, ValueError) as error:
        return Seen("down", _why(error), None, None, time.monotonic())
    now = time.monotonic()
    health: Health = "failing" if status >= 500 else "up"
    return Seen(health, f"answers {status}", status, round((now - began) * 1000, 1), now)


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__)[:200]


async def _status(url: str) -> int:
    """The status of an answer. Raises OSError, ValueError."""
    parts = urlsplit(url)
    is_secure = parts.scheme == "https"
    port = parts.port or (443 if is_secure else 80)
    reader, writer = await asyncio.open_connection(
        parts.hostname, port, ssl=ssl.create_default_context() if is_secure else None, limit=_MOST_BYTES
    )
    try:
        writer.write(_REQUEST % ((parts.path or "/").encode(), parts.netloc.encode()))
        await writer.drain()
        line = await reader.readline()
    finally:
        # Not closed in order: what it still sends is not wanted.
        writer.transport.abort()
    version, _, rest = line.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
        raise ValueError("what answers there does not speak HTTP")
    return int(rest[:3])
