"""The server that is fuzzed: a real process on loopback and on its Unix socket, with a few runs that have to stay."""

from collections.abc import Iterator
from contextlib import contextmanager

from e2e.processes import Process
from e2e.product import Product
from e2e.product import product as fresh
from waiting import until


@contextmanager
def subject() -> Iterator[tuple[Product, Process]]:
    """A server without a worker; the worker protocol is open to the network, so that it is fuzzed too."""
    with fresh(workers_from_network="true", log_level="debug", durability="normal", max_queued=5000) as product:
        process = product.start("server")
        until(lambda: (product.data_dir / "address").exists(), 20)
        product.ask("GET", "/ready")
        yield product, process


def address(product: Product) -> str:
    """The server's URL on loopback."""
    return (product.data_dir / "address").read_text().strip()
