"""Events on the Runs API surface: pages, frames, streams without a hole, and 200 of them that harm nobody."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentrunner.api.runner_events import cursor
from agentrunner.api.server import Server
from agentrunner.domain.errors import InvalidField
from agentrunner.domain.token import Scope
from api.test_ops_events import Reader, reading
from api.test_runner import begun, create, ended, refusal
from waiting import eventually

EVENTS = "/runs/1/events"
STREAM = "/runs/1/events/stream"


@pytest.fixture
async def remote(server: Server, token: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the real server, over TCP, with as many connections as it likes."""
    headers = {"x-api-key": await token(Scope.ADMIN)}
    base, bounds = f"http://127.0.0.1:{server.port}", httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=20, limits=bounds) as found:
        yield found


async def tell(client: httpx.AsyncClient, *types: str) -> None:
    """Let a reporter tell of run 1."""
    body = [{"type": type, "payload": {"message": f"about {type}"}} for type in types]
    assert (await client.post("/v1/runs/1/events", json=body)).status_code == 201


async def listed(client: httpx.AsyncClient, **asked: Any) -> list[dict[str, Any]]:
    """A page of events."""
    answer = await client.get(EVENTS, params=asked)
    assert answer.status_code == 200, answer.text
    return list(answer.json())


async def test_a_page(client: httpx.AsyncClient) -> None:
    """Every field; `after_id` and `after` are exclusive, anything up to 0 is the beginning; Link leads on."""
    await create(client, goal="Say hello")
    await tell(client, "agent.thinking", "task.progress", "executing")
    whole = await listed(client)
    assert [event["type"] for event in whole] == ["RUN_CREATED", "AGENT_THINKING", "TASK_PROGRESS", "EXECUTING"]
    first, second = whole[:2]
    assert re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{3}Z", second.pop("created_at"))
    assert second == {
        "id": first["id"] + 1,
        "run_id": 1,
        "type": "AGENT_THINKING",
        "payload": "about agent.thinking",
        "level": "info",
        "seq": 2,
    }
    assert first["payload"] == "Say hello"
    for name in ("after_id", "after"):
        assert await listed(client, **{name: second["id"]}) == whole[2:]
        assert await listed(client, **{name: -5}) == await listed(client, **{name: 0}) == await listed(client)
        assert await listed(client, **{name: 10**30}) == []
    assert await listed(client, after_id=0, after=second["id"]) == await listed(client)
    answer = await client.get(EVENTS, params={"limit": 3})
    assert len(answer.json()) == 3
    assert (await client.get(answer.links["next"]["url"])).json() == whole[3:]


async def test_events_of_no_run(client: httpx.AsyncClient) -> None:
    """None, and no error; a stream of no run is one."""
    for run_id in ("999", "0", "-1", str(10**30)):
        answer = await client.get(f"/runs/{run_id}/events")
        assert (answer.status_code, answer.json()) == (200, [])
        assert refusal(await client.get(f"/runs/{run_id}/events/stream"), 404) == "Run not found"


@given(st.text(alphabet="-0123456789", max_size=40))
def test_cursors(text: str) -> None:
    """Any whole number is one, from 0 to what an id can be; nothing else is."""
    try:
        number = int(text)
    except ValueError:
        with pytest.raises(InvalidField, match="whole number"):
            cursor({"after_id": text})
        with pytest.raises(InvalidField, match="`after`"):
            cursor({"after_id": "5", "after": text})
        return
    assert cursor({"after": text, "after_id": "5"}) == 5
    assert cursor({"after": text}) == min(max(number, 0), 2**63 - 1)


def blocks(reader: Reader) -> list[str]:
    """The frames that carry an event, whole ones only."""
    return [block for block in reader.text.split("\n\n")[:-1] if "\ndata: " in block]


async def test_frames(remote: httpx.AsyncClient, server: Server) -> None:
    """`id`, `event`, `data`: what is stored first, then live; the data is what the page says; comments between."""
    await create(remote)
    await tell(remote, "executing")
    async with reading(remote, STREAM) as reader:
        await reader.until(2)
        await tell(remote, "tool.called")
        await reader.until(3)
        text = await reader.until_text(": keepalive\n\n")
    assert "event: end" not in text
    whole = await listed(remote)
    assert blocks(reader) == [
        f"id: {event['id']}\nevent: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}"
        for event in whole
    ]


