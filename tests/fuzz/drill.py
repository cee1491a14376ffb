"""The drill: many tries from a few threads, the server watched meanwhile, the smallest form of what goes wrong."""

import os
import queue
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from e2e.processes import Process
from e2e.product import Product
from fuzz import shapes, verdict, wire
from fuzz.shot import Shot, World
from fuzz.subject import address
from waiting import until

THREADS = 6
WARM = 0.2
"""The part of the tries after which memory is looked at first: code, caches and pools are there by then."""
MOST_GROWTH = 64 * 1024 * 1024
MOST_MORE_FILES = 4
ALIVE_EVERY = 250
SMALLER_TRIES = 200
SMALLER_S = 15.0
PAYLOADS = [None, 0, -1.5, "ü\u2028\x1b[0m", {"a": [True, None]}, 9007199254740993, {"n": ""}]


@dataclass(frozen=True, slots=True)
class Failure:
    """A try after which something was wrong, and the bytes that suffice for it."""

    number: int
    kind: str
    local: bool
    wrong: str
    smallest: bytes

    @property
    def words(self) -> str:
        """For a person: what, and how to see it again."""
        shown = repr(self.smallest[:600]) + (f"… ({len(self.smallest)} bytes)" if len(self.smallest) > 600 else "")
        where = "the Unix socket" if self.local else "loopback"
        return f"try {self.number} ({self.kind}): {self.wrong}\n      sends to {where} {shown}"


@dataclass(slots=True)
class Figures:
    """What the drill counts; `failures` are kept up to a hundred."""

    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    longest_s: float = 0.0


def prepare(product: Product) -> World:
    """Runs to write to, a worker with attempts of its own, tokens of every scope, and two runs to be left alone."""
    kept = (_reported(product, ends=True), _reported(product, ends=True))
    several = tuple(_reported(product, ends=False) for _ in range(4))
    queued = tuple(product.create("command", options={"argv": ["true"]}) for _ in range(4))
    tokens = {"admin": (product.data_dir / "token").read_text().strip()}
    tokens["worker"] = (product.data_dir / "worker-token").read_text().strip()
    for scope in ("read", "report", "metrics"):
        answer = product.ask("POST", "/v1/tokens", json={"name": f"fuzz {scope}", "scope": scope})
        tokens[scope] = answer.json()["token"]
    worker_id, assignments = _worker(product, tokens["worker"])
    at = urlsplit(address(product))
    return World(
        host=str(at.hostname),
        port=int(at.port or 0),
        socket_path=str(product.data_dir / "agentrunner.sock"),
        tokens=tokens,
        targets=several + queued,
        kept=kept,
        worker_id=worker_id,
        assignments=assignments,
        agents=_agents(product),
    )


def _reported(product: Product, *, ends: bool) -> int:
    run = product.create("external", title="kept" if ends else "target", metadata={"a": {"b": [1]}})
    events = [{"type": "task.progress", "payload": PAYLOADS[n % len(PAYLOADS)], "ts": n} for n in range(60)]
    if ends:
        events.append({"type": "run.completed", "payload": {}, "ts": 99})
    assert product.ask("POST", f"/v1/runs/{run}/events", json=events).status_code == 201
    return run


def _agents(product: Product) -> tuple[str, ...]:
    """Agents of the Agent Metrics surface, each with a version `v1`."""
    found = []
    for name in ("fuzz-a", "fuzz-b"):
        made = product.ask("POST", f"/api/v1/agents/{name}/register", json={"name": name, "project": "p"})
        found.append(made.json()["id"])
        version = product.ask("POST", f"/api/v1/agents/{found[-1]}/versions", json={"version": "v1"})
        assert version.status_code == 201, version.text
    return tuple(found)


def _worker(product: Product, token: str) -> tuple[str, tuple[dict[str, object], ...]]:
    who = {"worker_id": "fuzz-worker", "machine_id": "m", "lock_inode": 1, "boot_id": "b", "name": "f", "host": "h"}
    headers = {"authorization": f"Bearer {token}"}
    register = {**who, "version": "0", "slots": 100, "backends": ["command"]}
    answer = product.ask("POST", "/v1/control/register", json=register, headers=headers).json()
    claim = {"worker_id": "fuzz-worker", "epoch": answer["epoch"], "claim_id": "first", "slots": 2, "wait_s": 0}
    runs = product.ask("POST", "/v1/control/claim", json=claim, headers=headers).json()["runs"]
    assert runs
    return "fuzz-worker", tuple({name: run[name] for name in ("run_id", "attempt", "uid", "epoch")} for run in runs)


