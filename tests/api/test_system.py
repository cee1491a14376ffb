"""The server about itself."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import httpx

from agentrunner.api.server import build
from agentrunner.domain.check import Check
from agentrunner.domain.token import Scope
from agentrunner.engine.system import Findings
from api.serving import COMMAND, register


async def test_what_it_says(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> None:
    """Driver, room, queue and process, as they are."""
    await client.post("/v1/runs", json={"runs": [COMMAND, COMMAND]})
    await register(worker)
    found = (await client.get("/v1/system")).json()
    assert found["database"]["driver"] == "sqlite"
    assert found["database"]["schema"] >= 10
    assert found["database"]["size_bytes"] >= 4096
    assert found["database"]["wal_bytes"] > 0
    assert 0 < found["disk"]["free_bytes"] <= found["disk"]["total_bytes"]
    queue = {"queued": 2, "running": 0, "paused": 0, "slots": 4, "workers_online": 1, "workers": 1}
    assert found["queue"] == queue
    assert found["instance"] == "instance-of-the-test"
    assert found["memory_bytes"] > 1 << 20
    assert found["streams"] == 0
    assert found["uptime_s"] > 0
    assert found["findings"] == []


async def test_findings(services: Any, token: Any) -> None:
    """What `doctor` finds is asked once for all who look, in a thread, and remembered; its failure is a finding."""
    asked: list[str] = []
    may_go = threading.Event()

    def look() -> list[Check]:
        asked.append(threading.current_thread().name)
        may_go.wait(10)
        return [Check(name="disk space", status="warn", detail="0.5 GiB free", why="w", advice="a")]

    application = build(replace(services, checks=look))
    headers = {"authorization": f"Bearer {await token(Scope.ADMIN)}"}
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
        both = asyncio.gather(client.get("/v1/system"), client.get("/v1/system"))
        assert (await client.get("/v1/config")).status_code == 200
        may_go.set()
        for answer in [*await both, await client.get("/v1/system")]:
            (finding,) = answer.json()["findings"]
            assert finding["name"] == "disk space"
    assert len(asked) == 1
    assert asked != [threading.main_thread().name]

    def fail() -> list[Check]:
        raise PermissionError(13, "Permission denied")

    (failed,) = (await Findings().read(replace(services, checks=fail))).checks
    assert failed.status == "fail"
    assert "Permission denied" in failed.detail
