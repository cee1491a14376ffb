"""The product's own processes for a row, and what the kernel says of a process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from agentrunner.app.address import forget_address, read_address
from bench.wire import Caller
from e2e.processes import Process
from e2e.product import Product
from waiting import until

PAYLOAD = {"text": "x" * 200}
EVENT = msgspec.json.encode({"type": "task.progress", "payload": PAYLOAD})


class Server:
    """A real server process over HTTP on loopback with full durability, perhaps with a worker."""

    def __init__(self, product: Product) -> None:
        self.product = product
        # A server that was killed leaves its address behind.
        forget_address(product.data_dir)
        self.process = product.start("server")
        address = until(lambda: read_address(product.data_dir), 20)
        self.port = int(address.rpartition(":")[2]) if address else 0
        self.token = until(lambda: _text(product.data_dir / "token"), 20)
        self.caller = Caller(self.port, self.token)

    def start_worker(self) -> Process:
        """Start one and wait until it is online."""
        worker = self.product.start("worker")
        until(lambda: any(each["online"] for each in self.get("/v1/workers")["items"]), 20)
        return worker

    def get(self, path: str) -> Any:
        """The body of a GET."""
        return msgspec.json.decode(self.caller.call("GET", path))

    def post(self, path: str, body: object) -> Any:
        """The body of a POST's answer."""
        return msgspec.json.decode(self.caller.call("POST", path, msgspec.json.encode(body)))

    def external_runs(self, count: int) -> list[int]:
        """Ids of new runs that take reported events."""
        answer = self.post("/v1/runs", {"runs": [{"backend": "external", "goal": "bench"}] * count})
        return [item["id"] for item in answer["items"]]

    def cpu(self) -> float:
        """CPU seconds that the server has used."""
        return cpu_seconds(self.process.pid)


def _text(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


@contextmanager
def serving(data_dir: Path, **settings: object) -> Iterator[Server]:
    """A server on a data directory; everything of it is gone behind the block."""
    product = Product(data_dir, durability="full", log_level="warning", **settings)
    try:
        server = Server(product)
        yield server
        server.caller.close()
    except BaseException:
        print(product.log())
        raise
    finally:
        product.close()


def cpu_seconds(pid: int) -> float:
    """Time that a process's living threads have run: the first field of `schedstat`, in nanoseconds."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9


def pss_bytes(pid: int) -> int:
    """Memory of a process, what it shares with others divided among them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"no Pss of {pid}")


def switches(pid: int) -> int:
    """How often a process's threads have gone to sleep by themselves, which is how often they were woken."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total
