"""The workers on the Runs API surface: seen as one, and woken without executing anything in a request."""

import asyncio
import re

import httpx
import pytest

from agentrunner.engine.services import Services
from agentrunner.engine.wakeups import QUEUE_TOPIC
from api.serving import WORKER, Clock, claim, record, register
from api.test_runner import COMMAND, create, refusal


async def test_nobody_is_there(client: httpx.AsyncClient) -> None:
    """Said so, and runs wait: the original's status is true of a thread that may have died."""
    await create(client, options=COMMAND)
    status = (await client.get("/worker/status")).json()
    assert status == {
        "running": False,
        "check_interval": 5,
        "check_interval_seconds": 5,
        "last_check": None,
        "active_runs": 0,
        "queued_runs": 1,
        "total_processed": 0,
        "workers": 0,
    }
    assert "No worker" in refusal(await client.post("/worker/process"), 409)
    assert (await client.get("/runs/1")).json()["status"] == "QUEUED"


@pytest.mark.parametrize("overrides", [{"worker_check_interval": 12.4}])
async def test_what_they_do(client: httpx.AsyncClient, worker: httpx.AsyncClient, clock: Clock) -> None:
    """What waits, what is active, what is done; a worker that is not heard of any more is not there."""
    for _ in range(3):
        await create(client, options=COMMAND)
    # Another program's run is nobody's here to work on.
    await client.post("/api/runs", json={"id": "elsewhere"})
    await register(worker)
    first, _ = (await claim(worker, slots=2))[:2]
    outcome = {"status": "COMPLETED", "sizes": {"out": 0, "err": 0, "journal": 0}, "exit_code": 0}
    assert (await worker.post("/v1/control/record", json=record(first, outcome=outcome))).status_code == 200
    status = (await client.get("/worker/status")).json()
    assert re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{3}Z", status.pop("last_check"))
    assert status == {
        "running": True,
        "check_interval": 12,
        "check_interval_seconds": 12,
        "active_runs": 1,
        "queued_runs": 1,
        "total_processed": 1,
        "workers": 1,
    }
    clock.forward_ms += 60_000
    assert (await client.get("/worker/status")).json()["running"] is False


async def test_a_push_wakes_who_waits(client: httpx.AsyncClient, worker: httpx.AsyncClient, services: Services) -> None:
    """It says how many runs were begun meanwhile; those it leaves alone are the workers' own."""
    await register(worker)
    await create(client, options=COMMAND)

    async def take() -> None:
        with services.wakeups.subscribe(QUEUE_TOPIC) as news:
            listening.set()
            assert await news.wait(5)
        await claim(worker)

    listening = asyncio.Event()
    taking = asyncio.create_task(take())
    await listening.wait()
    answer = await client.post("/worker/process")
    await taking
    assert answer.status_code == 200
    assert answer.json() == {"message": "Processing triggered", "processed": True, "runs_claimed": 1}


async def test_a_push_waits_for_nobody_long(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> None:
    """The original answers once every run has ended; here a worker that is busy delays it by a second at most."""
    await register(worker)
    await create(client, options=COMMAND)
    async with asyncio.timeout(4):
        answer = await client.post("/worker/process")
    assert answer.json()["runs_claimed"] == 0
    assert (await client.get("/runs/1")).json()["status"] == "QUEUED"
    assert WORKER["worker_id"] not in answer.text


async def test_a_push_leaves_what_is_held(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> None:
    """A run that a person holds back is not waited for, and stays held."""
    await register(worker)
    await create(client, options=COMMAND)
    assert (await client.post("/runs/1/pause")).json()["status"] == "PAUSED"
    answer = await client.post("/worker/process")
    assert answer.json() == {"message": "Processing triggered", "processed": True, "runs_claimed": 0}
    assert (await client.get("/runs/1")).json()["status"] == "PAUSED"
