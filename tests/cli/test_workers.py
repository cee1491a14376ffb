"""`agentrunner workers` with the product itself."""

import json

import msgspec

from agentrunner.domain.worker import WorkerView
from e2e.product import Product


def test_the_worker_is_listed(real: Product) -> None:
    """As a row and as the API has it."""
    assert "online" in real.command("workers").stdout
    (worker,) = json.loads(real.command("workers", "--json").stdout)["items"]
    assert msgspec.convert(worker, WorkerView).online
