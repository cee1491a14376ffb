"""Events on the Agent Ops surface: what may be told, pages without a hole, and streams that resume."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentrunner.api.ops_events import cursor
from agentrunner.api.server import Server
from agentrunner.domain.token import Scope
from api.test_ops import RUNS, error, shown, tell
from waiting import eventually

EVENTS = f"{RUNS}/r/events"
STREAM = f"{RUNS}/r/stream"
NDJSON = {"content-type": "application/x-ndjson"}


@pytest.fixture
async def remote(server: Server, token: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A reporter's client of the real server, over TCP, that may read too."""
    headers = {"x-api-key": await token(Scope.ADMIN)}
    base = f"http://127.0.0.1:{server.port}"
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=10) as found:
        yield found


async def test_one_event(client: httpx.AsyncClient) -> None:
    """The answer is the event as it is read later; fields that were not said are left out."""
    labels = {"agentId": "planner", "taskId": 7}
    full = await tell(client, "r", "t", {"a": [1, None]}, ts=1763690400123, level="warn", **labels, extra="ignored")
    expected = {
        "runId": "r",
        "ts": "2025-11-21T02:00:00.123Z",
        "type": "t",
        "level": "warn",
        "payload": {"a": [1, None]},
    }
    assert full == {"id": full["id"], "agentId": "planner", "taskId": "7", **expected}
    plain = await tell(client, "r", "t")
    assert plain.keys() == {"id", "runId", "ts", "type", "level", "payload"}
    assert (await client.get(EVENTS)).json() == [full, plain]
    native = (await client.get("/v1/runs/1/events")).json()["items"][1]
    assert (native["id"], native["extra"]) == (int(full["id"]), {"agentId": "planner", "taskId": "7"})


@pytest.mark.parametrize("payload", ['"text"', "5", "true", "[1]", "{}", '{"n":9007199254740993}', "1e999"])
async def test_any_payload(client: httpx.AsyncClient, payload: str) -> None:
    """Any JSON is kept to the letter, for types that are read too; null is an empty object."""
    for type in ("t", "run.started", "usage.report", "span.start", "tool.result", "run.completed"):
        answer = await client.post(EVENTS, content=f'{{"type":"{type}","payload":{payload}}}')
        assert answer.status_code == 201, answer.text
        assert f'"payload":{payload}' in answer.text
    assert (await shown(client, "r"))["status"] == "completed"
    assert (await client.get(EVENTS)).text.count(f'"payload":{payload}') == 6
    assert (await tell(client, "s", "t", None))["payload"] == {}


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8", ""]
)
async def test_any_content_type(client: httpx.AsyncClient, kind: str) -> None:
    """A bare `curl -d` sends a form's type; the original reads JSON from it all the same."""
    assert (await client.post(EVENTS, content=b'{"type":"t"}', headers={"content-type": kind})).status_code == 201


async def test_several(client: httpx.AsyncClient) -> None:
    """An array or lines are stored all or none, in one transaction."""
    body = [{"type": "a", "ts": 5}, {"type": "tool.called", "payload": {"toolName": "x"}}, {"type": "b"}]
    answer = (await client.post(EVENTS, json=body)).json()
    lines = b'{"type":"c"}\n\n{"type":"d"}\n'
    second = (await client.post(EVENTS, content=lines, headers=NDJSON)).json()
    assert (answer["accepted"], second["accepted"]) == (3, 2)
    events = (await client.get(EVENTS)).json()
    assert [event["type"] for event in events] == ["a", "tool.called", "b", "c", "d"]
    assert [events[2]["id"], events[4]["id"]] == [answer["lastId"], second["lastId"]]
    refused = await client.post(EVENTS, json=[{"type": "e"}, {"type": 5}])
    assert "type" in error(refused, 422)
    assert len((await client.get(EVENTS)).json()) == 5


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"{}", 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b'{"type":""}', 422),
        (b'{"type":"a\\u0000"}', 422),
        (b'{"type":"t","ts":"soon"}', 422),
        (b'{"type":"t","ts":1e300}', 422),
        (b'{"type":"t","ts":-1}', 422),
        (b'{"type":"t","level":"a\\u0000"}', 422),
        (b'{"type":"t","agentId":"a\\u0000"}', 422),
        (b'{"type":"t","agentId":{}}', 422),
        (b'{"type":"t","payload":"\xff"}', 400),
        (b'{"type":"t","payload":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
        (b"[" + b'{"type":"a"},' * 10_000 + b'{"type":"a"}]', 422),
    ],
)
async def test_a_clients_fault_is_a_4xx_and_leaves_nothing(client: httpx.AsyncClient, body: bytes, status: int) -> None:
    """Not even the run."""
    assert len(error(await client.post(EVENTS, content=body), status)) > 5
    assert (await client.get(RUNS)).json() == []


