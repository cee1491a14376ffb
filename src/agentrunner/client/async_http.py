"""The client of `http` for programs with an event loop: the same rules, awaited."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TypeVar

import httpx

from agentrunner.client.answer import STREAM_TIMEOUT, TIMEOUT, Answer, Failed, Tries, Way, read
from agentrunner.client.call import Call
from agentrunner.client.errors import error_of
from agentrunner.client.request import Request, stream_headers
from agentrunner.client.target import Target
from agentrunner.domain.errors import Unavailable

T = TypeVar("T")


class AsyncHttp:
    """Connections to one server, shared by the tasks of one event loop. Close it, or use it in an `async with`."""

    def __init__(self, target: Target, *, chance: Callable[[], float] = random.random) -> None:
        self.target = target
        self._chance = chance
        self._way = Way(target)
        transport = httpx.AsyncHTTPTransport(uds=self._way.socket_path, verify=self._way.is_secure)
        self._client = httpx.AsyncClient(
            base_url=target.url, headers=self._way.headers(), timeout=TIMEOUT, transport=transport, trust_env=False
        )

    async def __aenter__(self) -> "AsyncHttp":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; more than once is harmless."""
        await self._client.aclose()
        self._way.close()

    async def call(self, call: Call[T]) -> T:
        """What a call answers. Raises as `send`."""
        return call.read(await self.send(call.request))

    async def send(self, request: Request) -> Answer:
        """Send a request, again where that can do no harm: a few times within some seconds.

        Raises ServerUnreachable where nobody answers, else the server's own error.
        """
        tries = Tries(request, self.target, self._chance)
        while True:
            try:
                return await self._once(request)
            except (Failed, Unavailable) as error:
                pause = tries.after(error)
            await asyncio.sleep(pause)

    async def _once(self, request: Request) -> Answer:
        with self._way.translated():
            response = await self._client.request(
                request.method,
                request.path,
                params=list(request.params) or None,
                content=request.body,
                headers=request.headers,
            )
        return read(response)

    @asynccontextmanager
    async def stream(self, path: str, last_id: int) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes of a stream of server-sent events behind `last_id`, as they come; never repeated by itself.

        Raises ServerUnreachable, also while the bytes are read, and the server's own errors.
        """
        headers = stream_headers(last_id)
        try:
            with self._way.translated():
                async with self._client.stream("GET", path, headers=headers, timeout=STREAM_TIMEOUT) as response:
                    if response.status_code >= 300:
                        raise error_of(response.status_code, await response.aread())
                    yield response.aiter_bytes()
        except Failed as failure:
            raise failure.told from failure.__cause__
