"""A writer of lines under a shim into stored-ready typed events, against the same writer piped to `cat`."""

import asyncio
import os
import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass, field

import msgspec

from agentrunner.domain.control import RecordRequest
from agentrunner.worker.host import Host
from bench.attempts import Sink, execution, host, output_of
from bench.plan import Plan
from bench.report import Row, paired

LINE_BYTES = 200


@dataclass(slots=True)
class _Progress:
    """How much was recorded, and when the last byte was; the events themselves only where they are to be looked at."""

    wanted: int
    keep: bool
    seen: int = 0
    at: float = 0.0
    payloads: list[bytes] = field(default_factory=list)

    def look(self, request: RecordRequest) -> None:
        for part in output_of(request):
            self.seen = part.end
            if self.keep:
                self.payloads += [bytes(event.payload) for event in part.events if event.type == "log"]
        if self.seen == self.wanted and not self.at:
            self.at = time.perf_counter()


class _Log(msgspec.Struct):
    lines: list[str]


class _Line(msgspec.Struct):
    seq: int


async def ours(where: Host, argv: list[str], lines: int, known: dict[str, str], check: bool = False) -> float:
    """Lines a second from the request to start until the last line is an event; `check` looks at each of them."""
    progress = _Progress(lines * LINE_BYTES, check)
    attempt = execution(where, argv, Sink(progress.look), known)
    began = time.perf_counter()
    async with asyncio.timeout(60):
        await attempt.run()
    attempt.close()
    assert progress.seen == progress.wanted
    if check:
        texts = [line for payload in progress.payloads for line in msgspec.json.decode(payload, type=_Log).lines]
        assert [msgspec.json.decode(text, type=_Line).seq for text in texts] == list(range(lines))
    for old in where.runs.iterdir():
        shutil.rmtree(old)
    return lines / (progress.at - began)


def limit(argv: list[str], lines: int) -> float:
    """Lines a second of the writer into a pipe that `cat` empties."""
    began = time.perf_counter()
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as writer:
        subprocess.run(["cat"], stdin=writer.stdout, stdout=subprocess.DEVNULL, check=True, timeout=60)
    return lines / (time.perf_counter() - began)


async def _measure(plan: Plan) -> list[Row]:
    program = plan.program("emit")
    lines = plan.pick(60_000, 500_000)
    argv = [program, str(lines), str(LINE_BYTES), "1"]
    # An environment variable named like a secret is one for the redactor, as with a run's own secrets.
    five = {f"BENCH_TOKEN_{number}": secrets.token_urlsafe(40) for number in range(5)}
    cases: tuple[tuple[str, dict[str, str]], ...] = (("no secret", {}), ("five secrets", five))
    found: dict[str, list[tuple[float, float]]] = {"no secret": [], "five secrets": []}
    async with host(plan.place("output")) as where:
        few = [program, "20000", str(LINE_BYTES), "1"]
        for known in ({}, five):
            await ours(where, few, 20_000, known, check=True)
        for number in range(plan.rounds):
            for name, known in cases:
                mine = await ours(where, argv, lines, known)
                theirs = await asyncio.to_thread(limit, argv, lines)
                found[name].append((mine, theirs))
                plan.tell(f"output, {name} known: round {number + 1}: {mine:,.0f} against {theirs:,.0f} lines/s")
    size = f"{LINE_BYTES} bytes, a write a line, {os.cpu_count()} cores"
    return [
        paired(Row(name="output", unit="lines/s", must=0.9, wish=1.1, note=size), found["no secret"]),
        paired(Row(name="output, five secrets", unit="lines/s", note="beside it"), found["five secrets"]),
    ]


def measure(plan: Plan) -> list[Row]:
    """The row, and the same with five secrets known."""
    return asyncio.run(_measure(plan))
