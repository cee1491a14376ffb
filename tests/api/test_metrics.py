"""Figures for Prometheus."""

from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from agentrunner.api.metrics import TEXT
from agentrunner.domain.token import Scope
from api.serving import COMMAND, new_run, register


async def figures(client: httpx.AsyncClient, **options: Any) -> dict[tuple[str, frozenset[Any]], float]:
    """Every figure by name and labels."""
    response = await client.get("/metrics", **options)
    assert (response.status_code, response.headers["content-type"]) == (200, TEXT)
    families = text_string_to_metric_families(response.text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def labels(**named: str) -> frozenset[Any]:
    """Labels as a key."""
    return frozenset(named.items())


async def test_figures(client: httpx.AsyncClient, worker: httpx.AsyncClient, token: Any) -> None:
    """Runs by status, workers, events and requests are counted; a token of scope `metrics` reads them."""
    await new_run(client)
    await client.post("/v1/runs", json={"runs": [COMMAND] * 3})
    await client.post("/v1/runs/2/stop")
    await client.post("/v1/runs/1/events", json=[{"type": "a"}, {"type": "b"}])
    await client.get("/v1/runs/77")
    await register(worker)
    headers = {"authorization": f"Bearer {await token(Scope.METRICS)}"}
    found = await figures(client, headers=headers)
    by_status = {s: found["agentrunner_runs", labels(status=s)] for s in ("QUEUED", "RUNNING", "STOPPED", "FAILED")}
    assert by_status == {"QUEUED": 2, "RUNNING": 1, "STOPPED": 1, "FAILED": 0}
    assert found["agentrunner_workers_online", labels()] == 1
    assert found["agentrunner_worker_slots", labels()] == 4
    assert found["agentrunner_events_accepted_total", labels(via="report")] == 2
    requests = "agentrunner_http_requests_total"
    assert found[requests, labels(method="POST", path="/v1/runs", status="201")] == 2
    assert found[requests, labels(method="GET", path="/v1/runs/{run_id}", status="404")] == 1
    assert found["agentrunner_http_request_seconds_count", labels(path="/v1/runs/{run_id}/events")] == 1
    assert found["process_resident_memory_bytes", labels()] > 1_000_000


async def test_labels_are_bounded(client: httpx.AsyncClient) -> None:
    """Addresses and methods that a client makes up become one label each."""
    for n in range(20):
        await client.request(f"BREW{n}", f"/made/up/{n}")
    found = await figures(client)
    requests = [key for key in found if key[0] == "agentrunner_http_requests_total"]
    assert len(requests) == 1
    assert dict(requests[0][1]) == {"method": "other", "path": "unknown", "status": "404"}
