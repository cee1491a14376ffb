"""Workers over HTTP, as people see them."""

import httpx

from api.serving import WORKER, Clock, register


async def test_workers_and_their_leases(client: httpx.AsyncClient, worker: httpx.AsyncClient, clock: Clock) -> None:
    """A worker is online for a lease after its last sign of life, and stays listed after that."""
    assert (await client.get("/v1/workers")).json() == {"items": [], "next_cursor": None}
    await register(worker)
    (found,) = (await client.get("/v1/workers")).json()["items"]
    assert (found["id"], found["online"], found["slots"]) == (WORKER["worker_id"], True, 4)
    assert "machine_id" not in found
    clock.forward_ms += 15_001
    assert (await client.get("/v1/workers")).json()["items"][0]["online"] is False
