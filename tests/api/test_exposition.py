"""Figures for Prometheus."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.parser import text_string_to_metric_families

from agentrunner.api import ended
from agentrunner.api.ended import Ended
from agentrunner.api.exposition import TEXT
from agentrunner.api.server import Application
from agentrunner.domain.token import Scope
from agentrunner.engine.services import Services
from api.serving import COMMAND, Clock, new_run, register
from meta.sources import ROOT


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
    statuses = ("QUEUED", "RUNNING", "STOPPED", "FAILED")
    by_status = {status: found["agentrunner_runs_current", labels(status=status)] for status in statuses}
    assert by_status == {"QUEUED": 2, "RUNNING": 1, "STOPPED": 1, "FAILED": 0}
    assert found["agentrunner_workers_online", labels()] == 1
    assert found["agentrunner_worker_slots", labels()] == 4
    assert found["agentrunner_events_accepted_total", labels(via="report")] == 2
    requests = "agentrunner_http_requests_total"
    assert found[requests, labels(method="POST", route="/v1/runs", status="201")] == 2
    assert found[requests, labels(method="GET", route="/v1/runs/{run_id}", status="404")] == 1
    assert found["agentrunner_http_request_duration_seconds_count", labels(route="/v1/runs/{run_id}/events")] == 1
    assert found["process_resident_memory_bytes", labels()] > 1_000_000


async def test_labels_are_bounded(client: httpx.AsyncClient) -> None:
    """Addresses and methods that a client makes up become one label each."""
    for n in range(20):
        await client.request(f"BREW{n}", f"/made/up/{n}")
    found = await figures(client)
    requests = [key for key in found if key[0] == "agentrunner_http_requests_total"]
    assert len(requests) == 1
    assert dict(requests[0][1]) == {"method": "other", "route": "unknown", "status": "404"}


async def test_runs_that_ended_are_counted_once(client: httpx.AsyncClient, clock: Clock) -> None:
    """By status and backend, with how long they waited and took and what they used, however often somebody asks."""
    run = await new_run(client)
    tokens = {"input_tokens": 10, "output_tokens": 4, "cost_usd": 0.5}
    await client.post(f"/v1/runs/{run['id']}/events", json={"type": "usage", "payload": tokens})
    clock.forward_ms += 7000
    await client.post(f"/v1/runs/{run['id']}/events", json={"type": "run.completed"})
    stopped = (await client.post("/v1/runs", json=COMMAND)).json()["id"]
    clock.forward_ms += 2000
    await client.post(f"/v1/runs/{stopped}/stop")
    for _ in range(3):
        found = await figures(client)
        clock.forward_ms += ended.LAG_MS
    assert found["agentrunner_runs_total", labels(status="COMPLETED", backend="external")] == 1
    assert found["agentrunner_runs_total", labels(status="STOPPED", backend="command")] == 1
    assert found["agentrunner_run_duration_seconds_sum", labels(backend="external")] >= 7
    assert found["agentrunner_run_duration_seconds_bucket", labels(backend="external", le="5.0")] == 0
    assert found["agentrunner_run_queue_duration_seconds_bucket", labels(backend="command", le="1.0")] == 0
    assert found["agentrunner_run_queue_duration_seconds_count", labels(backend="command")] == 1
    assert ("agentrunner_run_duration_seconds_count", labels(backend="command")) not in found


async def test_runs_of_before_are_another_servers_figures(
    client: httpx.AsyncClient, services: Services, clock: Clock
) -> None:
    """A server counts from its start on; more than it takes at once are counted when it is asked again."""
    registry = CollectorRegistry()
    await client.post("/v1/runs", json={"runs": [COMMAND] * 30})
    await client.post("/v1/runs/bulk", json={"action": "stop", "all": True, "q": ""})
    clock.forward_ms += 60_000
    late = Ended(services, registry)
    await late.catch_up()
    assert registry.get_sample_value("agentrunner_runs_total", {"status": "STOPPED", "backend": "command"}) is None


async def test_the_database_counts_its_commits(client: httpx.AsyncClient) -> None:
    """Changes, commits with their time, and who waits."""
    before = await figures(client)
    await new_run(client)
    found = await figures(client)
    changes = ("agentrunner_database_changes_total", labels())
    assert found[changes] > before[changes] > 0
    name = "agentrunner_database_commit_duration_seconds"
    assert found[f"{name}_count", labels()] == found[f"{name}_bucket", labels(le="+Inf")] > 0
    assert found[f"{name}_sum", labels()] > 0
    assert found["agentrunner_database_waiting", labels()] == 0


async def test_workers_are_figures(client: httpx.AsyncClient, worker: httpx.AsyncClient, clock: Clock) -> None:
    """Each with the age of its last sign of life, while its lease lives."""
    await register(worker)
    clock.forward_ms += 3000
    found = await figures(client)
    assert 3 <= found["agentrunner_worker_heartbeat_age_seconds", labels(worker="one")] < 10
    clock.forward_ms += 100_000
    gone = await figures(client)
    assert gone["agentrunner_workers_online", labels()] == 0
    assert ("agentrunner_worker_heartbeat_age_seconds", labels(worker="one")) not in gone


async def families(client: httpx.AsyncClient) -> list[Metric]:
    """What is exposed."""
    return list(text_string_to_metric_families((await client.get("/metrics")).text))


async def test_names_are_those_of_the_field(client: httpx.AsyncClient, application: Application) -> None:
    """What `promtool check metrics` asks for: help, type, base units, `_total` on counters alone, no reserved label."""
    await new_run(client)
    found = await families(client)
    assert len({family.name for family in found}) == len(found)
    assert [wrong for family in found for wrong in complaints(family)] == []
    assert (await client.get("/metrics")).text.count("# TYPE ") == len(found)


def complaints(family: Metric) -> Iterator[str]:
    """What is wrong with a family."""
    if not family.documentation:
        yield f"{family.name} has no help"
    if family.type == "unknown":
        yield f"{family.name} has no type"
    if not re.fullmatch(r"(agentrunner|process)_[a-z0-9_]+", family.name):
        yield f"{family.name} is no name of ours"
    if re.search(r"_(ms|milliseconds|minutes|kb|mb|percent)(_|$)", family.name):
        yield f"{family.name} is in no base unit"
    if family.type == "histogram" and not family.name.endswith("_seconds"):
        yield f"{family.name} has no unit"
    if family.type != "counter" and family.name.endswith(("_total", "_count", "_sum", "_bucket")):
        yield f"{family.name} ends as only other types do"
    for sample in family.samples:
        if family.type == "counter" and not sample.name.endswith("_total"):
            yield f"{sample.name} does not end in _total"
        for label in sample.labels:
            if not re.fullmatch(r"[a-z][a-z_]*", label) or (label in ("le", "quantile") and family.type != "histogram"):
                yield f"{sample.name} has the label {label}"


def test_the_checker_complains() -> None:
    """So that its silence means something."""
    wrong = Metric("agentrunner_wait_ms", "", "gauge")
    wrong.add_sample("agentrunner_wait_ms", {"le": "1"}, 1.0)
    assert len(list(complaints(wrong))) == 3
    assert list(complaints(Metric("agentrunner_wait", "How long.", "histogram"))) != []


async def test_the_page_describes_what_there_is(client: httpx.AsyncClient) -> None:
    """docs/metrics.md names every family with its type and labels, and none besides."""
    await new_run(client)
    page = (ROOT / "docs/metrics.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+)` \| ([a-z]+) \|([^|]*)\|", page, re.MULTILINE)
    described = {name: (kind, set(re.findall(r"`([a-z_]+)`", text))) for name, kind, text in rows}
    exposed = {}
    for family in await families(client):
        if family.name.startswith("agentrunner_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            exposed[name] = family.type
    assert {name: kind for name, (kind, _) in described.items()} == exposed
    for family in await families(client):
        for sample in family.samples:
            if family.name.startswith("agentrunner_"):
                name = f"{family.name}_total" if family.type == "counter" else family.name
                assert sample.labels.keys() - {"le"} <= described[name][1], name
