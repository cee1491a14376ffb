"""Kill what can be killed, again and again, and prove what must stay true: `python tests/chaos [--short|--full]`.

Server, worker and zygote are killed with -9 while runs with real child processes write numbered lines to the product
and to ledgers of their own; some shims are killed too. The last line is one JSON object; exit 1 where a promise broke.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chaos.harness import PARTS, Feeder, Keeper
from chaos.verdict import Verdict, figures, spools_by_run
from chaos.victims import (
    KINDS,
    Drill,
    Goal,
    Killer,
    Kills,
    ShimKiller,
    answering_server,
    committing_worker,
    spawning_zygote,
)
from e2e.product import Product


@dataclass(frozen=True, slots=True)
class Length:
    """How long a drill is: its kills, how many runs at once, and the seconds for killing and then for settling."""

    goal: Goal
    width: int
    kill_s: float
    settle_s: float
    pause_s: float


NORMAL = Length(Goal(each=50, together=240, shims=16), width=8, kill_s=225, settle_s=50, pause_s=1.2)
SHORT = Length(Goal(each=2, together=7, shims=1), width=5, kill_s=18, settle_s=15, pause_s=0.3)
FULL = Length(Goal(each=250, together=1000, shims=60), width=8, kill_s=1700, settle_s=60, pause_s=1.2)
PROGRESS_S = 4.0


def main() -> int:
    """Run one drill."""
    options = parse()
    length = SHORT if options.short else FULL if options.full else NORMAL
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"chaos: seed {seed}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ar-", ignore_cleanup_errors=True) as directory:
        product = Product(Path(directory), grace_s=3, lease_s=15, slots=length.width + 4, tree=options.tree)
        try:
            found = drill(product, length, seed)
        except BaseException:
            print(product.log(), file=sys.stderr)
            raise
        finally:
            product.close()
        if found["broken"]:
            print(product.log(), file=sys.stderr)
        if options.keep_log:
            options.keep_log.write_bytes(product.log_path.read_bytes())
    print(summary(found))
    print(json.dumps({"ok": not found["broken"], "seed": seed, "seconds": round(time.monotonic() - began, 1), **found}))
    return 1 if found["broken"] else 0


def summary(found: dict[str, Any]) -> str:
    """What a person reads before the figures."""
    kills = ", ".join(f"{count} {kind}" for kind, count in sorted(found["kills"].items()))
    ready, adopted, gone = found["server_ready_s"], found["adopted_s"], found["shim_tree_gone_s"]
    lines = [
        f"killed with -9: {kills}",
        f"{found['runs']} runs wrote {found['lines']} lines: {found['lost']} lost, {found['doubled']} doubled, "
        f"{found['reordered']} reordered, {found['executed_twice']} executed twice, {found['stuck']} stuck",
        f"server back after {ready['p50']} s (p99 {ready['p99']}), runs adopted after {adopted['p50']} s "
        f"(p99 {adopted['p99']}), tree of a killed shim gone after {gone['p50']} s (at most {gone['max']})",
        *(f"BROKEN: {what}" for what in found["broken"]),
    ]
    return "\n".join(f"chaos: {line}" for line in lines)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python tests/chaos", description=__doc__.partition("\n")[0])  # type: ignore[union-attr]
    how_long = parser.add_mutually_exclusive_group()
    how_long.add_argument("--short", action="store_true", help="some 20 s with few kills, as in `make test`")
    how_long.add_argument("--full", action="store_true", help="some half hour with a thousand kills")
    parser.add_argument("--seed", type=int, help="repeat the choices of an earlier drill")
    parser.add_argument("--tree", default="", help="force a tree mechanism: cgroup2, cgroup1 or walk")
    parser.add_argument("--keep-log", type=Path, help="where to put the whole log of the product")
    return parser.parse_args()


def drill(product: Product, length: Length, seed: int) -> dict[str, Any]:
    """Kill, settle, judge."""
    over = threading.Event()
    kills = Kills()
    keeper = Keeper(product)

    def wants_victim() -> bool:
        return kills.count["shim"] < length.goal.shims

    feeder = Feeder(product, random.Random(f"{seed}/runs"), length.width, wants_victim)
    shared = Drill(product, keeper, feeder, kills, length.goal, over)
    try:
        with running(keeper, feeder):
            product.wait_ready()
            kill(shared, length, seed)
            settle(feeder, length.settle_s)
            return judge(shared)
    finally:
        over.set()


@contextmanager
def running(keeper: Keeper, feeder: Feeder) -> Iterator[None]:
    """Server, worker and feeder run meanwhile."""
    keeper.start()
    started = False
    try:
        wait_started(keeper)
        feeder.start()
        started = True
        yield
    finally:
        if started:
            feeder.end()
        keeper.stop()


def wait_started(keeper: Keeper) -> None:
    """Wait until both parts have been started once."""
    deadline = time.monotonic() + 10
    waiting = threading.Event()
    while time.monotonic() < deadline and not all(keeper.current(part) for part in PARTS):
        waiting.wait(0.02)


def kill(shared: Drill, length: Length, seed: int) -> None:
    """Kill until there were enough kills or the time is up; prints how it goes. Raises what a killer raised."""
    finders: dict[str, Callable[..., Any]] = dict(
        zip(KINDS, (answering_server, committing_worker, spawning_zygote), strict=True)
    )
    killers: list[Killer | ShimKiller] = [
        Killer(shared, kind, find, length.pause_s, random.Random(f"{seed}/{kind}")) for kind, find in finders.items()
    ]
    killers.append(ShimKiller(shared, length.pause_s, random.Random(f"{seed}/shim")))
    for killer in killers:
        killer.start()
    deadline = time.monotonic() + length.kill_s
    shown = 0.0
    while not shared.goal.is_met(shared.kills.count) and time.monotonic() < deadline:
        if any(killer.failure for killer in killers) or shared.feeder.failure:
            break
        if time.monotonic() - shown > PROGRESS_S:
            shown = time.monotonic()
            show(shared)
        shared.wait(0.1)
    shared.over.set()
    for killer in killers:
        killer.join()
        if killer.failure is not None:
            raise RuntimeError(f"{killer.name} failed") from killer.failure


def show(shared: Drill) -> None:
    """One line of progress."""
    tasks = shared.feeder.tasks
    counts = ", ".join(f"{shared.kills.count[kind]} {kind}" for kind in (*KINDS, "shim"))
    lines = sum(task.lines for task in tasks[-100:])
    over = sum(task.is_over for task in tasks)
    print(f"chaos: killed {counts}; runs {over} ended, {len(tasks) - over} active; {lines} recent lines", flush=True)


def settle(feeder: Feeder, within_s: float) -> None:
    """Let every run come to its end."""
    feeder.finish()
    print(f"chaos: no more kills; {len(feeder.active)} runs are to end", flush=True)
    deadline = time.monotonic() + within_s
    waiting = threading.Event()
    while feeder.active and time.monotonic() < deadline and not feeder.failure:
        waiting.wait(0.1)
    if feeder.failure is not None:
        raise RuntimeError("the feeder failed") from feeder.failure


def judge(shared: Drill) -> dict[str, Any]:
    """Every promise against what there is."""
    verdict = Verdict()
    spools = spools_by_run(shared.product.data_dir)
    for task in shared.feeder.tasks:
        verdict.add(task, spools)
    verdict.look_around(shared.product.data_dir)
    found = figures(verdict, shared.kills, shared.feeder.tasks)
    broken = verdict.broken
    if not shared.goal.is_met(shared.kills.count):
        broken.append(f"too few kills in time: {dict(shared.kills.count)}")
    if shared.kills.trees_left:
        broken.append(f"{shared.kills.trees_left} processes outlived their shim")
    return {**found, "broken": broken[:50]}


if __name__ == "__main__":
    sys.exit(main())
