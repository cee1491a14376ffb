"""Events of a run in pages; `stream` follows them as they come."""

from collections.abc import Iterator, Sequence

from agentrunner.client.http import Http
from agentrunner.client.page import Page, each
from agentrunner.domain.event import EventView

PAGE = 1000


def each_event(http: Http, run_id: int, after: int = 0, types: Sequence[str] = ()) -> Iterator[EventView]:
    """Every stored event behind `after` in order, page after page, of all types or some."""
    params = [("after", str(after)), ("limit", str(PAGE))]
    if types:
        params.append(("types", ",".join(types)))
    return each(http, f"/v1/runs/{run_id}/events", Page[EventView], tuple(params), "after")
