"""What a run has used, over HTTP."""

import httpx

from api.serving import COMMAND, WORKER, claim, new_run, register


async def test_what_a_run_has_used(client: httpx.AsyncClient, worker: httpx.AsyncClient) -> None:
    """Sent with a heartbeat, answered with totals; a run without samples has none, an unknown run is 404."""
    await register(worker)
    run = await new_run(client, **COMMAND)
    path = f"/v1/runs/{run['id']}/samples"
    nothing = {"items": [], "next_cursor": None, "cpu_us": 0, "memory_peak_bytes": 0, "processes_peak": 0}
    assert (await client.get(path)).json() == nothing
    await claim(worker)
    figures = {"attempt": 1, "cpu_us": 250_000, "memory_bytes": 1 << 20, "processes": 2}
    beat = {"worker_id": WORKER["worker_id"], "epoch": 1, "samples": [{"run_id": run["id"], **figures}]}
    assert (await worker.post("/v1/control/heartbeat", json=beat)).status_code == 200
    page = (await client.get(path)).json()
    (item,) = page["items"]
    assert {name: item[name] for name in figures} == figures
    assert item["at"].endswith("Z")
    assert (page["cpu_us"], page["memory_peak_bytes"], page["processes_peak"]) == (250_000, 1 << 20, 2)
    assert (await client.get("/v1/runs/4711/samples")).status_code == 404


async def test_nonsense_in_samples_is_refused(worker: httpx.AsyncClient) -> None:
    """Negative figures are a fault of the worker's; nothing is kept of such a heartbeat."""
    await register(worker)
    sample = {"run_id": 1, "attempt": 1, "cpu_us": -1, "memory_bytes": 0, "processes": 0}
    beat = {"worker_id": WORKER["worker_id"], "epoch": 1, "samples": [sample]}
    answer = await worker.post("/v1/control/heartbeat", json=beat)
    assert answer.status_code in {400, 422}
    assert "samples" in answer.json()["detail"]