class Drill:
    """Fires the tries `0` to `count - 1` of a seed at a server."""

    def __init__(self, product: Product, server: Process, world: World, seed: int, count: int) -> None:
        self.product, self.server, self.world, self.seed, self.count = product, server, world, seed, count
        self.figures = Figures()
        self._numbers: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._broken = threading.Event()
        self.crash: BaseException | None = None

    def run(self, begin: int, end: int, show: Any) -> None:
        """Fire some of the tries; `show` is called now and then."""
        for number in range(begin, end):
            self._numbers.put(number)
        threads = [threading.Thread(target=self._work, name=f"fuzz-{n}") for n in range(THREADS)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            threads[0].join(0.2) if threads[0].is_alive() else [t.join(0.05) for t in threads]
            show(self.figures)
        if self.crash is not None:
            raise RuntimeError("the drill itself failed") from self.crash

    def _work(self) -> None:
        try:
            while not self._broken.is_set():
                self._try(self._numbers.get_nowait())
        except queue.Empty:
            return
        except BaseException as error:
            self.crash = error
            self._broken.set()

    def _try(self, number: int) -> None:
        shot = shapes.draw(self.seed, number, self.world)
        began = time.monotonic()
        outcome, wrong = self._fire(shot)
        took = time.monotonic() - began
        with self._lock:
            figures = self.figures
            figures.sent += 1
            figures.kinds[shot.kind] += 1
            figures.longest_s = max(figures.longest_s, took)
            figures.statuses.update(answer.status for answer in outcome.answers)
        if number % ALIVE_EVERY == 0 and not self.server.is_alive:
            wrong = [*wrong, "the server is gone"]
        if wrong:
            self._fail(number, shot, wrong[0])

    def _fire(self, shot: Shot) -> tuple[wire.Outcome, list[str]]:
        try:
            outcome = wire.fire(shot, self.world)
        except OSError as error:
            return wire.Outcome(()), [f"no connection: {error}"]
        return outcome, verdict.judge(shot, outcome)

    def _fail(self, number: int, shot: Shot, wrong: str) -> None:
        # What is left of a request that is not whole gets no answer either, so that cannot be made smaller.
        smallest = self.smaller(shot, wrong) if self.server.is_alive and wrong != verdict.NO_ANSWER else shot
        failure = Failure(number, shot.kind, shot.local, wrong, smallest.content)
        with self._lock:
            self.figures.failures.append(failure)
            if len(self.figures.failures) >= 100 or not self.server.is_alive:
                self._broken.set()

    def smaller(self, shot: Shot, wrong: str) -> Shot:
        """The shot with all left away without which the same goes wrong; bounded in tries and time."""
        best, at, size = shot, 0, max(1, len(shot.content) // 2)
        deadline = time.monotonic() + SMALLER_S
        for _ in range(SMALLER_TRIES):
            content = best.content
            if at >= len(content):
                at, size = 0, size // 2
            if not size or time.monotonic() > deadline:
                break
            candidate = best.but((content[:at] + content[at + size :],))
            if any(_alike(each, wrong) for each in self._fire(candidate)[1]):
                best = candidate
            else:
                at += size
        return best


def _alike(one: str, other: str) -> bool:
    """Whether two failures are of one kind: they begin with the same words."""
    return one.split(":")[0] == other.split(":")[0]


def files(process: Process) -> int:
    """How many descriptors a process has open."""
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def timelines(product: Product, world: World) -> list[bytes]:
    """The runs that were to be left alone and their timelines, as bytes."""
    found: list[bytes] = []
    for run in world.kept:
        found.append(product.ask("GET", f"/v1/runs/{run}").content)
        found.append(product.ask("GET", f"/v1/runs/{run}/events?limit=1000").content)
    return found


def settled_files(server: Process, most: int) -> int:
    """The open descriptors once the connections of the drill are gone, or what is left of them after a while."""
    try:
        until(lambda: files(server) <= most, 20, 0.1)
    except AssertionError:
        pass
    return files(server)


def is_well(product: Product) -> bool:
    """Whether the server does its work: a run made, its event stored and read back."""
    run = product.create("external", title="after")
    product.ask("POST", f"/v1/runs/{run}/events", json={"type": "run.completed"})
    return product.run(run)["status"] == "COMPLETED" and product.types(run)[-1] == "run.completed"


def log_of(path: Path) -> bytes:
    """The whole log."""
    return path.read_bytes()
