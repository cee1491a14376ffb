"""What people read, over HTTP from a real server: how long each takes, and whether it answers right."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec

from bench.servers import Server
from size.rows import EVENTS

LIST = "/v1/runs?limit=50"
WALKS = {"list, tick*", 'list, "users common"', "list, common -login"}
"""Reads that have to look at every text, for each holds the words and none what is asked of them: bounded by time."""
_DEEP = 1000
_LEAST, _MOST, _SECONDS = 20, 200, 4.0


@dataclass(frozen=True, slots=True)
class Read:
    """A request; `found` says how many items of a full page it has to answer (None: whatever there is)."""

    name: str
    path: str
    found: int | None = None
    body: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds."""

    p50: float
    p99: float
    count: int


def reads(count: int, queued: int, long_run: int, long_events: int) -> list[Read]:
    """Every read, for `count` runs and one with a long timeline."""
    rare = count // 2 + 1
    queries = {
        "status:failed": 50,
        "status:failed,stopped": 50,
        "-status:completed": 50,
        "is:terminal": 50,
        "is:active": None,
        "is:held": 0,
        "backend:external": 50,
        "project:web": 50,
        "project:web status:failed,stopped": 50,
        "agent:agent-7": 50,
        "agent:nobody": 0,
        "-agent:agent-7": 50,
        "label:team=t3": None,
        "label:team": 50,
        "label:team=t3,team=t4 label:size=m": None,
        "worker:worker-9": None,
        "reason:exit_nonzero": 50,
        "since:1h": None,
        "since:2020-01-01": 50,
        "until:1d": None,
        "until:2020-01-01": 0,
        "cost:>50": None,
        "cost:>1": 50,
        "cost:>5000": 0,
        "took:>10s": None,
        "took:>1h": None,
        f"id:{rare}": 1,
        "status:stopped agent:agent-19 label:team=t49": None,
        f"ticket{rare}": 1,
        "common": 50,
        "wordthatisnowhere": 0,
        '"thing that common users"': 50,
        '"users common"': 0,
        "login common broken": 50,
        f"common ticket{rare}": 1,
        "-common": None,
        "common -login": None,
        "module7 part7": None,
        "tick*": 50,
        "status:failed common": 50,
        "status:queued common": None,
    }
    found = [Read("list, first page", LIST, 50)]
    found += [Read(f"list, {text}", f"{LIST}&q={quote(text)}", size) for text, size in queries.items()]
    for name, after in (("begin", 0), ("middle", long_events // 2), ("end", long_events - 100)):
        path = f"/v1/runs/{long_run}/events?after={after}&limit=100"
        found.append(Read(f"events, {name} of {long_events:,}", path, 100))
    found += [
        Read("one run", f"/v1/runs/{rare}"),
        Read("explain, ended", f"/v1/runs/{rare}/explain"),
        Read("explain, queued", f"/v1/runs/{queued}/explain"),
        Read("events of one run", f"/v1/runs/{rare}/events", EVENTS),
        Read("figures", "/metrics"),
        Read("bulk preview", "/v1/runs/bulk", None, {"action": "stop", "q": "status:failed", "preview": True}),
    ]
    return found


def measure(server: Server, read: Read) -> Times:
    """The times of a read, repeated; raises AssertionError where the answer is wrong."""
    answer = _ask(server, read)
    if read.found is not None:
        items = msgspec.json.decode(answer)["items"]
        assert len(items) == read.found, f"{read.name}: {len(items)} items instead of {read.found}"
    return timed(lambda: _ask(server, read))


def _ask(server: Server, read: Read) -> bytes:
    if read.body is None:
        return server.caller.call("GET", read.path)
    return server.caller.call("POST", read.path, msgspec.json.encode(read.body))


def timed(call: Callable[[], object]) -> Times:
    """The times of a call that is repeated for a few seconds."""
    times: list[float] = []
    deadline = time.perf_counter() + _SECONDS
    while len(times) < _MOST and (len(times) < _LEAST or time.perf_counter() < deadline):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1000)
    times.sort()
    return Times(statistics.median(times), times[int(len(times) * 0.99)], len(times))


def deep(server: Server) -> tuple[Times, int]:
    """The last of a thousand pages by cursor, or of as many as there are, and how many that were; each run once."""
    path, pages, times = LIST, 0, []
    lowest = 2**63
    while pages < _DEEP:
        began = time.perf_counter()
        page = msgspec.json.decode(server.caller.call("GET", path))
        times.append((time.perf_counter() - began) * 1000)
        pages += 1
        ids = [item["id"] for item in page["items"]]
        assert ids == sorted(ids, reverse=True), f"page {pages} is not in order"
        assert not ids or ids[0] < lowest, f"page {pages} repeats a run"
        lowest = ids[-1]
        if page["next_cursor"] is None:
            break
        path = f"{LIST}&cursor={page['next_cursor']}"
    last = sorted(times[-_LEAST:])
    return Times(statistics.median(last), last[-1], len(last)), pages
