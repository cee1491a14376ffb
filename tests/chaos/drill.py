"""One drill: everything is started, killed for a while, left alone for a while, and judged."""

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from chaos import remains
from chaos.beside import Stopper
from chaos.flow import Flow
from chaos.harness import PARTS, Feeder, Keeper
from chaos.shorts import errands
from chaos.verdict import judge_all
from chaos.victims import (
    KINDS,
    VICTIMS,
    Drill,
    Goal,
    Killer,
    Kills,
    ShimKiller,
    VictimKiller,
    answering_server,
    committing_worker,
    spawning_zygote,
)
from e2e.product import Product

LEASE_S = 10.0
PROGRESS_S = 4.0
CALM = 0.1
"""The part of the short runs that comes when nothing is killed any more."""
LINGERING = 9
"""Runs that take seconds, for each worker beside."""
AnyKiller: TypeAlias = Killer | ShimKiller | VictimKiller | Stopper


@dataclass(frozen=True, slots=True)
class Length:
    """How long a drill is: kills, long runs at once, short runs in all, workers beside, seconds at most."""

    goal: Goal
    width: int
    shorts: int
    beside: int
    kill_s: float
    settle_s: float
    pause_s: float

    @property
    def short_victims(self) -> dict[str, int]:
        """How many short runs are there to lose their shim or their agent."""
        return {"shim": self.goal.shims - self.goal.long_shims, "agent": self.goal.agents}


SHORT = Length(
    Goal(each=2, together=6, shims=1, agents=1, long_shims=1),
    width=4, shorts=40, beside=0, kill_s=18, settle_s=15, pause_s=0.2,
)  # fmt: skip
NORMAL = Length(
    Goal(each=50, together=180, shims=30, agents=20, long_shims=10, stops=4),
    width=6, shorts=2000, beside=2, kill_s=270, settle_s=60, pause_s=0.9,
)  # fmt: skip
FULL = Length(
    Goal(each=125, together=400, shims=110, agents=110, long_shims=10, stops=20),
    width=6, shorts=10_000, beside=4, kill_s=900, settle_s=90, pause_s=0.8,
)  # fmt: skip


def made(directory: Path, length: Length, tree: str) -> Product:
    """A product for a drill. Its port stays the same, for the workers beside must find it again."""
    port = free_port() if length.beside else 0
    slots = length.width + 16
    network = {"workers_from_network": True} if length.beside else {}
    return Product(
        directory, grace_s=3, lease_s=LEASE_S, heartbeat_s=2, slots=slots, tree=tree, port=port, log_level="warning",
        **network,
    )  # fmt: skip