async def test_a_name_in_a_path(client: httpx.AsyncClient) -> None:
    """It may hold what a path can; what it cannot is refused."""
    for name, path in (("a b", "a%20b"), ("ünï", "%C3%BCn%C3%AF"), ("x?y=%", "x%3Fy%3D%25")):
        assert (await client.post(f"{RUNS}/{path}/events", json={"type": "t"})).json()["runId"] == name
        assert len((await client.get(f"{RUNS}/{path}/events")).json()) == 1
    assert error(await client.post(f"{RUNS}/{'x' * 201}/events", json={"type": "t"}), 422)
    assert error(await client.post(f"{RUNS}/a%00b/events", json={"type": "t"}), 422)


async def test_sending_twice_stores_once(client: httpx.AsyncClient) -> None:
    """With a key a repeat answers the first event; with other content under it, it is refused."""
    headers = {"idempotency-key": "k"}
    first = (await client.post(EVENTS, json={"type": "run.error", "payload": 1}, headers=headers)).json()
    assert (await client.post(EVENTS, json={"type": "run.error", "payload": 1}, headers=headers)).json() == first
    assert error(await client.post(EVENTS, json={"type": "run.error", "payload": 2}, headers=headers), 409)
    assert len((await client.get(EVENTS)).json()) == 1


async def test_error_messages(client: httpx.AsyncClient) -> None:
    """`message`, else `error`, from either terminal type; the end is set once."""
    for name, type, payload, text in (
        ("a", "run.error", {"message": "m", "error": "e"}, "m"),
        ("b", "error", {"error": "e"}, "e"),
        ("c", "error", {}, None),
    ):
        await tell(client, name, type, payload)
        run = await shown(client, name)
        assert (run["status"], run.get("errorMessage")) == ("error", text)
        await tell(client, name, "run.completed")
        assert await shown(client, name) == run
        assert [event["type"] for event in (await client.get(f"{RUNS}/{name}/events")).json()] == [
            type,
            "run.completed",
        ]


async def test_nothing_is_pruned_below_a_reader(client: httpx.AsyncClient) -> None:
    """No count of events deletes the first ones; pages lead through all of them without a hole."""
    await client.post(EVENTS, json=[{"type": "t", "payload": n} for n in range(6000)])
    seen: list[int] = []
    path = f"{EVENTS}?limit=1000"
    while path:
        page = await client.get(path)
        seen += [event["payload"] for event in page.json()]
        path = page.links.get("next", {}).get("url", "")
    assert seen == list(range(6000))


async def test_pages(client: httpx.AsyncClient) -> None:
    """`after` is an event's id, exclusive; what is no number is the beginning; limits are moved to what is taken."""
    told = [await tell(client, "r", "t", n) for n in range(5)]
    await tell(client, "other", "t")
    ids = [event["id"] for event in told]

    async def page(query: str) -> list[str]:
        return [event["id"] for event in (await client.get(f"{EVENTS}?{query}")).json()]

    assert await page(f"after={ids[2]}") == ids[3:]
    assert await page(f"after={ids[4]}") == []
    assert await page("after=nonsense") == await page("after=-5") == await page("after=0") == ids
    assert await page("limit=0") == ids[:1]
    assert await page("limit=99999&unknown=1&limit=2") == ids
    assert error(await client.get(f"{EVENTS}?limit=abc"), 422)


