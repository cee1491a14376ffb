"""Who is killed: each kill is of a proven process that has done something since it was started."""

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from chaos.flow import Flow
from chaos.harness import Feeder, Keeper, Task, running_agents
from chaos.ledger import starts
from chaos.shorts import Short
from e2e.processes import Process, everything, look
from e2e.product import Product

KINDS = ("server", "worker", "zygote")
VICTIMS = ("shim", "agent")
"""What is killed in a run that is there for that."""
GONE_WITHIN_S = 30.0
_AHEAD = 2
_LINES_FIRST = 3
_PAUSE_S = 0.1


@dataclass(slots=True)
class Kills:
    """Every effective kill, when it was, and what was measured at it."""

    count: Counter[str] = field(default_factory=Counter)
    at_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    without_effect: int = 0
    ready_s: list[float] = field(default_factory=list)
    tree_gone_s: list[float] = field(default_factory=list)
    trees_left: int = 0
    agents_unchanged: Counter[str] = field(default_factory=Counter)
    long_shims: int = 0

    def note(self, kind: str) -> None:
        """One more."""
        self.count[kind] += 1
        self.at_ms[kind].append(time.time() * 1000)


@dataclass(frozen=True, slots=True)
class Goal:
    """How many kills are wanted: of each of server, worker and zygote, of all three, of shims, of agents; and stops.

    `long_shims` are those of the shims that are killed in a long run.
    """

    each: int
    together: int
    shims: int
    agents: int
    long_shims: int
    stops: int = 0

    def is_met(self, count: Counter[str]) -> bool:
        """Whether everybody may stop."""
        others = (("shim", self.shims), ("agent", self.agents), ("stop", self.stops))
        return self.has_parts(count) and all(count[kind] >= wanted for kind, wanted in others)

    def has_parts(self, count: Counter[str]) -> bool:
        """Whether server, worker and zygote were killed often enough: what is left then only waits for its victims."""
        parts = [count[kind] for kind in KINDS]
        return min(parts) >= self.each and sum(parts) >= self.together

    def share(self, count: Counter[str]) -> float:
        """How much of the kills of server, worker and zygote is done."""
        return sum(min(count[kind], self.each) for kind in KINDS) / (self.each * len(KINDS))


@dataclass(frozen=True, slots=True)
class Drill:
    """What all killers share."""

    product: Product
    keeper: Keeper
    feeder: Feeder
    flow: Flow
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

    def end(self) -> None:
        """Wait for the thread, which ends when everything is over."""
        self.join()

    def run(self) -> None:
        """Kill until everything is over."""
        try:
            killed_at: float | None = None
            while not self._drill.wait(0.01):
                if self._is_held() or (victim := self._find(self._drill)) is None:
                    continue
                if killed_at is not None and self._kind == "server":
                    self._drill.kills.ready_s.append(time.monotonic() - killed_at)
                if self._drill.wait(self._chance.uniform(0.0, self._pause_s)):
                    return
                killed_at = self._kill(victim)
        except BaseException as error:
            self.failure = error
            raise

    def _is_held(self) -> bool:
        """The others are waited for: where the server is hardly ever there, nobody else gets anything done.

        While workers are to stand still it is left alone: a lease counts only the time that the server is there.
        """
        count = self._drill.kills.count
        if self._drill.goal.has_parts(count):
            return True
        if self._kind == "server" and count["stop"] < self._drill.goal.stops:
            return True
        kinds = KINDS if count["server"] else KINDS[1:]
        return count[self._kind] > min(count[kind] for kind in kinds) + _AHEAD

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
        kills.agents_unchanged[self._kind] += unchanged
        return killed_at


class ShimKiller(threading.Thread):
    """Kills the shims of runs that are there for that, and watches their trees go."""

    def __init__(self, drill: Drill, pause_s: float, chance: random.Random) -> None:
        super().__init__(name="kill-long-shim")
        self.failure: BaseException | None = None
        self._drill = drill
        self._pause_s = pause_s
        self._chance = chance

    def end(self) -> None:
        """Wait for the thread, which ends when everything is over."""
        self.join()

    def run(self) -> None:
        """Kill until there were enough."""
        try:
            while self._drill.kills.long_shims < self._drill.goal.long_shims and not self._drill.wait(0.1):
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
        self._drill.kills.long_shims += 1
        self._drill.kills.note("shim")
        killed_at = time.monotonic()
        while tree := tree_of(task):
            if time.monotonic() - killed_at > GONE_WITHIN_S:
                self._drill.kills.trees_left += len(tree)
                return
            self._drill.wait(0.02)
        self._drill.kills.tree_gone_s.append(time.monotonic() - killed_at)


class VictimKiller(threading.Thread):
    """Kills the agents, or the shims, of short runs that are there for that, once they have written a few lines."""

    def __init__(self, drill: Drill, kind: str, chance: random.Random) -> None:
        super().__init__(name=f"kill-{kind}")
        self.failure: BaseException | None = None
        self._drill = drill
        self._kind = kind
        self._chance = chance
        self._ended = threading.Event()

    def end(self) -> None:
        """End the thread."""
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Kill whoever comes."""
        try:
            while not self._ended.wait(0.05):
                for short in self._drill.flow.victims(self._kind):
                    if not self._ended.wait(self._chance.uniform(0.0, _PAUSE_S)):
                        self._kill(short)
        except BaseException as error:
            self.failure = error
            raise

    def _kill(self, short: Short) -> None:
        known = list(short.executions().values())
        if not known or sum(len(numbers) for numbers in known[0].lines.values()) < _LINES_FIRST:
            return
        pid, started = known[0].starts[0]
        agent = look(pid)
        if agent is None or agent.started != started:
            return
        victim = agent if self._kind == "agent" else look(agent.parent)
        if victim is None or (self._kind == "shim" and victim.kind != "shim"):
            return
        short.is_killed = True
        if not victim.kill():
            self._drill.kills.without_effect += 1
            return
        self._drill.kills.note(self._kind)
        killed_at = time.monotonic()
        while agent.is_alive:
            if time.monotonic() - killed_at > GONE_WITHIN_S:
                self._drill.kills.trees_left += 1
                return
            self._ended.wait(0.005)
        if self._kind == "shim":
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
    """A zygote that has a shim for a child, the hosts taking turns."""
    names = [name for name in drill.keeper.names if name != "server"]
    turn = drill.kills.count["zygote"] % len(names)
    for name in names[turn:] + names[:turn]:
        zygote = zygote_of(drill.product.data_dir / ("" if name == "worker" else name))
        if zygote is not None and has_children(zygote):
            return zygote
    return None


def zygote_of(state_dir: Path) -> Process | None:
    """The zygote that last took over a host's socket, while it lives."""
    try:
        zygote = look(int((state_dir / "zygote.lock").read_text().split()[0]))
    except (OSError, ValueError, IndexError):
        return None
    return zygote if zygote is not None and zygote.kind == "zygote" else None


def has_children(process: Process) -> bool:
    """Whether a process has any."""
    try:
        return bool(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().strip())
    except OSError:
        return False


def instant(text: str) -> float:
    """Milliseconds of an RFC 3339 time."""
    return datetime.fromisoformat(text).timestamp() * 1000


def _is_still(pid: int, started: int) -> bool:
    now = look(pid)
    return now is not None and now.started == started