async def test_resuming(remote: httpx.AsyncClient) -> None:
    """Behind the header's id, else the parameter's; a header that is no number is not heard."""
    await create(remote)
    await tell(remote, "executing", "executing", "executing")
    ids = [event["id"] for event in await listed(remote)]
    cases: list[tuple[dict[str, str], dict[str, Any], int]] = [
        ({}, {"after_id": ids[1]}, 2),
        ({}, {"after": ids[1]}, 2),
        ({"last-event-id": str(ids[2])}, {"after_id": ids[0]}, 3),
        ({"last-event-id": "x"}, {"after_id": ids[0]}, 1),
        ({"last-event-id": ""}, {}, 0),
    ]
    for headers, params, first in cases:
        async with reading(remote, STREAM, headers=headers, params=params) as reader:
            assert await reader.until(len(ids) - first) == ids[first:]


async def test_the_end_closes_nothing(remote: httpx.AsyncClient, worker: httpx.AsyncClient, server: Server) -> None:
    """An EventSource would only connect again: the stream stays, and gives what comes late."""
    assignment = await begun(remote, worker)
    async with reading(remote, STREAM) as reader:
        await reader.until(1)
        await ended(worker, assignment, "COMPLETED")
        await reader.until_text("event: RUN_COMPLETED\n")
        await reader.until_text(": keepalive\n\n: keepalive\n\n")
        await tell(remote, "late.word")
        await reader.until_text("event: LATE_WORD\n")
    assert "RUN_CLAIMED" not in reader.text


async def test_a_type_cannot_break_a_frame(remote: httpx.AsyncClient) -> None:
    """Reporters name types as they like; a line end in one is a blank."""
    await create(remote)
    odd = {"type": "odd\r\nid: 7"}
    assert (await remote.post("/api/runs/ar-1/events", json=odd)).status_code == 201
    async with reading(remote, STREAM) as reader:
        assert await reader.until(2) == [event["id"] for event in await listed(remote)]
    assert "event: ODD  ID: 7\n" in reader.text


async def test_a_stream_is_no_slow_answer(remote: httpx.AsyncClient) -> None:
    """It is counted, but how long somebody has looked is not how long an answer took."""
    await create(remote)
    async with reading(remote, STREAM) as reader:
        await reader.until(1)

    async def figures() -> list[str]:
        lines = (await remote.get("/metrics")).text.splitlines()
        return [line.partition("{")[0] for line in lines if 'route="/runs/{run_id}/events/stream"' in line]

    assert set(await eventually(figures)) == {"agentrunner_http_requests_total"}


@pytest.mark.parametrize("count", [16, 200])
async def test_many_streams_harm_nobody(remote: httpx.AsyncClient, server: Server, count: int) -> None:
    """16 streams keep the original's /health from answering for 27 s; here 200 are milliseconds, and all get all."""
    await create(remote)
    async with AsyncExitStack() as stack:
        opening = [reading(remote, STREAM) for _ in range(count)]
        readers = await asyncio.gather(*map(stack.enter_async_context, opening))
        await asyncio.gather(*(reader.until(1) for reader in readers))
        took = sorted([await _seconds(remote, path) for path in ("/health", "/runs/1") for _ in range(20)])
        await tell(remote, "executing")
        ids = [event["id"] for event in await listed(remote)]
        assert await asyncio.gather(*(reader.until(2) for reader in readers)) == [ids] * count
    assert took[len(took) // 2] < 0.1, took


async def _seconds(client: httpx.AsyncClient, path: str) -> float:
    begun = time.monotonic()
    assert (await client.get(path)).status_code == 200
    return time.monotonic() - begun


@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6), data=st.data())
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True)
async def test_readers_who_come_and_go(server: Server, token: Any, sizes: list[int], data: st.DataObject) -> None:
    """While events are written, a reader that is cut anywhere and resumes sees each once."""
    base, headers = f"http://127.0.0.1:{server.port}", {"x-api-key": await token(Scope.ADMIN)}
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=10) as client:
        run_id = (await create(client))["id"]
        wanted = sum(sizes) + 1
        seen: list[int] = []
        writing = asyncio.create_task(_write(client, run_id, sizes))
        while len(seen) < wanted:
            most = data.draw(st.integers(1, 80))
            asked = {"after_id": seen[-1] if seen else 0}
            async with reading(client, f"/runs/{run_id}/events/stream", params=asked) as reader:
                seen.extend((await reader.until(min(most, wanted - len(seen))))[:most])
        await writing
        assert seen == [event["id"] for event in (await client.get(f"/runs/{run_id}/events")).json()]


async def _write(client: httpx.AsyncClient, run_id: int, sizes: list[int]) -> None:
    for size in sizes:
        await client.post(f"/v1/runs/{run_id}/events", json=[{"type": "executing"}] * size)
