"""Health and readiness."""

import time
from importlib.metadata import version

import httpx

from agentrunner.api.server import Application
from api.serving import problem


async def test_open_to_all(application: Application) -> None:
    """Health, readiness and the page at `/` need no token."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://localhost") as anybody:
        health = (await anybody.get("/health")).json()
        assert {**health, "time": 0} == {"status": "ok", "time": 0, "db": "ok", "version": version("agentrunner")}
        assert abs(health["time"] - time.time() * 1000) < 60_000
        assert (await anybody.get("/ready")).json() == {"status": "ok"}
        assert (await anybody.get("/")).json()["openapi"] == "/openapi.json"


async def test_not_ready_while_stopping(application: Application, client: httpx.AsyncClient) -> None:
    """A stopping server is alive and not ready."""
    application.stop()
    assert (await client.get("/health")).status_code == 200
    problem(await client.get("/ready"), 503, "unavailable")
    problem(await client.get("/v1/stream"), 503, "unavailable")


async def test_not_ready_without_a_database(services: object, client: httpx.AsyncClient) -> None:
    """A server whose database is away is alive and not ready."""
    await services.db.stop()  # type: ignore[attr-defined]
    health = await client.get("/health")
    assert health.status_code == 200
    assert (health.json()["status"], health.json()["db"]) == ("degraded", "error")
    response = await client.get("/ready")
    assert problem(response, 503, "unavailable")["detail"].startswith("The database")
    assert response.headers["retry-after"] == "1"
