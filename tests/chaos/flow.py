"""Short runs as they come and go: created in batches, no faster than asked for, looked at all at once."""

import random
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from chaos.shorts import LINGERING_S, ON_LOST, Errand, Short, lingering
from e2e.product import Product

TICK_S = 0.1
BATCH = 50
BACKLOG = 300
FOLDER = 1000
"""Books in one directory."""
ACTIVE = ("QUEUED", "RUNNING", "PAUSED")
PAGE = 500


class Flow(threading.Thread):
    """Creates one run for every errand; `share` says how many of them may have been created by now, from 0 to 1.

    Beside them it keeps as many lingering ones going as `lingering` says.
    """

    def __init__(
        self,
        product: Product,
        errands: list[Errand],
        share: Callable[[], float],
        lingering: Callable[[], int],
        seed: int,
    ) -> None:
        super().__init__(name="flow")
        self.shorts: list[Short] = []
        self.failure: BaseException | None = None
        self.over = 0
        self._product = product
        self._errands = errands
        self._share = share
        self._lingering = lingering
        self._chance = random.Random(f"{seed}/lingering")
        self._extra = 0
        self._active: dict[int, Short] = {}
        self._pending: tuple[str, list[Short]] | None = None
        self._ended = threading.Event()

    @property
    def is_over(self) -> bool:
        """Whether every errand is done."""
        return len(self.shorts) == len(self._errands) + self._extra and self.over == len(self.shorts)

    @property
    def active(self) -> list[Short]:
        """What is not over, as far as is known."""
        return list(self._active.values())

    def victims(self, wish: str) -> list[Short]:
        """Active runs that somebody is to kill and has not."""
        return [short for short in self.active if short.errand.wish == wish and not short.is_killed]

    def end(self) -> None:
        """End the thread."""
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Tick until ended."""
        try:
            while not self._ended.wait(TICK_S):
                while self._feed():
                    continue
                if self._active:
                    self._look()
        except BaseException as error:
            self.failure = error
            raise

    def _feed(self) -> bool:
        """Create a batch; False where it is not wanted, or nobody answers: the same is asked again then."""
        if self._pending is None:
            errands = self._due()
            if not errands:
                return False
            self._pending = uuid.uuid4().hex, [self._add(errand) for errand in errands]
        key, batch = self._pending
        body = {"runs": [_request(short) for short in batch]}
        answer = self._product.try_ask("POST", "/v1/runs", json=body, headers={"Idempotency-Key": key})
        if answer is None:
            return False
        assert answer.status_code in {200, 201}, answer.text
        for short, item in zip(batch, answer.json()["items"], strict=True):
            short.run_id = item["id"]
            self._active[short.run_id] = short
        self._pending = None
        return True

    def _due(self) -> list[Errand]:
        """What is to be created now, in this order whatever happens."""
        missing = self._lingering() - sum(short.errand.pause_s == LINGERING_S for short in self.active)
        if missing > 0:
            self._extra += missing
            return [lingering(self._chance) for _ in range(missing)]
        made = len(self.shorts) - self._extra
        allowed = min(round(len(self._errands) * self._share()), len(self._errands)) - made
        count = max(0, min(allowed, BATCH, BACKLOG - len(self._active)))
        return self._errands[made : made + count]

    def _add(self, errand: Errand) -> Short:
        number = len(self.shorts) + 1
        folder = self._product.data_dir / "books" / str(number // FOLDER)
        folder.mkdir(parents=True, exist_ok=True)
        self.shorts.append(Short(number, errand, folder / str(number)))
        return self.shorts[-1]

    def _look(self) -> None:
        found = self._listed()
        if found is not None:
            self._active = {run_id: short for run_id, short in self._active.items() if run_id in found}
            self.over = len(self.shorts) - len(self._active) - (len(self._pending[1]) if self._pending else 0)

    def _listed(self) -> set[int] | None:
        """The ids of all active runs; None where nobody answers."""
        found: set[int] = set()
        cursor: str | None = None
        while True:
            params: dict[str, Any] = {"status": ACTIVE, "limit": PAGE, **({"cursor": cursor} if cursor else {})}
            answer = self._product.try_ask("GET", "/v1/runs", params=params)
            if answer is None:
                return None
            assert answer.status_code == 200, answer.text
            found |= {item["id"] for item in answer.json()["items"]}
            cursor = answer.json()["next_cursor"]
            if cursor is None:
                return found


def _request(short: Short) -> dict[str, Any]:
    errand = short.errand
    options = {"argv": errand.argv(short.book, short.number), "stdio": errand.stdio, "env": {ON_LOST: errand.on_lost}}
    return {"backend": "command", "goal": "", "on_lost": errand.on_lost, "options": options}


def timelines(product: Product, shorts: list[Short]) -> Iterator[tuple[Short, list[dict[str, Any]]]]:
    """Every run with all its events, once nothing is killed any more."""
    for short in shorts:
        yield short, _timeline(product.client, short.run_id)


def _timeline(client: httpx.Client, run_id: int) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    while True:
        after = events[-1]["seq"] if events else 0
        page = client.get(f"/v1/runs/{run_id}/events", params={"after": after, "limit": 1000}).json()["items"]
        events += page
        if len(page) < 1000:
            return events
