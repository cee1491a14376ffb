"""A reply, or a request, of `register`, `claim` and `record` lost at every point: nothing is lost or doubled."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import msgspec
import pytest

from agentrunner.domain.control import (
    Assignment,
    ClaimRequest,
    Offsets,
    Outcome,
    Part,
    RecordRequest,
    RegisterAnswer,
    RegisterRequest,
)
from agentrunner.domain.event import new_event
from agentrunner.domain.state import Status
from agentrunner.worker.control import Control
from chaos.proxy import Cut, Exchange, Proxy
from e2e.product import Product
from waiting import until

WITHIN_S = 50


RUNS = {
    "command": {"backend": "command", "options": {"argv": ["true"]}},
    "script": {"backend": "script", "options": {"scenario": ["exit"]}},
    "claude": {"backend": "claude", "goal": "hello"},
}
"""A run for each of the workers that are put to the test side by side; each offers one backend, so takes one kind."""


class Line:
    """A worker's client and the proxy it goes through; `cut` is what happens to the next exchange."""

    def __init__(self, product: Product, backend: str) -> None:
        self.cut: Cut | None = None
        self.backend = backend
        listen = product.data_dir / f"{backend}.sock"
        self.proxy = Proxy(product.data_dir / "agentrunner.sock", self._choose, listen)
        token = (product.data_dir / "worker-token").read_text().strip()
        self.control = Control.connect("http://agentrunner", str(listen), token)
        self.worker_id = str(uuid.uuid4())

    def _choose(self, call: str) -> Cut | None:
        cut, self.cut = self.cut, None
        return cut

    async def register(self, slots: int = 1000) -> RegisterAnswer:
        """Register as a worker for one backend."""
        request = RegisterRequest(
            worker_id=self.worker_id,
            machine_id="m",
            lock_inode=1,
            boot_id="b",
            name="n",
            host="h",
            version="0",
            slots=slots,
            backends=[self.backend],
        )
        return await self.control.register(request)

    async def claim(self, epoch: int) -> list[Assignment]:
        """Take one run."""
        request = ClaimRequest(
            worker_id=self.worker_id, epoch=epoch, claim_id=uuid.uuid4().hex, slots=1, wait_s=WITHIN_S / 2
        )
        return (await self.control.claim(request)).runs


@asynccontextmanager
async def line(product: Product, backend: str = "command") -> AsyncIterator[Line]:
    """A line to the server."""
    made = Line(product, backend)
    async with asyncio.timeout(WITHIN_S), made.proxy:
        try:
            yield made
        finally:
            await made.control.close()