async def test_a_page_of_large_events_is_bounded(client: httpx.AsyncClient) -> None:
    """A page ends behind 4 MiB whatever `limit` says; Link leads on."""
    for n in range(6):
        await tell(client, "r", "t", {"n": n, "text": "x" * 1_500_000})
    first = await client.get(EVENTS)
    assert len(first.content) < 6_000_000
    rest = await client.get(first.links["next"]["url"])
    assert [event["payload"]["n"] for page in (first, rest) for event in page.json()] == list(range(6))


def test_cursors() -> None:
    """A number, however long; 0 for what is none; None for nothing."""
    found = [cursor(text) for text in ("", "x", "-4", "12", " 12", "12abc", "9" * 30, "²")]
    assert found == [None, 0, 0, 12, 12, 12, 2**63 - 1, 0]


class Reader:
    """Reads a stream beside the test."""

    def __init__(self, response: httpx.Response) -> None:
        self.text = ""
        self._task = asyncio.create_task(self._read(response))

    async def _read(self, response: httpx.Response) -> None:
        async for text in response.aiter_text():
            self.text += text

    @property
    def ids(self) -> list[int]:
        """The id of each event so far; what only sets the cursor is none."""
        return [int(block.partition("\n")[0][4:]) for block in self.text.split("\n\n")[:-1] if "\ndata: " in block]

    async def until(self, count: int) -> list[int]:
        """Wait for so many events."""

        async def enough() -> bool:
            return len(self.ids) >= count

        await eventually(enough)
        return self.ids

    async def until_text(self, wanted: str) -> str:
        """Wait for a text."""

        async def is_there() -> bool:
            return wanted in self.text

        await eventually(is_there)
        return self.text

    async def close(self) -> None:
        """Leave."""
        self._task.cancel()
        await asyncio.wait({self._task})


@asynccontextmanager
async def reading(client: httpx.AsyncClient, path: str = STREAM, **options: Any) -> AsyncIterator[Reader]:
    """An open stream."""
    async with client.stream("GET", path, **options) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        reader = Reader(response)
        try:
            yield reader
        finally:
            await reader.close()


async def test_following_begins_a_run(remote: httpx.AsyncClient) -> None:
    """A reporter may follow a run before anything is told of it; it is there then, and nothing is missed."""
    async with reading(remote) as reader:
        assert (await shown(remote, "r"))["status"] == "running"
        event = await tell(remote, "r", "t")
        assert await reader.until(1) == [int(event["id"])]


async def test_a_reader_that_is_cut_before_its_first_event_misses_none(remote: httpx.AsyncClient) -> None:
    """The stream says where it begins, so coming back with that is enough: there is no hole between list and stream."""
    await tell(remote, "r", "t", 1)
    async with reading(remote) as reader:
        text = await reader.until_text("\n\n")
    assert text.startswith(": connected\nid: ")
    begins = text.split("id: ")[1].strip()
    second = await tell(remote, "r", "t", 2)
    async with reading(remote, headers={"last-event-id": begins}) as reader:
        assert await reader.until(1) == [int(second["id"])]


async def test_a_backlog_has_no_hole(remote: httpx.AsyncClient) -> None:
    """2,500 events behind the cursor all come, in order, and then what is new."""
    first = await tell(remote, "r", "t")
    await remote.post(EVENTS, json=[{"type": "t"}] * 2500)
    whole = [int(first["id"]) + n for n in range(2501)]
    async with reading(remote, params={"after": first["id"]}) as reader:
        assert await reader.until(2500) == whole[1:]
        await tell(remote, "r", "t")
        assert (await reader.until(2501))[-1] == whole[-1] + 1


