"""Workers beside the first, as on other hosts: each is stopped for longer than its lease and then goes on."""

import json
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

from chaos.harness import Keeper
from chaos.shorts import ON_LOST, Stop
from chaos.victims import Kills
from e2e.processes import Process
from e2e.product import Product

HOLDS = {"wait", "fail", "retry"}


def place(product: Product, name: str) -> Path:
    """The state directory of a worker beside the first."""
    return product.data_dir / name


class Stopper(threading.Thread):
    """Stops one worker while it has runs of every kind, lets it go on after two leases and more, and again."""

    def __init__(
        self, product: Product, keeper: Keeper, kills: Kills, name: str, goal: tuple[int, float], seed: int
    ) -> None:
        """`goal` is how often, and the seconds of a lease."""
        super().__init__(name=f"stop-{name}")
        self.failure: BaseException | None = None
        self.stops: list[Stop] = []
        self._product = product
        self._keeper = keeper
        self._kills = kills
        self._beside = name
        self._times, self._lease_s = goal
        self._chance = random.Random(f"{seed}/{name}")
        self._over = threading.Event()
        self._finished: set[Path] = set()

    @property
    def is_done(self) -> bool:
        """Whether it has been stopped often enough, and goes on."""
        return len(self.stops) >= self._times

    def end(self) -> None:
        """End the thread; a worker that stands still goes on."""
        self._over.set()
        self.join()

    def run(self) -> None:
        """Stop and continue until that was often enough."""
        try:
            while not self.is_done and not self._over.wait(0.1):
                current = self._keeper.current(self._beside)
                if current is not None and HOLDS <= self._holds():
                    self._hold_still(current[0])
        except BaseException as error:
            self.failure = error
            raise

    def _hold_still(self, worker: Process) -> None:
        if not worker.send(signal.SIGSTOP):
            return
        since = time.time() * 1000
        self._over.wait(self._lease_s * self._chance.uniform(2.05, 2.3))
        assert worker.send(signal.SIGCONT), "a stopped worker has ended"
        self.stops.append(Stop(self._worker_id(), since, time.time() * 1000))
        self._kills.note("stop")

    def _worker_id(self) -> str:
        return str(json.loads((place(self._product, self._beside) / "worker.json").read_text())["worker_id"])

    def _holds(self) -> set[str]:
        """How the runs that its shims live for stand to a lost worker, by the directories of its own host."""
        found: set[str] = set()
        for directory in set(place(self._product, self._beside).glob("runs/*/*")) - self._finished:
            if (directory / "exit").exists():
                self._finished.add(directory)
            elif (directory / "proc.json").exists() and (spec := _spec(directory)) is not None:
                found.add(spec["env"].get(ON_LOST, ""))
        return found


def _spec(directory: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads((directory / "spec.json").read_text()))
    except (OSError, ValueError):
        return None
