"""HTTP to one server, on a Unix socket or to a URL: few connections, kept open, used by all runs of a worker."""

from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol

import aiohttp

from agentrunner.domain.errors import ServerUnreachable

_PIECE_BYTES = 1 << 16
_IDLE_S = 4.0
"""The pool takes its oldest connection first, so heartbeats alone would keep every connection of a burst in use."""


class Answer(NamedTuple):
    """What the server said: the status and the whole body."""

    status: int
    content: bytes


class Connection(Protocol):
    """Whatever takes requests to a server."""

    async def post(self, path: str, body: bytes, within_s: float) -> Answer:
        """Send JSON and read the answer. Raises ServerUnreachable where there is none in time."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


class HttpConnection:
    """A connection over HTTP; made within a running event loop."""

    def __init__(self, url: str, socket: str | None, token: str) -> None:
        connector = (
            aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_S)
            if socket is None
            else aiohttp.UnixConnector(socket, limit=0, keepalive_timeout=_IDLE_S)
        )
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._url = url.rstrip("/")
        self._session = aiohttp.ClientSession(
            connector=connector, headers=headers, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )

    async def post(self, path: str, body: bytes, within_s: float) -> Answer:
        """Send JSON and read the answer. Raises ServerUnreachable where there is none in time."""
        small = len(body) <= _PIECE_BYTES
        try:
            async with self._session.post(
                self._url + path,
                # In pieces where it is large, so that others have their turn while it is sent.
                data=body if small else _pieces(body),
                headers={"Content-Length": str(len(body))},
                timeout=aiohttp.ClientTimeout(total=within_s),
                allow_redirects=False,
            ) as response:
                return Answer(response.status, await response.read())
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise ServerUnreachable(str(error) or type(error).__name__) from error

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE_BYTES):
        yield body[start : start + _PIECE_BYTES]
