"""How long a line takes from the agent's write until it is readable over HTTP, on live streams of some runs."""

import asyncio
import json
import threading
import time
from dataclasses import dataclass, field

from bench.wire import request

_DATA = b"data: "


@dataclass(slots=True)
class Seen:
    """Seconds from write to arrival, of every line that was written while somebody watched."""

    seconds: list[float] = field(default_factory=list)


class Watcher(asyncio.Protocol):
    """One stream; only lines written after it was asked for count, for what was there before waited for nobody."""

    def __init__(self, seen: Seen, message: bytes) -> None:
        self._seen = seen
        self._message = message
        self._since = time.time()
        self._data = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        transport.write(self._message)

    def data_received(self, data: bytes) -> None:
        now = time.time()
        *lines, self._data = (self._data + data).split(b"\n")
        for line in lines:
            if line.startswith(_DATA) and b'"lines"' in line:
                self._note(now, json.loads(line[len(_DATA) :]))

    def _note(self, now: float, event: dict[str, object]) -> None:
        payload = event["payload"]
        assert isinstance(payload, dict)
        written = [int(text.split(" ")[1]) / 1e9 for text in payload["lines"]]
        self._seen.seconds += [now - at for at in written if at > self._since]


def watch(port: int, token: str, run_ids: list[int], seconds: float) -> Seen:
    """Watch the streams of some runs for a while, in a thread of its own."""
    seen = Seen()

    async def all_of_them() -> None:
        loop = asyncio.get_running_loop()
        transports = []
        for run_id in run_ids:
            message = request("GET", f"/v1/runs/{run_id}/stream?after=0", token)
            transport, _ = await loop.create_connection(lambda: Watcher(seen, message), "127.0.0.1", port)  # noqa: B023
            transports.append(transport)
        ended = loop.create_future()
        loop.call_later(seconds, ended.set_result, None)
        await ended
        for transport in transports:
            transport.close()

    thread = threading.Thread(target=lambda: asyncio.run(all_of_them()), name="latency")
    thread.start()
    thread.join(seconds + 30)
    assert not thread.is_alive(), "the streams were not opened in time"
    return seen
