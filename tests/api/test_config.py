"""What clients have to know."""

from typing import Any

import httpx
import pytest

from agentrunner.api.server import Application
from agentrunner.domain.instant import parse_rfc3339
from agentrunner.domain.token import Scope
from api.serving import Clock


@pytest.mark.parametrize("overrides", [{"polling_interval_fast": 777, "event_max_buffer": 50}])
async def test_config(client: httpx.AsyncClient) -> None:
    """Settings, version and instance are answered; nothing secret is among them."""
    found = (await client.get("/v1/config")).json()
    assert (found["polling_interval_fast"], found["event_max_buffer"]) == (777, 50)
    assert found["instance"] == "instance-of-the-test"
    assert found["version"]
    assert found["most"] == {"runs": 1000, "runs_bytes": 8 << 20, "events": 10_000, "events_bytes": 8 << 20}
    assert not {"token", "data_dir", "database_url"} & found.keys()


@pytest.mark.parametrize("scope", [Scope.ADMIN, Scope.READ])
async def test_who_asks_and_when(application: Application, clock: Clock, token: Any, scope: Scope) -> None:
    """The server's time, and what the asker's token opens: the console hides what would be refused."""
    clock.forward_ms = 3_600_000
    headers = {"authorization": f"Bearer {await token(scope)}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(application), base_url="http://localhost", headers=headers
    ) as client:
        found = (await client.get("/v1/config")).json()
    assert (found["scope"], found["by_session"], found["services"]) == (scope.value, False, [])
    assert abs(parse_rfc3339(found["now"]) - clock()) < 5000


@pytest.mark.parametrize("overrides", [{"insecure_no_auth": True}])
async def test_without_authentication_everybody_is_admin(application: Application) -> None:
    """So that the console shows everything that it can do."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://localhost") as client:
        found = (await client.get("/v1/config")).json()
    assert (found["scope"], found["by_session"]) == ("admin", False)