def cuts(whole: Exchange) -> list[Cut]:
    """Where to cut an exchange like this one: every byte of the reply's head, some of its body, and of the request."""
    head, reply, request = whole.reply_head_bytes, whole.reply_bytes, whole.request_bytes
    in_body = {head + (reply - head) * tenth // 10 for tenth in range(10)} | {reply - 1}
    in_request = {request * eighth // 8 for eighth in range(8)} | {1, request - 1, request}
    found = [Cut("reply", after) for after in sorted({*range(head), *in_body})]
    return found + [Cut("request", after) for after in sorted(in_request)]


@pytest.fixture
def server(fresh: Product) -> Product:
    """A server without a worker; its lease is longer than the test, which sends no heartbeats."""
    fresh.environment["AGENTRUNNER_LEASE_S"] = "600"
    fresh.start("server")
    until(lambda: fresh.try_ask("GET", "/v1/runs"), 20)
    return fresh


def create(server: Product, backend: str, count: int = 1) -> list[int]:
    """Queued runs, the oldest first."""
    answer = server.ask("POST", "/v1/runs", json={"runs": [RUNS[backend]] * count})
    assert answer.status_code == 201, answer.text
    return [run["id"] for run in answer.json()["items"]]


Lost = Callable[[Exchange], list[Cut]]
"""Where to cut exchanges like the one given."""


async def side_by_side(server: Product, lose: Callable[[Line, Lost], Awaitable[None]]) -> None:
    """Put three workers to the same test, each with a third of the cuts."""

    async def one(backend: str, part: int) -> None:
        async with line(server, backend) as worker:
            await lose(worker, lambda whole: cuts(whole)[part :: len(RUNS)])
            assert worker.proxy.cuts > 30

    await asyncio.gather(*(one(backend, part) for part, backend in enumerate(RUNS)))


async def test_register(server: Product) -> None:
    """A worker that did not hear the answer registers again: the newest epoch holds and names every run it owns."""

    async def lose(worker: Line, lost: Lost) -> None:
        answer = await worker.register()
        owned = create(server, worker.backend, 2)
        for _ in owned:
            assert len(await worker.claim(answer.epoch)) == 1
        answer = await worker.register()
        for cut in lost(worker.proxy.exchanges[-1]):
            before, worker.cut = answer, cut
            answer = await worker.register()
            assert sorted(run.run_id for run in answer.runs) == owned, cut
            assert before.epoch < answer.epoch <= before.epoch + 2, cut
            assert all(run.attempt == 1 and run.epoch == answer.runs[0].epoch for run in answer.runs), cut
        assert all(server.types(run_id) == ["run.created", "run.claimed"] for run_id in owned)

    await side_by_side(server, lose)


async def test_claim(server: Product) -> None:
    """A claim whose answer was lost is repeated with its claim_id: it gets that run again, and no second one."""

    async def lose(worker: Line, lost: Lost) -> None:
        epoch = (await worker.register()).epoch
        create(server, worker.backend)
        await worker.claim(epoch)
        todo = lost(worker.proxy.exchanges[-1])
        waiting = create(server, worker.backend, len(todo) + 1)
        for cut, run_id in zip(todo, waiting, strict=False):
            worker.cut = cut
            taken = await worker.claim(epoch)
            assert [(run.run_id, run.attempt, run.epoch) for run in taken] == [(run_id, 1, 1)], cut
        assert server.run(waiting[-1])["status"] == "QUEUED"
        assert all(server.types(run_id) == ["run.created", "run.claimed"] for run_id in waiting[:-1])

    await side_by_side(server, lose)


def parts(run: Assignment, number: int) -> RecordRequest:
    """The `number`-th line of a run, 10 bytes a line."""
    payload = {"stream": "stdout", "offset": number * 10, "lines": [f"line {number}"]}
    state = msgspec.Raw(msgspec.json.encode({"number": number}))
    part = Part(stream="out", start=number * 10, end=number * 10 + 10, events=[new_event("log", payload)], state=state)
    return request(run, parts=[part])


def request(run: Assignment, **more: object) -> RecordRequest:
    """A record call for an assignment."""
    return msgspec.structs.replace(
        RecordRequest(worker_id="", epoch=run.epoch, run_id=run.run_id, attempt=run.attempt, uid=run.uid), **more
    )


async def test_record(server: Product) -> None:
    """A part that was stored is not stored again, one that was not is: every line is there once, in order."""

    async def lose(worker: Line, lost: Lost) -> None:
        epoch = (await worker.register()).epoch
        (run_id,) = create(server, worker.backend)
        (run,) = await worker.claim(epoch)
        numbers = count()

        async def record() -> None:
            number = next(numbers)
            sent = msgspec.structs.replace(parts(run, number), worker_id=worker.worker_id)
            assert (await worker.control.record(sent)).offsets == Offsets(out=number * 10 + 10)

        await record()
        for cut in lost(worker.proxy.exchanges[-1]):
            worker.cut = cut
            await record()
        written = next(numbers)
        assert server.lines(run_id) == [f"line {number}" for number in range(written)]
        assert len(server.events(run_id)) == written + 2

    await side_by_side(server, lose)


async def test_record_of_an_end(server: Product) -> None:
    """An outcome whose answer was lost ends its run once, whatever is repeated."""
    async with line(server) as worker:
        epoch = (await worker.register()).epoch
        todo = list(points())
        create(server, worker.backend, len(todo))
        for cut in todo:
            (run,) = await worker.claim(epoch)
            outcome = Outcome(status=Status.COMPLETED, exit_code=0, sizes=Offsets())
            worker.cut = cut
            sent = request(run, worker_id=worker.worker_id, outcome=outcome)
            assert (await worker.control.record(sent)).ended, cut
            assert server.types(run.run_id) == ["run.created", "run.claimed", "run.completed"], cut


def points() -> Iterator[Cut]:
    """A few cuts of a small reply: before it, in its head, in its body, and around the request's end."""
    yield from (Cut("reply", after) for after in (0, 1, 16, 40, 80, 120, 160, 200))
    yield from (Cut("request", after) for after in (0, 1, 50, 200, 1 << 20))


@pytest.mark.timeout(90)
async def test_a_real_worker_behind_a_line_that_breaks(server: Product) -> None:
    """The worker process itself, every third exchange lost at any byte: every line of its runs arrives once."""
    chance = random.Random(7)

    def choose(call: str) -> Cut | None:
        side = chance.choice(("request", "reply"))
        return Cut(side, chance.randrange(600)) if chance.random() < 0.35 else None

    async with Proxy(server.data_dir / "agentrunner.sock", choose) as proxy:
        server.environment["AGENTRUNNER_SERVER_URL"] = f"http://127.0.0.1:{proxy.port}"
        await asyncio.to_thread(server.start, "worker")
        scenario = [{"emit": {"text": "x", "repeat": 300, "every": 0.01, "numbered": True}}, {"exit": 7}]
        made = [server.create("script", options={"scenario": scenario}) for _ in range(3)]
        for run_id in made:
            run = await asyncio.to_thread(server.wait, run_id, timeout=60)
            assert (run["status"], run["exit_code"], run["attempt"]) == ("FAILED", 7, 1)
            assert await asyncio.to_thread(server.lines, run_id) == [f"{number} x" for number in range(1, 301)]
        assert proxy.cuts > 20


def test_the_proxy_is_not_in_the_way(tmp_path: Path) -> None:
    """Cuts are where they are asked for: sorted, none behind the reply, and each byte of the head among them."""
    found = cuts(Exchange("record", 300, 120, 200))
    replies = [cut.after for cut in found if cut.side == "reply"]
    assert replies == sorted(replies)
    assert set(range(120)) <= set(replies)
    assert max(replies) == 199
