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


async def test_what_workers_found(client: httpx.AsyncClient, worker: httpx.AsyncClient, clock: Clock) -> None:
    """A heartbeat says what is there of each backend; registering again forgets nothing; offline ones offer nothing."""
    await register(worker)
    assert (await client.get("/v1/workers")).json()["items"][0]["programs"] == {}
    items = {each["name"]: each for each in (await client.get("/v1/backends")).json()["items"]}
    assert list(items) == ["command", "demo", "external"]
    assert items["command"]["offers"] == [
        {"worker": WORKER["worker_id"], "name": "one", "host": "host", "found": None},
    ]
    assert [items[name]["usable"] for name in items] == [True, False, True]
    programs = {"command": {"available": False, "advice": "install it"}, "claude": {"available": True, "version": "2"}}
    beat = {"worker_id": WORKER["worker_id"], "epoch": 1, "programs": programs}
    assert (await worker.post("/v1/control/heartbeat", json=beat)).status_code == 200
    beat = {"worker_id": WORKER["worker_id"], "epoch": 1}
    assert (await worker.post("/v1/control/heartbeat", json=beat)).status_code == 200
    await register(worker)
    found = (await client.get("/v1/workers")).json()["items"][0]["programs"]
    assert found["command"]["advice"] == "install it"
    assert found["claude"]["version"] == "2"
    (command,) = [each for each in (await client.get("/v1/backends")).json()["items"] if each["name"] == "command"]
    assert command["usable"] is False
    assert command["offers"][0]["found"]["available"] is False
    clock.forward_ms += 15_001
    assert [each["offers"] for each in (await client.get("/v1/backends")).json()["items"]] == [[], [], []]
