"""Who is killed: each kill is of a proven process that has done something since it was started."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from chaos.harness import Feeder, Keeper, Task, running_agents
from chaos.ledger import starts
from e2e.processes import Process, everything, look, of_directory
from e2e.product import Product

KINDS = ("server", "worker", "zygote")
GONE_WITHIN_S = 30.0


@dataclass(slots=True)
class Kills:
    """Every effective kill, when it was, and what was measured at it."""

    count: Counter[str] = field(default_factory=Counter)
    at_ms: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in (*KINDS, "shim")})
    without_effect: int = 0
    ready_s: list[float] = field(default_factory=list)
    tree_gone_s: list[float] = field(default_factory=list)
    trees_left: int = 0
    agents_unchanged: int = 0
    agents_ended: int = 0

    def note(self, kind: str) -> None:
        """One more."""
        self.count[kind] += 1
        self.at_ms[kind].append(time.time() * 1000)


@dataclass(frozen=True, slots=True)
class Goal:
    """How many kills are wanted: of each of server, worker and zygote, of all three, of shims."""

    each: int
    together: int
    shims: int

    def is_met(self, count: Counter[str]) -> bool:
        """Whether everybody may stop."""
        parts = [count[kind] for kind in KINDS]
        return min(parts) >= self.each and sum(parts) >= self.together and count["shim"] >= self.shims


@dataclass(frozen=True, slots=True)
class Drill:
    """What all killers share."""

    product: Product
    keeper: Keeper
    feeder: Feeder
    kills: Kills
    goal: Goal
    over: threading.Event

    def wait(self, seconds: float) -> bool:
        """Let time pass; True once everything is over."""
        return self.over.wait(seconds)


class Killer(threading.Thread):
    """Finds one kind of victim, waits until it has done something, kills it after a while, and again.

    `find` answers a victim that has done something; `pause_s` is how long at most it may go on.
    """

    def __init__(
        self, drill: Drill, kind: str, find: Callable[[Drill], Process | None], pause_s: float, chance: random.Random
    ) -> None:
        super().__init__(name=f"kill-{kind}")
        self.failure: BaseException | None = None
        self._drill = drill
        self._kind = kind
        self._find = find
        self._pause_s = pause_s
        self._chance = chance

    def run(self) -> None:
        """Kill until everything is over."""
        try:
            killed_at: float | None = None
            while not self._drill.wait(0.03):
                victim = self._find(self._drill)
                if victim is None:
                    continue
                if killed_at is not None and self._kind == "server":
                    self._drill.kills.ready_s.append(time.monotonic() - killed_at)
                if self._drill.wait(self._chance.uniform(0.0, self._pause_s)):
                    return
                killed_at = self._kill(victim)
        except BaseException as error:
            self.failure = error
            raise

    def _kill(self, victim: Process) -> float | None:
        kills = self._drill.kills
        before = [(pid, at) for pid, at in running_agents(self._drill.feeder.active) if _is_still(pid, at)]
        if not victim.kill():
            kills.without_effect += 1
            return None
        killed_at = time.monotonic()
        kills.note(self._kind)
        self._drill.wait(0.2)
        unchanged = sum(_is_still(pid, at) for pid, at in before)
        kills.agents_unchanged += unchanged
        kills.agents_ended += len(before) - unchanged
        return killed_at


class ShimKiller(threading.Thread):
    """Kills the shims of runs that are there for that, and watches their trees go."""

    def __init__(self, drill: Drill, pause_s: float, chance: random.Random) -> None:
        super().__init__(name="kill-shim")
        self.failure: BaseException | None = None
        self._drill = drill
        self._pause_s = pause_s
        self._chance = chance

    def run(self) -> None:
        """Kill until there were enough."""
        try:
            while self._drill.kills.count["shim"] < self._drill.goal.shims and not self._drill.wait(0.1):
                task = next((task for task in self._drill.feeder.active if is_loseable(task)), None)
                if task is not None and not self._drill.wait(self._chance.uniform(0.2, self._pause_s)):
                    self._kill(task)
        except BaseException as error:
            self.failure = error
            raise

    def _kill(self, task: Task) -> None:
        agent = look(starts(task.directory)[0].pid)
        shim = look(agent.parent) if agent is not None else None
        if shim is None or shim.kind != "shim":
            return
        task.shim_killed = True
        if not shim.kill():
            self._drill.kills.without_effect += 1
            return
        self._drill.kills.note("shim")
        killed_at = time.monotonic()
        while tree := tree_of(task):
            if time.monotonic() - killed_at > GONE_WITHIN_S:
                self._drill.kills.trees_left += len(tree)
                return
            self._drill.wait(0.02)
        self._drill.kills.tree_gone_s.append(time.monotonic() - killed_at)


def tree_of(task: Task) -> list[Process]:
    """Every living process of one run."""
    return [process for process in everything() if f"{task.directory} " in process.command]


def is_loseable(task: Task) -> bool:
    """Whether its shim is there to be killed and its output has been recorded."""
    return task.plan.wish == "lose" and not task.shim_killed and task.status == "RUNNING" and task.lines > 20


def answering_server(drill: Drill) -> Process | None:
    """The server, once it has answered from its database."""
    current = drill.keeper.current("server")
    if current is None:
        return None
    answer = drill.product.try_ask("GET", "/v1/runs", params={"limit": 1})
    return current[0] if answer is not None and answer.status_code == 200 and current[0].is_alive else None


def committing_worker(drill: Drill) -> Process | None:
    """The worker, once it has claimed or adopted a run and then recorded output of it."""
    current = drill.keeper.current("worker")
    if current is None:
        return None
    process, at = current
    return process if any(has_committed(task, at * 1000) for task in drill.feeder.tasks[-50:]) else None


def has_committed(task: Task, since_ms: float) -> bool:
    """Whether output was recorded behind a claim or an adoption since then."""
    taken = False
    for event in reversed(task.events):
        if event["type"] == "log":
            taken = True
        elif event["type"] in {"run.adopted", "run.claimed"}:
            return taken and instant(event["ts"]) >= since_ms
    return False


def spawning_zygote(drill: Drill) -> Process | None:
    """The zygote, once it has a shim for a child."""
    for zygote in of_directory(drill.product.data_dir, "zygote"):
        if any(process.parent == zygote.pid and process.kind == "shim" for process in everything()):
            return zygote
    return None


def instant(text: str) -> float:
    """Milliseconds of an RFC 3339 time."""
    return datetime.fromisoformat(text).timestamp() * 1000


def _is_still(pid: int, started: int) -> bool:
    now = look(pid)
    return now is not None and now.started == started