async def test_heartbeats_behind_the_end(remote: httpx.AsyncClient) -> None:
    """The stream of a run that is over stays: its clients know no end and would come again. What is late comes."""
    done = await tell(remote, "r", "run.completed")
    async with reading(remote, params={"after": "0"}) as reader:
        await reader.until_text(": heartbeat\n\n: heartbeat\n\n")
        late = await tell(remote, "r", "log", {"x": 1})
        assert await reader.until(2) == [int(done["id"]), int(late["id"])]
        last = await tell(remote, "r", "log", {"x": 2})
        async with reading(remote, params={"after": late["id"]}) as another:
            assert await another.until(1) == [int(last["id"])]
        assert (await reader.until(3))[-1] == int(last["id"])


async def test_streams_end_with_the_server(remote: httpx.AsyncClient, server: Server) -> None:
    """Those of finished runs too."""
    await tell(remote, "r", "run.completed")
    await tell(remote, "s", "t")
    async with reading(remote, params={"after": 0}) as over, reading(remote, f"{RUNS}/s/stream") as live:
        await over.until_text("heartbeat")
        await live.until_text("connected")
        async with asyncio.timeout(2):
            await server.stop()


async def test_payloads_with_line_ends_stay_one_frame(remote: httpx.AsyncClient) -> None:
    """A payload kept as it was sent may hold line ends between its tokens."""
    body = json.dumps({"type": "t", "payload": {"a": [1, "b\n"]}}, indent=1).replace("\n", "\r\n").encode()
    event = (await remote.post(EVENTS, content=body)).json()
    async with reading(remote, params={"after": 0}) as reader:
        await reader.until(1)
    (data,) = [line[6:] for line in reader.text.split("\n") if line.startswith("data: ")]
    assert json.loads(data) == event


@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8), data=st.data())
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True)
async def test_readers_who_come_and_go(server: Server, token: Any, sizes: list[int], data: st.DataObject) -> None:
    """While events are written in batches of any size, a reader that is cut anywhere and resumes sees each once."""
    base, headers = f"http://127.0.0.1:{server.port}", {"x-api-key": await token(Scope.ADMIN)}
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=10) as client:
        path = f"{RUNS}/{(await client.post(RUNS)).json()['id']}"
        seen: list[int] = []
        writing = asyncio.create_task(_write(client, path, sizes))
        while len(seen) < sum(sizes):
            most = data.draw(st.integers(1, 80))
            async with reading(client, f"{path}/stream", headers={"last-event-id": str(seen[-1] if seen else 0)}) as it:
                got = await it.until(min(most, sum(sizes) - len(seen)))
                seen.extend(got[:most])
        await writing
        assert seen == [int(event["id"]) for event in (await client.get(f"{path}/events?limit=1000")).json()]


async def _write(client: httpx.AsyncClient, path: str, sizes: list[int]) -> None:
    for size in sizes:
        await client.post(f"{path}/events", json=[{"type": "t"}] * size)


async def test_a_reader_that_takes_nothing_is_cut(remote: httpx.AsyncClient, server: Server, token: Any) -> None:
    """What it does not take waits for `stall_s` at most, and no more of it than a chunk: nothing piles up for it."""
    for _ in range(12):
        await tell(remote, "r", "t", "x" * 900_000)
    text = await token(Scope.READ)

    async def open_streams(count: int) -> bool:
        return server.app.context.figures.streams._value.get() == count

    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        sock.connect(("127.0.0.1", server.port))
        sock.sendall(f"GET {STREAM}?after=0 HTTP/1.1\r\nhost: localhost\r\nx-api-key: {text}\r\n\r\n".encode())
        await eventually(lambda: open_streams(1))
        await eventually(lambda: open_streams(0))
