"""One stream of several topics: every run's timeline whole and in order beside the hints, whoever is slow or gone."""

import asyncio
import json
from contextlib import aclosing
from typing import Any

import httpx
import pytest

from agentrunner.api.feed import Subscriber
from agentrunner.api.server import Server
from agentrunner.api.topics import MOST_BEHIND, MOST_RUNS, Asked, Topics, parse
from agentrunner.domain.errors import InvalidField
from api.serving import Frame, frames, new_run, problem
from api.test_stream import Reader, reading, remote
from waiting import eventually

__all__ = ["remote"]


def of(seen: list[Frame], run_id: int) -> list[int]:
    """The `seq` of a run's events."""
    return [frame.data["seq"] for frame in seen if frame.event == "event" and frame.data["run_id"] == run_id]


def named(seen: list[Frame], *names: str) -> list[Frame]:
    """The frames of these names."""
    return [frame for frame in seen if frame.event in names]


async def report(client: httpx.AsyncClient, run_id: int, *types: str) -> None:
    """Report events."""
    response = await client.post(f"/v1/runs/{run_id}/events", json=[{"type": kind} for kind in types])
    assert response.status_code == 201, response.text


def topics(*names: str) -> dict[str, Any]:
    """The parameters of a stream."""
    return {"params": {"topics": ",".join(names)}}


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("runs", Asked(True, {})),
        ("run:1", Asked(False, {1: 0})),
        ("runs, run:12@345 ,run:13@0", Asked(True, {12: 345, 13: 0})),
        ("runs,runs,run:1@7,run:1@5,run:1@6", Asked(True, {1: 5})),
    ],
)
def test_what_is_asked(text: str, asked: Asked) -> None:
    """Hints, and runs with their cursors."""
    assert parse(text) == asked


WRONG = ["", ",", "run:", "run:0", "run:x", "run:1@", "run:1@x", "run:1@-1", "run:1@1@1",
         "12", "events", "run:99999999999999999999", "run:1@99999999999999999999", "run:²"]  # fmt: skip


@pytest.mark.parametrize("text", [*WRONG, ",".join(f"run:{n}" for n in range(1, MOST_RUNS + 2))])
def test_what_is_no_topic(text: str) -> None:
    """Each is named, and nothing is left out in silence."""
    with pytest.raises(InvalidField, match="topics"):
        parse(text)


async def test_two_runs_and_the_list_on_one_stream(remote: httpx.AsyncClient) -> None:
    """History from each cursor, then what comes, each with its run; `end` for the one that ends, and it goes on."""
    first, second = (await new_run(remote))["id"], (await new_run(remote))["id"]
    await report(remote, first, "a", "b")
    async with reading(remote, "/v1/stream", **topics("runs", f"run:{first}@1", f"run:{second}")) as reader:

        async def begun() -> bool:
            return of(reader.frames, first) == [2, 3] and of(reader.frames, second) == [1]

        await eventually(begun)
        assert named(reader.frames, "resync")[0].data == {}
        page = (await remote.get(f"/v1/runs/{first}/events?after=1")).json()["items"]
        assert [frame.data for frame in named(reader.frames, "event") if frame.data["run_id"] == first] == page
        await report(remote, second, "c", "run.completed")
        await report(remote, first, "d")

        async def told() -> bool:
            seen = reader.frames
            changed = {frame.data["id"] for frame in named(seen, "run")}
            return of(seen, first) == [2, 3, 4] and bool(named(seen, "end")) and changed == {first, second}

        await eventually(told)
        assert of(reader.frames, second) == [1, 2, 3]
        (end,) = named(reader.frames, "end")
        assert (end.data["run_id"], end.data["last_seq"], end.data["run"]["status"]) == (second, 3, "COMPLETED")
        order = [frame for frame in reader.frames if frame.event in ("event", "end")]
        assert order.index(end) > max(n for n, each in enumerate(order) if each.data.get("seq") == 3)
        await report(remote, first, "e")

        async def goes_on() -> bool:
            return of(reader.frames, first) == [2, 3, 4, 5]

        await eventually(goes_on)
        assert not reader.ended
        assert all(frame.id is None for frame in reader.frames)


async def test_without_hints_it_ends_with_the_last_run(remote: httpx.AsyncClient) -> None:
    """One that asks for ended runs alone gets them whole, and is closed."""
    ids = [(await new_run(remote))["id"] for _ in range(3)]
    for run_id in ids:
        await report(remote, run_id, *["t"] * 250, "run.completed")
    seen = frames((await remote.get("/v1/stream", **topics(*(f"run:{n}" for n in ids)))).text)
    assert {run_id: of(seen, run_id) for run_id in ids} == {run_id: list(range(1, 253)) for run_id in ids}
    assert sorted(frame.data["run_id"] for frame in named(seen, "end")) == ids


