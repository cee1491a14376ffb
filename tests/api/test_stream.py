"""Streams: no gap and no repeat at any cursor, an end, and readers that are cut."""

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

from agentrunner.api.server import Server
from agentrunner.domain.token import Scope
from api.serving import COMMAND, Frame, frames, new_run, problem
from waiting import eventually

EVENTS = "/v1/runs/1/events"
STREAM = "/v1/runs/1/stream"


@pytest.fixture
async def remote(server: Server, token: Any) -> AsyncIterator[httpx.AsyncClient]:
    """An admin's client of the real server, over TCP."""
    headers = {"authorization": f"Bearer {await token(Scope.ADMIN)}"}
    limits = httpx.Limits(max_connections=None)
    base = f"http://127.0.0.1:{server.port}"
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=10, limits=limits) as found:
        yield found


class Reader:
    """Reads a stream beside the test."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.text = ""
        self.ended = False
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for text in self.response.aiter_text():
            self.text += text
        self.ended = True

    @property
    def frames(self) -> list[Frame]:
        """What was read so far."""
        return frames(self.text)

    async def until(self, count: int) -> list[Frame]:
        """Wait for so many events."""

        async def enough() -> bool:
            return len(self.frames) >= count

        await eventually(enough)
        return self.frames

    async def until_end(self) -> list[Frame]:
        """Wait until the server closes."""

        async def over() -> bool:
            return self._task.done()

        await eventually(over)
        return self.frames

    async def close(self) -> None:
        """Stop reading."""
        self._task.cancel()
        await asyncio.wait({self._task})


@asynccontextmanager
async def reading(client: httpx.AsyncClient, path: str, **options: Any) -> AsyncIterator[Reader]:
    """An open stream."""
    async with client.stream("GET", path, **options) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        reader = Reader(response)
        try:
            yield reader
        finally:
            await reader.close()


async def test_history_then_live_then_end(remote: httpx.AsyncClient) -> None:
    """A stream gives what was, then what comes, then `end` with the run, and is closed."""
    await new_run(remote)
    await remote.post(EVENTS, json=[{"type": "a"}, {"type": "b", "payload": {"x": "é\n"}}])
    async with reading(remote, STREAM) as reader:
        seen = await reader.until(3)
        assert [(frame.id, frame.event) for frame in seen] == [(1, "run.created"), (2, "a"), (3, "b")]
        assert seen[2].data == (await remote.get(EVENTS)).json()["items"][2]
        await remote.post(EVENTS, json={"type": "c"})
        assert (await reader.until(4))[3].id == 4
        await remote.post(EVENTS, json={"type": "run.completed"})
        seen = await reader.until_end()
    assert [(frame.id, frame.event) for frame in seen[4:]] == [(5, "run.completed"), (None, "end")]
    assert seen[-1].data == (await remote.get("/v1/runs/1")).json()
    assert reader.ended


async def test_resume_at_every_cursor(remote: httpx.AsyncClient) -> None:
    """Whatever was received last, the stream goes on behind it without a gap or a repeat."""
    await new_run(remote)
    await remote.post(EVENTS, json=[{"type": "t", "payload": n} for n in range(250)])
    await remote.post(EVENTS, json={"type": "run.failed"})
    for cursor in [*range(0, 252, 17), 99, 100, 101, 251, 252]:
        by_query = frames((await remote.get(STREAM, params={"after": cursor})).text)
        by_header = frames((await remote.get(STREAM, headers={"last-event-id": str(cursor)})).text)
        assert by_query == by_header
        assert [frame.id for frame in by_query] == [*range(cursor + 1, 253), None]


@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=12), data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True)
async def test_readers_who_come_and_go(server: Server, token: Any, sizes: list[int], data: st.DataObject) -> None:
    """While events are written in batches of any size, a reader that is cut anywhere and resumes sees each once."""
    headers = {"authorization": f"Bearer {await token(Scope.ADMIN)}"}
    base = f"http://127.0.0.1:{server.port}"
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=10) as client:
        run = await new_run(client)
        path = f"/v1/runs/{run['id']}"
        seen: list[int] = []
        writing = asyncio.create_task(_write(client, path, sizes))
        while not (seen and seen[-1] == sum(sizes) + 2):
            most = data.draw(st.integers(1, 80))
            async with reading(client, f"{path}/stream", headers={"last-event-id": str(seen[-1] if seen else 0)}) as it:
                got = await it.until(min(most, sum(sizes) + 2 - len(seen)))
                seen.extend(frame.id for frame in got[:most] if frame.id is not None)
        await writing
    assert seen == list(range(1, sum(sizes) + 3))


async def _write(client: httpx.AsyncClient, path: str, sizes: list[int]) -> None:
    for size in sizes:
        await client.post(f"{path}/events", json=[{"type": "t"}] * size)
    await client.post(f"{path}/events", json={"type": "run.completed"})


async def test_many_readers_see_the_same(remote: httpx.AsyncClient, server: Server) -> None:
    """Readers of one run share its feed; each gets everything, and the feed is gone with the last of them."""
    await new_run(remote)
    opened = [await remote.send(remote.build_request("GET", STREAM), stream=True) for _ in range(20)]
    readers = [Reader(response) for response in opened]
    for n in range(50):
        await remote.post(EVENTS, json={"type": "t", "payload": n})
    assert len(server.app.context.feeds._feeds) == 1
    await remote.post(EVENTS, json={"type": "run.completed"})
    for reader in readers:
        assert [frame.id for frame in await reader.until_end()] == [*range(1, 53), None]
        await reader.response.aclose()

    async def gone() -> bool:
        return not server.app.context.feeds._feeds

    await eventually(gone)


async def test_heartbeats_and_no_reader_left_behind(remote: httpx.AsyncClient, server: Server) -> None:
    """An idle stream sends comments; a reader that goes is noticed and its feed is closed."""
    await new_run(remote)
    async with reading(remote, STREAM) as reader:

        async def two_beats() -> bool:
            return reader.text.count("\n: \n") >= 2

        await eventually(two_beats)

    async def gone() -> bool:
        context = server.app.context
        return not context.feeds._feeds and context.figures.streams._value.get() == 0

    await eventually(gone)


async def test_streams_end_with_the_server(remote: httpx.AsyncClient, server: Server) -> None:
    """A stopping server ends streams cleanly and at once; there is no `end`, for the run is not over."""
    await new_run(remote)
    async with reading(remote, STREAM) as one, reading(remote, "/v1/stream") as all_runs:
        await one.until(1)
        await all_runs.until(1)
        async with asyncio.timeout(2):
            await server.stop()
        assert [frame.event for frame in await one.until_end()] == ["run.created"]
        await all_runs.until_end()
        assert one.ended
        assert all_runs.ended


async def test_a_reader_that_takes_nothing_is_cut(remote: httpx.AsyncClient, server: Server, token: Any) -> None:
    """A socket that takes no byte is cut after `stall_s`; one that reads slowly is not."""
    await new_run(remote)
    big = "x" * 900_000
    for _ in range(12):
        await remote.post(EVENTS, json={"type": "t", "payload": big})
    text = await token(Scope.READ)

    def connect() -> socket.socket:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        sock.connect(("127.0.0.1", server.port))
        sock.sendall(f"GET {STREAM} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {text}\r\n\r\n".encode())
        sock.setblocking(False)
        return sock

    async def open_streams(count: int) -> bool:
        return server.app.context.figures.streams._value.get() == count

    loop = asyncio.get_running_loop()
    with connect() as stalled, connect() as slow:
        await eventually(lambda: open_streams(2))
        taken = 0

        async def only_slow_is_left() -> bool:
            nonlocal taken
            taken += len(await loop.sock_recv(slow, 16 * 1024))
            return await open_streams(1)

        await eventually(only_slow_is_left, every=0.05)
        assert taken > 0
        assert server.app.context.feeds._feeds
        stalled.setblocking(True)
        with pytest.raises(ConnectionResetError):
            drain(stalled)


async def test_a_reader_that_lags_gets_everything(remote: httpx.AsyncClient, server: Server, token: Any) -> None:
    """In order and once, while another one beside it is written to as events come."""
    await new_run(remote)
    text = await token(Scope.READ)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=4096)
    head = f"GET {STREAM} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {text}\r\n\r\n"
    writer.write(head.encode())
    await reader.readuntil(b"event: run.created")
    async with reading(remote, STREAM) as quick:
        for start in range(0, 1500, 100):
            batch = [{"type": "t", "payload": {"n": start + n, "text": "x" * 20_000}} for n in range(20)]
            assert (await remote.post(EVENTS, json=batch)).status_code == 201
        await remote.post(EVENTS, json={"type": "run.completed"})
        seen = await quick.until_end()
    assert [frame.id for frame in seen[:-1]] == list(range(1, 303))
    data = b""
    async with asyncio.timeout(20):
        while not data.endswith(b"\r\n0\r\n\r\n"):
            data += await reader.read(1 << 16)
    writer.transport.abort()
    assert frames(unchunked(data)) == seen[1:]


def unchunked(data: bytes) -> str:
    """A body that was sent in chunks, from the end of one of them on."""
    body, rest = b"", data[data.index(b"\r\n") + 2 :]
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body.decode()


def drain(sock: socket.socket) -> None:
    """Read to the end."""
    while sock.recv(1 << 20):
        pass


@pytest.mark.parametrize("cursor", ["-1", "x", "9223372036854775808", "²"])
async def test_bad_cursors(client: httpx.AsyncClient, cursor: str) -> None:
    """A cursor that is no number is refused before anything is sent."""
    await new_run(client)
    problem(await client.get(STREAM, headers=[(b"last-event-id", cursor.encode())]), 400, "invalid_cursor")
    problem(await client.get(STREAM, params={"after": cursor}), 422, "invalid_field")


async def test_a_cursor_behind_the_end(client: httpx.AsyncClient) -> None:
    """A cursor that this run has not reached comes from another database and is refused."""
    await new_run(client)
    assert problem(await client.get(STREAM, params={"after": 2}), 400, "invalid_cursor")["last_seq"] == 1


async def test_payloads_with_line_ends_stay_one_frame(remote: httpx.AsyncClient) -> None:
    """A payload kept as it was sent may hold line ends between its tokens; the frame is still one."""
    await new_run(remote)
    body = json.dumps({"type": "t", "payload": {"a": [1, "b\n"]}}, indent=1).replace("\n", "\r\n").encode()
    await remote.post(EVENTS, content=body)
    await remote.post(EVENTS, json={"type": "run.completed"})
    seen = frames((await remote.get(STREAM)).text)
    assert [frame.event for frame in seen] == ["run.created", "t", "run.completed", "end"]
    assert seen[1].data["payload"] == {"a": [1, "b\n"]}


async def test_all_runs(remote: httpx.AsyncClient) -> None:
    """The stream of all runs begins with `resync` and then says which run changed, as it is now."""
    async with reading(remote, "/v1/stream") as reader:
        assert [frame.event for frame in await reader.until(1)] == ["resync"]
        await remote.post("/v1/runs", json=COMMAND)

        async def sees(status: str) -> bool:
            return any(frame.event == "run" and frame.data["run"]["status"] == status for frame in reader.frames)

        await eventually(lambda: sees("QUEUED"))
        await remote.post("/v1/runs/1/stop")
        await eventually(lambda: sees("STOPPED"))
        assert all(frame.data["id"] == 1 for frame in reader.frames if frame.event == "run")
        assert all(frame.id is None for frame in reader.frames)


async def test_all_runs_when_very_many_change(remote: httpx.AsyncClient) -> None:
    """More changes at once than hints are worth become one `resync`."""
    async with reading(remote, "/v1/stream") as reader:
        await reader.until(1)
        await remote.post("/v1/runs", json={"runs": [COMMAND] * 1000})

        async def resynced() -> bool:
            return [frame.event for frame in reader.frames].count("resync") >= 2

        await eventually(resynced)


async def test_a_large_run_is_only_named(remote: httpx.AsyncClient) -> None:
    """A run larger than a hint should be is named without its fields."""
    async with reading(remote, "/v1/stream") as reader:
        await reader.until(1)
        await new_run(remote, goal="x" * 100_000)
        assert (await reader.until(2))[1].data == {"id": 1, "run": None}
