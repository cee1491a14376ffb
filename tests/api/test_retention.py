"""Pruned timelines and runs over HTTP: what is gone is said, never skipped in silence."""

from typing import Any

import httpx
import pytest

from agentrunner.domain.token import Scope
from agentrunner.engine.services import Services
from agentrunner.store.base import Tx
from agentrunner.store.retention import delete_events
from api.serving import Clock, frames, new_run, problem

DAY_MS = 86_400_000


@pytest.fixture
def overrides() -> dict[str, Any]:
    """A month of timelines, a year of runs."""
    return {"retention.events": 30, "retention.runs": 365}


async def ended(client: httpx.AsyncClient, count: int = 20) -> int:
    """A run of `count` events that has ended."""
    run_id = int((await new_run(client))["id"])
    events = [{"type": "note", "payload": {"n": n}} for n in range(count - 2)] + [{"type": "run.completed"}]
    assert (await client.post(f"/v1/runs/{run_id}/events", json=events)).json()["last_seq"] == count
    return run_id


async def prune(client: httpx.AsyncClient, dry_run: bool = False) -> dict[str, Any]:
    """Ask for it."""
    answer = await client.post("/v1/retention", json={"dry_run": dry_run})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def page(client: httpx.AsyncClient, run_id: int, **query: Any) -> dict[str, Any]:
    """A page of events."""
    return dict((await client.get(f"/v1/runs/{run_id}/events", params=query)).json())


async def test_a_timeline_says_what_is_gone(client: httpx.AsyncClient, clock: Clock) -> None:
    """It begins with its last event, and a field says so; behind the cut it is an ordinary page."""
    run_id = await ended(client)
    assert "pruned_before" not in await page(client, run_id)
    clock.forward_ms = 31 * DAY_MS
    assert (await prune(client, dry_run=True))["events"] == 19
    assert "pruned_before" not in await page(client, run_id)
    done = await prune(client)
    assert (done["events"], done["runs"], done["is_done"]) == (19, 0, True)
    for query in ({}, {"types": "run.completed"}, {"types": "note"}):
        found = await page(client, run_id, **query)
        assert found["pruned_before"] == 20
        assert [event["seq"] for event in found["items"]] == ([] if query == {"types": "note"} else [20])
    assert await page(client, run_id, after=20) == {"items": [], "next_cursor": None}
    assert "pruned_before" not in await page(client, run_id, after=19)


async def test_types_alone_prune_nothing(client: httpx.AsyncClient) -> None:
    """A page that leaves out what was not asked for does not call it gone."""
    run_id = await ended(client)
    assert "pruned_before" not in await page(client, run_id, types="run.completed")


async def test_a_stream_says_what_is_gone(client: httpx.AsyncClient, services: Services) -> None:
    """One frame without an id where the gap is, then the events that are there, then the end."""
    run_id = await ended(client)

    async def cut(tx: Tx) -> None:
        await delete_events(tx, run_id, 17, 500)

    await services.db.write(cut)
    for after, names in ((0, ["pruned", "note"]), (5, ["pruned", "note"]), (16, ["note", "note"]), (18, ["note"])):
        text = (await client.get(f"/v1/runs/{run_id}/stream", params={"after": after})).text
        found = frames(text)
        assert [frame.event for frame in found][: len(names)] == names
        assert found[-1].event == "end"
        ids = [int(frame.id) for frame in found if frame.id]
        assert ids == list(range(max(after + 1, 17), 21))
        if names[0] == "pruned":
            assert found[0].data == {"pruned_before": 17}
            assert found[0].id is None


async def test_runs_go_in_the_end(client: httpx.AsyncClient, clock: Clock) -> None:
    """And are not found any more."""
    run_id = await ended(client)
    newest = await ended(client)
    clock.forward_ms = 366 * DAY_MS
    assert (await prune(client, dry_run=True))["runs"] == 1
    assert (await prune(client))["runs"] == 1
    problem(await client.get(f"/v1/runs/{run_id}"), 404, "run_not_found")
    # The newest one stays, or the next would be given its number.
    assert [run["id"] for run in (await client.get("/v1/runs")).json()["items"]] == [newest]
    assert (await new_run(client))["id"] == newest + 1


async def test_only_an_admin_prunes(client: httpx.AsyncClient, token: Any) -> None:
    """Nobody else deletes."""
    headers = {"authorization": f"Bearer {await token(Scope.REPORT)}"}
    problem(await client.post("/v1/retention", json={}, headers=headers), 403, "forbidden")
    problem(await client.post("/v1/retention", json={"dry": True}), 422, "invalid_field")