async def test_cursors_that_cannot_be(remote: httpx.AsyncClient) -> None:
    """A run that is gone and a cursor behind the end cost the other topics nothing."""
    run_id = (await new_run(remote))["id"]
    other = (await new_run(remote))["id"]
    async with reading(remote, "/v1/stream", **topics("run:999", f"run:{run_id}@50", f"run:{other}")) as reader:

        async def begun() -> bool:
            return of(reader.frames, other) == [1]

        await eventually(begun)
        assert [frame.data for frame in named(reader.frames, "gone")] == [{"run_id": 999}]
        assert [frame.data for frame in named(reader.frames, "resync")] == [{"run_id": run_id, "last_seq": 1}]
        await report(remote, run_id, "next")

        async def goes_on() -> bool:
            return of(reader.frames, run_id) == [2]

        await eventually(goes_on)


async def test_far_behind(remote: httpx.AsyncClient) -> None:
    """More than a thousand events are not streamed one by one: the reader is told what to page in, and goes on."""
    run_id = (await new_run(remote))["id"]
    await report(remote, run_id, *["t"] * (MOST_BEHIND + 500))
    last = MOST_BEHIND + 501
    async with reading(remote, "/v1/stream", **topics(f"run:{run_id}@3")) as reader:

        async def told() -> bool:
            return bool(named(reader.frames, "lagged"))

        await eventually(told)
        await report(remote, run_id, "next")

        async def goes_on() -> bool:
            return of(reader.frames, run_id) == [last + 1]

        await eventually(goes_on)
        assert [frame.data for frame in named(reader.frames, "lagged")] == [
            {"run_id": run_id, "after": 3, "last_seq": last}
        ]


async def test_a_slow_reader_is_bounded(server: Server, remote: httpx.AsyncClient) -> None:
    """While it takes nothing, nothing is kept for it; then it misses nothing that it was not told of."""
    run_id = (await new_run(remote))["id"]
    context, stream = server.app.context, Subscriber()
    async with aclosing(Topics(context, Asked(False, {run_id: 1}), stream).follow()) as chunks:  # type: ignore[type-var]
        text = (await anext(chunks)).decode()
        for _ in range(20):
            await report(remote, run_id, *["t"] * 400)
        await report(remote, run_id, "run.completed")
        (feed,) = context.feeds._feeds.values()

        async def has_heard() -> bool:
            return feed.last == 8002

        await eventually(has_heard)
        async with asyncio.timeout(10):
            async for chunk in chunks:
                text += chunk.decode()
    expected, lagged = 2, 0
    for frame in frames(text):
        if frame.event == "lagged":
            assert frame.data["after"] == expected - 1
            expected, lagged = frame.data["last_seq"] + 1, lagged + 1
        elif frame.event == "event":
            assert frame.data["seq"] == expected
            expected += 1
    assert (expected, lagged) == (8003, 1)
    assert not context.feeds._feeds


async def test_it_ends_with_the_server_and_is_refused_wrong_questions(
    remote: httpx.AsyncClient, server: Server
) -> None:
    """A stopping server closes it at once without `end`; what it is not asked rightly it does not begin."""
    run_id = (await new_run(remote))["id"]
    problem(await remote.get("/v1/stream?topics=run:x"), 422, "invalid_field")
    problem(await remote.get("/v1/stream?topic=runs"), 422, "invalid_field")
    async with reading(remote, "/v1/stream", **topics("runs", f"run:{run_id}")) as reader:

        async def begun() -> bool:
            return of(reader.frames, run_id) == [1]

        await eventually(begun)
        await server.stop()
        seen = await reader.until_end()
    assert named(seen, "end") == []
    assert not server.app.context.feeds._feeds


async def test_who_goes_leaves_nothing_behind(remote: httpx.AsyncClient, server: Server) -> None:
    """Feeds, listeners and figures are as before; an idle stream beats."""
    ids = [(await new_run(remote))["id"] for _ in range(MOST_RUNS)]
    async with reading(remote, "/v1/stream", **topics("runs", *(f"run:{n}" for n in ids))) as reader:

        async def beats() -> bool:
            return len(named(reader.frames, "event")) == MOST_RUNS and reader.text.endswith(": \n\n")

        await eventually(beats)
        assert len(server.app.context.feeds._feeds) == MOST_RUNS
        found = (await remote.get("/v1/system")).json()
        assert found["streams"] == 1

    async def gone() -> bool:
        context = server.app.context
        return not (context.feeds._feeds or context.changes._listeners or context.figures.open_streams)

    await eventually(gone)
    assert json.loads((await remote.get("/v1/system")).content)["streams"] == 0
    assert isinstance(reader, Reader)
