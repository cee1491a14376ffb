"""The worker's calls against a real HTTP server that answers as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from agentrunner.domain.control import ClaimRequest, HeartbeatRequest, RecordRequest
from agentrunner.domain.errors import (
    InvalidRequest,
    OffsetMismatch,
    ServerUnreachable,
    StaleEpoch,
    Unauthorized,
    WorkerNotFound,
)
from agentrunner.worker.control import Control
from waiting import eventually

HEARTBEAT = HeartbeatRequest(worker_id="w", epoch=1)
RECORD = RecordRequest(worker_id="w", epoch=1, run_id=7, attempt=1, uid="u")
STORED = {
    "offsets": {"out": 5, "err": 0, "journal": 9},
    "states": {},
    "status": "RUNNING",
    "last_seq": 3,
    "ended": False,
}


class Answers:
    """An HTTP server: the next of some answers for each request, the last one for ever; None hangs up."""

    def __init__(self, *answers: tuple[int, Any] | None) -> None:
        self._answers = list(answers)
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            body = await reader.readexactly(int(headers["content-length"]))
            self.requests.append((head[0].split()[1], headers, json.loads(body)))
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            if answer is not None:
                status, content = answer
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                writer.write(
                    f"HTTP/1.1 {status} X\r\ncontent-length: {len(data)}\r\nconnection: close\r\n\r\n".encode()
                )
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def connected(directory: Path, *answers: tuple[int, Any] | None) -> AsyncIterator[tuple[Control, Answers]]:
    """A control on a Unix socket with such a server behind it."""
    served = Answers(*answers)
    socket = str(directory / "sock")
    server = await asyncio.start_unix_server(served.serve, socket)
    control = Control.connect("http://agentrunner", socket, "secret-token")
    try:
        yield control, served
    finally:
        await control.close()
        server.close()
        await server.wait_closed()


async def test_a_call_is_repeated_until_it_is_answered(tmp_path: Path) -> None:
    """Broken connections, 5xx, 429 and nonsense are no answers; the same body is sent each time."""
    failing = (None, (500, {"code": "internal"}), (503, b"no json"), (429, {}), (200, b"{"), (200, STORED))
    async with connected(tmp_path, *failing) as (control, served):
        answer = await asyncio.wait_for(control.record(RECORD), 15)
    assert (answer.offsets.out, answer.last_seq) == (5, 3)
    assert len(served.requests) == 6
    assert len({json.dumps(body) for _, _, body in served.requests}) == 1
    path, headers, body = served.requests[0]
    assert (path, headers["authorization"]) == ("/v1/control/record", "bearer secret-token")
    assert body["uid"] == "u"


async def test_a_heartbeat_is_not_repeated(tmp_path: Path) -> None:
    """What counts is when the answered one was sent."""
    async with connected(tmp_path, (503, {"code": "unavailable"})) as (control, served):
        with pytest.raises(ServerUnreachable):
            await control.heartbeat(HEARTBEAT)
        assert len(served.requests) == 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (409, "offset_mismatch", OffsetMismatch),
        (409, "stale_epoch", StaleEpoch),
        (404, "worker_not_found", WorkerNotFound),
        (401, "unauthorized", Unauthorized),
        (422, "invalid_field", InvalidRequest),
        (413, "body_too_large", InvalidRequest),
    ],
)
async def test_refusals_are_typed_and_not_repeated(tmp_path: Path, status: int, code: str, kind: type) -> None:
    """The server's own errors by their code, any other refusal as one."""
    async with connected(tmp_path, (status, {"code": code, "detail": "why", "status": status})) as (control, served):
        with pytest.raises(kind, match="why"):
            await control.record(RECORD)
        assert len(served.requests) == 1


@pytest.mark.parametrize("ended", [True, False])
async def test_what_an_error_says_more_is_kept(tmp_path: Path, ended: bool) -> None:
    """Fields beside the standard ones come as values, so that false is false."""
    problem = {"code": "stale_epoch", "detail": "why", "title": "t", "ended": ended}
    async with connected(tmp_path, (409, problem)) as (control, _):
        with pytest.raises(StaleEpoch) as caught:
            await control.record(RECORD)
    assert caught.value.extra == {"ended": ended}


async def test_no_server_is_said_once(tmp_path: Path) -> None:
    """All calls share one warning behind some silence, and one line when it is over."""
    control = Control.connect("http://agentrunner", str(tmp_path / "nobody"), "t", silent_s=0.2)
    claim = ClaimRequest(worker_id="w", epoch=1, claim_id="c", slots=1)
    with structlog.testing.capture_logs() as logs:
        calls = [asyncio.ensure_future(control.record(RECORD)), asyncio.ensure_future(control.claim(claim))]
        await asyncio.wait(calls, timeout=1.5)
        assert not any(call.done() for call in calls)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
    await control.close()
    assert [entry["event"] for entry in logs] == ["the server does not answer; trying on, agents go on"]
    assert "secret" not in str(logs)


async def test_records_are_bounded_and_hold_up_nothing_else(tmp_path: Path) -> None:
    """A hundred at once take sixteen connections; a sign of life passes them although no record is answered yet."""
    waiting, most = 0, 0
    go_on = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting, most
        head = await reader.readuntil(b"\r\n\r\n")
        answer: object = {"lease_s": 20.0}
        if b"/record" in head:
            answer, waiting = STORED, waiting + 1
            most = max(most, waiting)
            await go_on.wait()
            waiting -= 1
        data = json.dumps(answer).encode()
        writer.write(f"HTTP/1.1 200 X\r\ncontent-length: {len(data)}\r\nconnection: close\r\n\r\n".encode() + data)
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(serve, tmp_path / "s"):
        control = Control.connect("http://x", str(tmp_path / "s"), "token")
        records = [asyncio.create_task(control.record(RECORD)) for _ in range(100)]

        async def is_full() -> bool:
            return waiting == 16

        await eventually(is_full)
        assert (await control.heartbeat(HEARTBEAT)).lease_s == 20.0
        go_on.set()
        async with asyncio.timeout(10):
            await asyncio.gather(*records)
        assert most == 16
        await control.close()
