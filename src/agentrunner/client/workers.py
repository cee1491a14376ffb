"""Workers: list."""

from collections.abc import Iterator

from agentrunner.client.http import Http
from agentrunner.client.page import Page, each
from agentrunner.domain.worker import WorkerView


def every(http: Http) -> Iterator[WorkerView]:
    """Every worker that ever registered."""
    return each(http, "/v1/workers", Page[WorkerView], ())
