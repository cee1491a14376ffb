"""A worker's connection to a server in the same process, and one to nobody."""

from typing import Any

import httpx

from agentrunner.domain.errors import ServerUnreachable
from agentrunner.worker.connection import Answer


class InProcess:
    """Calls an ASGI application."""

    def __init__(self, app: Any, token: str) -> None:
        transport = httpx.ASGITransport(app=app)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self._client = httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)

    async def post(self, path: str, body: bytes, within_s: float) -> Answer:
        """The application's answer."""
        try:
            answer = await self._client.post(path, content=body, timeout=within_s)
        except httpx.HTTPError as error:
            raise ServerUnreachable(str(error)) from error
        return Answer(answer.status_code, answer.content)

    async def close(self) -> None:
        """Close the client."""
        await self._client.aclose()


class Nobody:
    """Answers nothing."""

    async def post(self, path: str, body: bytes, within_s: float) -> Answer:
        """Never answered."""
        raise ServerUnreachable("nobody is there")

    async def close(self) -> None:
        """Nothing is open."""