def free_port() -> int:
    """A TCP port of loopback that nobody uses."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def run(product: Product, length: Length, seed: int) -> dict[str, Any]:
    """Kill, calm down, settle, judge: every figure, and in `broken` each promise that was not kept."""
    kills, over, calm = Kills(), threading.Event(), threading.Event()
    keeper = Keeper(product, length.beside)

    def share() -> float:
        return 1.0 if calm.is_set() else (1 - CALM) * length.goal.share(kills.count) + 0.01

    def wants_victim() -> bool:
        return kills.long_shims < length.goal.long_shims

    def lingering() -> int:
        return LINGERING * length.beside if kills.count["stop"] < length.goal.stops else 0

    plans = errands(random.Random(f"{seed}/shorts"), length.shorts, length.short_victims)
    flow = Flow(product, plans, share, lingering, seed)
    feeder = Feeder(product, random.Random(f"{seed}/runs"), length.width, wants_victim)
    shared = Drill(product, keeper, feeder, flow, kills, length.goal, over)
    stoppers = _stoppers(shared, length, seed)
    try:
        with _running(keeper, feeder, flow):
            product.wait_ready()
            began = time.monotonic()
            _kill(shared, [*_killers(shared, length, seed), *stoppers], length.kill_s)
            killing = (flow.over, time.monotonic() - began)
            stops = [stop for stopper in stoppers for stop in stopper.stops]
            speed = _calm(shared, calm, length.settle_s)
            found = judge_all(shared, stops, speed[1:])
        left = remains.clear_up(product)
    finally:
        over.set()
    if left:
        found["broken"].append(f"{left} run directories outlived their retention")
    return {**found, "runs_per_s": round(killing[0] / killing[1], 1), "calm_runs_per_s": speed[0]}


@contextmanager
def _running(keeper: Keeper, feeder: Feeder, flow: Flow) -> Iterator[None]:
    """Server, workers and what feeds them run meanwhile."""
    keeper.start()
    started: list[Feeder | Flow] = []
    try:
        _wait_started(keeper)
        for thread in (feeder, flow):
            thread.start()
            started.append(thread)
        yield
    finally:
        for thread in started:
            thread.end()
        keeper.stop()


def _wait_started(keeper: Keeper) -> None:
    deadline = time.monotonic() + 10
    waiting = threading.Event()
    while time.monotonic() < deadline and not all(keeper.current(part) for part in PARTS):
        waiting.wait(0.02)


def _killers(shared: Drill, length: Length, seed: int) -> list[AnyKiller]:
    finders: dict[str, Callable[..., Any]] = dict(
        zip(KINDS, (answering_server, committing_worker, spawning_zygote), strict=True)
    )
    found: list[AnyKiller] = [
        Killer(shared, kind, find, length.pause_s, random.Random(f"{seed}/{kind}")) for kind, find in finders.items()
    ]
    found += [VictimKiller(shared, kind, random.Random(f"{seed}/short-{kind}")) for kind in VICTIMS]
    return [*found, ShimKiller(shared, length.pause_s, random.Random(f"{seed}/shim"))]


def _stoppers(shared: Drill, length: Length, seed: int) -> list[Stopper]:
    if not length.beside:
        return []
    names = [name for name in shared.keeper.names if name not in PARTS]
    goal = (length.goal.stops // length.beside, LEASE_S)
    return [Stopper(shared.product, shared.keeper, shared.kills, name, goal, seed) for name in names]


def _kill(shared: Drill, killers: list[AnyKiller], within_s: float) -> None:
    """Kill until there were enough kills or the time is up; prints how it goes. Raises what a killer raised."""
    for killer in killers:
        killer.start()
    deadline = time.monotonic() + within_s
    shown = 0.0
    while not shared.goal.is_met(shared.kills.count) and time.monotonic() < deadline:
        if any(killer.failure for killer in killers) or shared.feeder.failure or shared.flow.failure:
            break
        if time.monotonic() - shown > PROGRESS_S:
            shown = time.monotonic()
            _show(shared)
        shared.wait(0.1)
    shared.over.set()
    for killer in killers:
        killer.end()
        if killer.failure is not None:
            raise RuntimeError(f"{killer.name} failed") from killer.failure


def _show(shared: Drill) -> None:
    """One line of progress."""
    tasks, flow = shared.feeder.tasks, shared.flow
    counts = ", ".join(f"{shared.kills.count[kind]} {kind}" for kind in (*KINDS, *VICTIMS, "stop"))
    long = sum(task.is_over for task in tasks)
    print(
        f"chaos: killed {counts}; {flow.over} short runs ended, {len(flow.active)} active, {long} long ones ended",
        flush=True,
    )


def _calm(shared: Drill, calm: threading.Event, within_s: float) -> tuple[float, remains.Open, remains.Open]:
    """Nothing is killed: what is left ends, then the last short runs come at full speed.

    Answers how many a second, and the descriptors of each part before and after them.
    """
    flow, feeder = shared.flow, shared.feeder
    feeder.finish()
    print(f"chaos: no more kills; {len(flow.active) + len(feeder.active)} runs are to end", flush=True)
    _await(shared, lambda: not feeder.active and not flow.active, within_s)
    before, ended, began = remains.descriptors(shared.keeper), flow.over, time.monotonic()
    calm.set()
    _await(shared, lambda: flow.is_over, within_s)
    speed = round((flow.over - ended) / (time.monotonic() - began), 1)
    return speed, before, remains.settled(shared.keeper, before)


def _await(shared: Drill, condition: Callable[[], bool], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    waiting = threading.Event()
    while not condition() and time.monotonic() < deadline:
        for thread in (shared.feeder, shared.flow):
            if thread.failure is not None:
                raise RuntimeError(f"the {thread.name} failed") from thread.failure
        waiting.wait(0.1)
