"""Samples of what runs use, from real agents to what the server shows."""

from agentrunner.worker.sampler import Sampler
from waiting import eventually
from worker.world import World

BUSY = "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; echo worked; exec sleep 60"


async def test_a_run_is_sampled_while_it_lives(here: World) -> None:
    """Its end adds what the exit record says; the worker tells what is new and is silent about what is not."""
    worker = await here.start_worker()
    run_id = await here.create(BUSY)
    await here.wait_line(run_id, "worked")
    sampler = Sampler()
    first = await sampler.take(worker.executions)
    assert [(taken.run_id, taken.attempt) for taken in first] == [(run_id, 1)]
    assert first[0].cpu_us > 0
    assert first[0].memory_bytes > 100_000
    assert first[0].processes == 1

    async def is_still() -> bool:
        return await sampler.take(worker.executions) == []

    await eventually(is_still)
    await here.ask("POST", f"/v1/runs/{run_id}/stop")
    await here.wait(run_id)
    page = await here.ask("GET", f"/v1/runs/{run_id}/samples")
    assert page["cpu_us"] >= first[0].cpu_us
    assert page["memory_peak_bytes"] > 100_000
    assert await sampler.take(worker.executions) == []


async def test_a_run_too_short_for_samples_has_totals(here: World) -> None:
    """They come with its end."""
    await here.start_worker()
    run_id = await here.create("true")
    await here.wait(run_id)
    page = await here.ask("GET", f"/v1/runs/{run_id}/samples")
    assert page["cpu_us"] > 0
    assert page["memory_peak_bytes"] > 100_000


async def test_a_memory_limit_ends_a_run_as_such(here: World) -> None:
    """From the request to the reason: `oom_killed`, with an event that says limit, value and what was used."""
    await here.start_worker()
    await here.wait_online()
    (worker,) = (await here.ask("GET", "/v1/workers"))["items"]
    hog = "exec python3 -c 'x = bytearray(300 << 20)'"
    if (why := worker["limits"]["memory_mb"]) is not None:
        request = {"backend": "command", "options": {"argv": ["true"]}, "limits": {"memory_mb": 64}}
        refused = await here.client.post("/v1/runs", json=request)
        assert refused.json()["code"] == "limit_unsupported", why
        assert "agentrunner doctor" in refused.json()["detail"]
        return
    run_id = await here.create(hog, limits={"memory_mb": 64, "cpu": 2, "pids": 50})
    ended = await here.wait(run_id)
    assert (ended["status"], ended["reason"]) == ("FAILED", "oom_killed")
    events = (await here.ask("GET", f"/v1/runs/{run_id}/events", params={"types": "limit"}))["items"]
    payload = events[0]["payload"]
    assert (payload["limit"], payload["value"], payload["killed"]) == ("memory_mb", 64, 1)
    assert 50 < payload["used"] <= 64


async def test_an_output_limit_is_another_reason(here: World) -> None:
    """`limit_exceeded`, with the same words."""
    await here.start_worker()
    run_id = await here.create("while :; do echo 0123456789; done", limits={"output_mb": 0.25})
    ended = await here.wait(run_id)
    assert (ended["status"], ended["reason"]) == ("FAILED", "limit_exceeded")
    events = (await here.ask("GET", f"/v1/runs/{run_id}/events", params={"types": "limit"}))["items"]
    payload = next(event["payload"] for event in events if event["payload"]["limit"] == "output_mb")
    assert payload["value"] == 0.25
    assert payload["used"] >= 0.25


async def test_a_directory_that_cannot_be_read_costs_the_others_nothing(here: World) -> None:
    """Its execution says what is wrong with it; the samples of the other runs are taken."""
    worker = await here.start_worker()
    good, bad = [await here.create("echo on; exec sleep 60") for _ in range(2)]
    for run_id in (good, bad):
        await here.wait_line(run_id, "on")
    damaged = next(found for found in worker.executions if found.assignment.run_id == bad)
    proc = here.directory(bad).path / "proc.json"
    before = proc.read_bytes()
    proc.write_text("{")
    damaged.directory._proc = None  # type: ignore[union-attr]
    assert [taken.run_id for taken in await Sampler().take(worker.executions)] == [good]
    proc.write_bytes(before)
