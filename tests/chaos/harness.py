"""The drill's surroundings: server and worker kept running, runs kept coming, every timeline followed."""

import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.ledger import Plan, draw, starts
from e2e.processes import Process
from e2e.product import TERMINAL, Product
from waiting import until

TICK_S = 0.05
PARTS = ("server", "worker")
BESIDE_SLOTS = 8


@dataclass(slots=True, eq=False)
class Task:
    """One run of the drill: what it is to do and what is known of it."""

    plan: Plan
    directory: Path
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    run_id: int | None = None
    status: str = "UNKNOWN"
    events: list[dict[str, Any]] = field(default_factory=list)
    stage: str = "new"
    due: float = 0.0
    shim_killed: bool = False

    @property
    def is_over(self) -> bool:
        """Whether its terminal event is here."""
        return self.status in TERMINAL

    @property
    def lines(self) -> int:
        """How many lines its timeline has."""
        return sum(len(event["payload"]["lines"]) for event in self.events if event["type"] == "log")

    def has(self, type: str) -> bool:
        """Whether its timeline has an event of a type."""
        return any(event["type"] == type for event in self.events)


class Keeper:
    """Keeps server and worker running as `up` does, but starts them again at once: a drill has no time to back off."""

    def __init__(self, product: Product, beside: int = 0) -> None:
        """`beside` workers run with state directories of their own, `beside-1` and so on, and come by TCP."""
        self._product = product
        self.names = (*PARTS, *(f"beside-{number}" for number in range(1, beside + 1)))
        self._parts: dict[str, tuple[Process, float]] = {}
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._keep, args=(name,), name=f"keep-{name}") for name in self.names]

    def start(self) -> None:
        """Start both."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Start nothing any more; what runs goes on."""
        self._ended.set()
        for process, _ in self._parts.values():
            process.kill()
        for thread in self._threads:
            thread.join()

    def current(self, part: str) -> tuple[Process, float] | None:
        """The living process of a part and when it was started (seconds of wall time)."""
        known = self._parts.get(part)
        return known if known is not None and known[0].is_alive else None

    def _keep(self, part: str) -> None:
        while not self._ended.is_set():
            at = time.time()
            process = self._product.start(part) if part in PARTS else self._start_beside(part)
            self._parts[part] = (process, at)
            if self._ended.is_set():
                process.kill()
            self._product.wait_ended(process)
            self._ended.wait(0.02)

    def _start_beside(self, name: str) -> Process:
        port = self._product.environment["AGENTRUNNER_PORT"]
        token = until(lambda: _text(self._product.data_dir / "worker-token"), 20)
        return self._product.start(
            "worker",
            data_dir=self._product.data_dir / name,
            server_url=f"http://127.0.0.1:{port}",
            token=token,
            worker_name=name,
            slots=BESIDE_SLOTS,
        )


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


class Feeder(threading.Thread):
    """Keeps `width` runs going until told to stop, carries out their plans' wishes, and follows their timelines."""

    def __init__(self, product: Product, chance: random.Random, width: int, wants_victim: Callable[[], bool]) -> None:
        super().__init__(name="feeder")
        self.tasks: list[Task] = []
        self.failure: BaseException | None = None
        self._product = product
        self._chance = chance
        self._width = width
        self._wants_victim = wants_victim
        self._feeding = True
        self._ended = threading.Event()

    @property
    def active(self) -> list[Task]:
        """Tasks that are not over."""
        return [task for task in self.tasks if not task.is_over]

    def finish(self) -> None:
        """Create no more; what runs endlessly is stopped."""
        self._feeding = False

    def end(self) -> None:
        """End the thread."""
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Tick until ended."""
        try:
            while not self._ended.wait(TICK_S):
                self._feed()
                for task in self.active:
                    self._tend(task)
        except BaseException as error:
            self.failure = error
            raise

    def _tend(self, task: Task) -> None:
        if task.run_id is None:
            self._create(task)
        else:
            self._follow(task)
            self._wish(task)

    def _feed(self) -> None:
        active = self.active
        if not self._feeding:
            return
        if self._wants_victim() and not any(task.plan.wish == "lose" and not task.shim_killed for task in active):
            self._add(draw(self._chance, "lose"))
        elif len(active) < self._width:
            self._add(draw(self._chance))

    def _add(self, plan: Plan) -> None:
        directory = self._product.data_dir / "ledgers" / f"{len(self.tasks) + 1}"
        directory.mkdir(parents=True)
        self.tasks.append(Task(plan, directory))

    def _create(self, task: Task) -> None:
        options = {"argv": task.plan.argv(task.directory), "stdio": task.plan.stdio}
        body = {"backend": "command", "title": task.plan.wish, "options": options}
        answer = self._product.try_ask("POST", "/v1/runs", json=body, headers={"Idempotency-Key": task.key})
        if answer is not None:
            assert answer.status_code in {200, 201}, answer.text
            task.run_id = answer.json()["id"]
            task.status = "QUEUED"

    def _follow(self, task: Task) -> None:
        after = task.events[-1]["seq"] if task.events else 0
        answer = self._product.try_ask("GET", f"/v1/runs/{task.run_id}/events", params={"after": after, "limit": 1000})
        if answer is None:
            return
        assert answer.status_code == 200, answer.text
        task.events += answer.json()["items"]
        for event in answer.json()["items"]:
            task.status = _STATUS.get(event["type"], task.status)

    def _wish(self, task: Task) -> None:
        now = time.monotonic()
        wish = task.plan.wish
        if task.is_over or now < task.due or wish == "none":
            return
        if not self._feeding and task.plan.is_endless and not task.shim_killed:
            self._say(task, "stop", "stopping")
        elif task.stage == "new" and task.lines > 20 and wish != "lose":
            self._say(task, wish, "pausing" if wish == "pause" else "stopping")
        elif task.stage == "pausing" and task.has("run.paused"):
            task.stage, task.due = "paused", now + self._chance.uniform(0.1, 1.5)
        elif task.stage == "paused":
            self._say(task, "resume", "resumed")

    def _say(self, task: Task, wish: str, stage: str) -> None:
        answer = self._product.try_ask("POST", f"/v1/runs/{task.run_id}/{wish}")
        if answer is not None:
            # 409: it has ended in the meantime, which its timeline will tell.
            assert answer.status_code in {200, 202, 409}, answer.text
            task.stage = stage


_STATUS = {
    "run.claimed": "RUNNING",
    "run.paused": "PAUSED",
    "run.resumed": "RUNNING",
    "run.completed": "COMPLETED",
    "run.failed": "FAILED",
    "run.stopped": "STOPPED",
}


def running_agents(tasks: list[Task]) -> list[tuple[int, int]]:
    """Pid and start time of the agents of some tasks, by their own account."""
    return [(start.pid, start.started) for task in tasks for start in starts(task.directory)]
