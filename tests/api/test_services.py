"""The optional services: looked at by the server, bounded in time, never twice at once, and nothing is followed."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from agentrunner.api import probes
from agentrunner.api.probes import Probes
from agentrunner.api.server import Application
from agentrunner.config import BadSetting, load
from waiting import eventually


@dataclass
class Neighbour:
    """Another server: answers each request with the same bytes, or never."""

    answer: bytes | None
    port: int = 0
    heads: list[bytes] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        if self.answer is None:
            await self.released.wait()
        else:
            writer.write(self.answer)
        writer.close()

    async def was_asked(self) -> bool:
        """Whether anybody has asked."""
        return bool(self.heads)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def neighbour(answer: bytes | None) -> AsyncIterator[Neighbour]:
    """One that listens."""
    found = Neighbour(answer)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        found.released.set()
        server.close()
        await server.wait_closed()


def answer(status: str, *headers: str) -> bytes:
    """An answer without content."""
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "content-length: 0", "", ""]).encode()


@pytest.mark.parametrize(
    ("given", "health", "status"),
    [
        (answer("200 OK"), "up", 200),
        (answer("302 Found", "location: http://127.0.0.1:1/"), "up", 302),
        (answer("404 Not Found"), "up", 404),
        (answer("503 Busy"), "failing", 503),
        (b"SSH-2.0-OpenSSH\r\n", "down", None),
        (b"HTTP/1.1 abc\r\n\r\n", "down", None),
        (b"x" * 100_000, "down", None),
        (b"", "down", None),
    ],
    ids=["fine", "redirect", "missing", "broken", "ssh", "no status", "endless line", "nothing"],
)
async def test_what_is_seen(given: bytes, health: str, status: int | None) -> None:
    """One request without credentials; what it answers is judged by its status alone, a redirect is not followed."""
    async with neighbour(given) as other:
        seen = await Probes().look(f"{other.url}/api/healthz")
        assert (seen.health, seen.status) == (health, status)
        assert len(other.heads) == 1
        head = other.heads[0].lower()
        assert head.startswith(b"get /api/healthz http/1.1\r\nhost: 127.0.0.1:")
        assert b"authorization" not in head
        assert b"cookie" not in head


async def test_silence_ends() -> None:
    """A server that takes the request and says nothing is down after two seconds."""
    async with neighbour(None) as other:
        began = time.monotonic()
        seen = await Probes().look(other.url)
        assert (seen.health, seen.detail) == ("down", "no answer within 2 s")
        assert probes.WITHIN_S <= time.monotonic() - began < probes.WITHIN_S + 1


async def test_one_look_for_all_who_ask() -> None:
    """However many ask, one request is under way; one who goes takes nothing from the others; then it is remembered."""
    async with neighbour(None) as other:
        looks = Probes()
        asking = [asyncio.create_task(looks.look(other.url)) for _ in range(20)]
        await eventually(other.was_asked)
        asking[0].cancel()
        other.released.set()
        seen = await asyncio.gather(*asking[1:])
        assert len(other.heads) == 1
        assert {each.health for each in seen} == {"down"}
        await looks.look(other.url)
        assert len(other.heads) == 1


@pytest.fixture
async def refused() -> str:
    """An address where nobody listens."""
    async with neighbour(b"") as gone:
        return gone.url


async def test_over_http(application: Application, client: httpx.AsyncClient, settings: Any, refused: str) -> None:
    """Those in the settings, in their order, by name; `/v1/config` names them."""
    assert (await client.get("/v1/services")).json() == {"items": [], "next_cursor": None}
    async with neighbour(answer("200 OK")) as forgejo:
        settings.values.update(forgejo_url=f"{forgejo.url}/git/", ollama_url=refused)
        first, second = (await client.get("/v1/services")).json()["items"]
        assert (first["name"], first["title"], first["url"]) == ("forgejo", "Forgejo", f"{forgejo.url}/git")
        assert (first["status"], first["http_status"]) == ("up", 200)
        assert first["latency_ms"] > 0
        assert forgejo.heads[0].startswith(b"GET /git/api/healthz ")
        assert (second["name"], second["status"], second["detail"]) == ("ollama", "down", "nobody listens there")
        assert (await client.get("/v1/config")).json()["services"] == ["forgejo", "ollama"]


@pytest.mark.parametrize(
    "url",
    ["ftp://host", "localhost:3000", "http://", "http://me:pw@host", "http://host/?a=b", "http://h:x", "http://a b"],
)
def test_what_is_no_address(tmp_path: Any, url: str) -> None:
    """Anything but a plain http(s) address is refused at the start, without repeating what may hold a password."""
    with pytest.raises(BadSetting, match="forgejo_url") as refusal:
        load({"NEXT_PUBLIC_FORGEJO_URL": url}, {"data_dir": str(tmp_path)})
    assert "pw" not in str(refusal.value)
