"""Events told by the Agent Ops surface, against the same events by the native API of the same server."""

from dataclasses import replace

from bench.ingest import CLIENTS
from bench.plan import Plan
from bench.report import Row, compare
from bench.servers import EVENT, Server, serving
from bench.wire import drive, request

EVENTS = 1000
WRITERS = 4
NDJSON = "application/x-ndjson"


def measure(plan: Plan) -> list[Row]:
    """One event a POST, and batches of a thousand lines."""
    seconds = 0.4 if plan.is_quick else 2.0
    with serving(plan.place("surfaces")) as server:
        return [
            _compared(plan, server, Row(name="ops ingest", unit="POST/s", must=0.9, wish=0.97), seconds),
            _compared(plan, server, Row(name="ops batch", unit="events/s", must=0.8, wish=0.95), seconds, EVENTS),
        ]


def _compared(plan: Plan, server: Server, row: Row, seconds: float, count: int = 1) -> Row:
    clients = CLIENTS if count == 1 else WRITERS
    paths = [f"/v1/runs/{run}/events" for run in server.external_runs(clients)]
    told = [f"/api/runs/{_begun(server)}/events" for _ in range(clients)]
    body = b"\n".join([EVENT] * count)
    kind = "application/json" if count == 1 else NDJSON
    native = [request("POST", path, server.token, body, kind) for path in paths]
    ours = [request("POST", path, server.token, body, kind) for path in told]
    spent: dict[str, list[float]] = {"ours": [], "native": []}

    def rate(side: str, messages: list[bytes]) -> float:
        used = server.cpu()
        load = drive(server.port, messages, b"201", seconds)
        spent[side].append(load.count / (server.cpu() - used))
        return load.rate * count

    for messages in (native, ours):
        drive(server.port, messages, b"201", 0.3)
    found = compare(row, lambda: rate("ours", ours), lambda: rate("native", native), plan.rounds, plan.tell)
    ratios = sorted(mine / theirs for mine, theirs in zip(spent["ours"], spent["native"], strict=True))
    note = f"against /v1 in the same server; {ratios[len(ratios) // 2]:.2f} per CPU second"
    return replace(found, note=note)


def _begun(server: Server) -> str:
    """The id of a new run."""
    return str(server.post("/api/runs", {})["id"])
