"""Reads and writes at size: `python tests/size [--runs 1000000] [--dir DIR]`.

Builds a database of 1,000, 10,000, … runs up to `--runs`, nine events each, and one run with a long timeline. At each
size it measures what a run costs, and at the first and the last what people read. Prints a table, and as its last line
one JSON object; exit 1 where something grows with the number of runs, or answers wrong. A million runs take about 5 GB.
"""

import argparse
import asyncio
import json
import math
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.servers import serving
from size import cost, reads, rows
from size.reads import Times

SLACK_MS = 25.0
"""A read may take so much longer with all runs than with few: what grows with them takes hundreds."""
FACTOR = 3.0
WALK_MS = 1500.0
"""What looks at every text may take so long with a million runs; the server gives a search up after five seconds."""
SLOPE = 0.1
LONG = 1_000_000


def main() -> int:
    """Measure and report."""
    options = parse()
    began = time.monotonic()

    def tell(line: str) -> None:
        print(f"size {time.monotonic() - began:5.0f} s: {line}", flush=True)

    with tempfile.TemporaryDirectory(prefix="ar-size-", dir=options.dir, ignore_cleanup_errors=True) as directory:
        found = measure(Path(directory), options.runs, options.events, tell)
    print(json.dumps({**found, "runs": options.runs, "seconds": round(time.monotonic() - began, 1)}))
    return 0 if found["ok"] else 1


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python tests/size", description=__doc__.partition("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--runs", type=int, default=1_000_000, help="how many runs, a power of ten from 1,000 on")
    parser.add_argument("--events", type=int, default=LONG, help="how many events the long timeline has")
    parser.add_argument("--dir", type=Path, help="where to work (default: TMPDIR)")
    options = parser.parse_args()
    if len(str(options.runs)) < 4 or str(options.runs) != f"1{'0' * (len(str(options.runs)) - 1)}":
        parser.error("--runs is 1000, 10000, 100000, …")
    return options


def measure(place: Path, most: int, events: int, tell: reads.Callable[[str], None]) -> dict[str, object]:
    """Everything, from the first size to the last."""
    place.chmod(0o700)
    template = asyncio.run(cost.prepare(place))
    costs: dict[int, float] = {}
    few: dict[str, Times] = {}
    many: dict[str, Times] = {}
    present = template
    size = 1000
    while size <= most:
        began = time.perf_counter()
        rows.fill(place / "agentrunner.db", template, present + 1, size)
        if size == 1000:
            rows.fill_events(place / "agentrunner.db", template, events)
        tell(f"{size:,} runs are there, written in {time.perf_counter() - began:.1f} s")
        costs[size], present = asyncio.run(cost_at(place, size, tell))
        if size in (1000, most):
            taken = read_all(place, (size, present), (template, events), tell)
            few, many = (taken, taken) if size == 1000 else (few, taken)
        size *= 10
    size_gb = sum(file.stat().st_size for file in place.glob("agentrunner.db*")) / 1e9
    tell(f"the database has {size_gb:.2f} GB")
    return report(costs, few, many)


async def cost_at(place: Path, size: int, tell: reads.Callable[[str], None]) -> tuple[float, int]:
    """What a run costs with `size` runs there, and the newest id behind it."""
    world = await cost.open_world(place)
    seconds, count = await cost.index(world)
    tell(f"{count:,} texts indexed in {seconds:.1f} s")
    found = await cost.per_run(world)
    tell(f"a run costs {found:.2f} ms of CPU among {size:,}")
    newest = (await world.create(goal="waits")).id
    await cost.index(world)
    await world.s.db.stop()
    return found, newest


def read_all(
    place: Path, sizes: tuple[int, int], long: tuple[int, int], tell: reads.Callable[[str], None]
) -> dict[str, Times]:
    """The times of every read, by name."""
    size, queued = sizes
    found: dict[str, Times] = {}
    with serving(place) as server:
        for read in reads.reads(size, queued, *long):
            try:
                found[read.name] = times = reads.measure(server, read)
            except AssertionError as error:
                tell(f"{size:,} runs: {read.name}: {error}")
                found[read.name] = Times(math.inf, math.inf, 0)
                continue
            tell(f"{size:,} runs: {read.name}: p50 {times.p50:.2f} ms, p99 {times.p99:.2f} ms")
        found["list, deep by cursor"], pages = reads.deep(server)
        tell(f"{size:,} runs: page {pages}: p50 {found['list, deep by cursor'].p50:.2f} ms")
    return found


def report(costs: dict[int, float], few: dict[str, Times], many: dict[str, Times]) -> dict[str, object]:
    """The table and the verdict."""
    print(f"\n{'read':48}  {'few p50':>9}  {'all p50':>9}  {'all p99':>9}")
    grown = []
    for name, times in many.items():
        small = few.get(name, times)
        bound = WALK_MS if name in reads.WALKS else FACTOR * small.p50 + SLACK_MS
        bad = not times.p50 <= bound < math.inf
        grown += [name] if bad else []
        print(f"{name:48}  {small.p50:9.2f}  {times.p50:9.2f}  {times.p99:9.2f}{'  grows' if bad else ''}")
    slope = cost.slope(costs)
    print(f"\n{'runs there':>12}  CPU ms per run (create, claim, start, one line, end)")
    for size, each in costs.items():
        print(f"{size:12,}  {each:.3f}")
    print(f"slope: {slope:+.1%} for ten times as many runs\n")
    return {
        "ok": not grown and slope <= SLOPE,
        "grows": grown,
        "slope": round(slope, 4),
        "cost_ms": {str(size): round(each, 4) for size, each in costs.items()},
        "p50_ms": {name: round(times.p50, 3) for name, times in many.items()},
        "p99_ms": {name: round(times.p99, 3) for name, times in many.items()},
    }


if __name__ == "__main__":
    sys.exit(main())
