"""From write(2) to the parsed event, against a bare pipe with epoll: one agent, some 500 lines a second."""

import asyncio
import os
import select
import statistics
import subprocess
import time
from collections.abc import Sequence

import msgspec

from agentrunner.domain.control import RecordRequest
from agentrunner.worker.host import Host
from bench.attempts import Sink, execution, host, output_of
from bench.plan import Plan
from bench.report import Row, paired

PAUSE_US = 2000


class _Line(msgspec.Struct):
    ts: int


class _Log(msgspec.Struct):
    lines: list[str]


async def ours(where: Host, argv: list[str]) -> list[float]:
    """Microseconds of each line until its event is handed over."""
    times: list[float] = []

    def look(request: RecordRequest) -> None:
        now = time.monotonic_ns()
        for part in output_of(request):
            for event in part.events:
                for line in msgspec.json.decode(event.payload, type=_Log).lines:
                    times.append((now - msgspec.json.decode(line, type=_Line).ts) / 1000)

    attempt = execution(where, argv, Sink(look))
    async with asyncio.timeout(60):
        await attempt.run()
    attempt.close()
    return times


def limit(argv: list[str]) -> list[float]:
    """Microseconds of each line until it is parsed by whoever holds the pipe's other end."""
    times: list[float] = []
    decoder = msgspec.json.Decoder(_Line)
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as writer, select.epoll() as epoll:
        assert writer.stdout is not None
        descriptor = writer.stdout.fileno()
        epoll.register(descriptor, select.EPOLLIN)
        while epoll.poll(30) and (data := os.read(descriptor, 1 << 16)):
            for line in decoder.decode_lines(data):
                times.append((time.monotonic_ns() - line.ts) / 1000)
    return times


async def _measure(plan: Plan) -> list[Row]:
    lines = plan.pick(200, 1000)
    argv = [plan.program("emit"), str(lines), "200", "1", str(PAUSE_US)]
    pairs: list[tuple[float, float]] = []
    far: list[float] = []
    async with host(plan.place("latency")) as where:
        for number in range(plan.rounds):
            mine = await ours(where, argv)
            theirs = await asyncio.to_thread(limit, argv)
            assert len(mine) == len(theirs) == lines
            pairs.append((statistics.median(mine), statistics.median(theirs)))
            far += [_p99(mine)]
            plan.tell(f"latency: round {number + 1} of {plan.rounds}: {pairs[-1][0]:.0f} against {pairs[-1][1]:.0f} us")
    row = Row(
        name="latency", unit="us p50", must=1.5, lower_is_better=True, note=f"p99 {statistics.median(far):.0f} us"
    )
    return [paired(row, pairs)]


def _p99(times: Sequence[float]) -> float:
    return sorted(times)[len(times) * 99 // 100]


def measure(plan: Plan) -> list[Row]:
    """The row."""
    return asyncio.run(_measure(plan))
