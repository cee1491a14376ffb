"""Runs: create, look at, list, wish for, retry, send input. Every function raises the server's own errors."""

from collections.abc import Iterator

from agentrunner.client import run_calls
from agentrunner.client.http import Http
from agentrunner.client.page import Page, each
from agentrunner.client.run_calls import Filter as Filter
from agentrunner.client.run_calls import RunPage as RunPage
from agentrunner.client.run_calls import Verb as Verb
from agentrunner.client.run_calls import Wished as Wished
from agentrunner.domain.bulk import BulkPage, BulkRequest
from agentrunner.domain.decision import InputView
from agentrunner.domain.explanation import Explanation
from agentrunner.domain.run import NewRun, RunView

PAGE = 500


def create(http: Http, new: NewRun, key: str | None = None) -> RunView:
    """Create a run, once however often the request has to be sent; the same `key` answers the same run."""
    return http.call(run_calls.create(new, key))


def get(http: Http, run_id: int) -> RunView:
    """One run as it is now."""
    return http.call(run_calls.get(run_id))


def page(http: Http, wanted: Filter, limit: int = 50, cursor: str | None = None) -> RunPage:
    """Some runs, the newest first."""
    return http.call(run_calls.page(wanted, limit, cursor))


def every(http: Http, wanted: Filter, limit: int = PAGE) -> Iterator[RunView]:
    """Every run, the newest first, asked for in pages of `limit` as they are needed."""
    return each(http, "/v1/runs", Page[RunView], (*wanted.params, ("limit", str(limit))))


def explain(http: Http, run_id: int) -> Explanation:
    """Why a run is where it is."""
    return http.call(run_calls.explain(run_id))


def wish(http: Http, run_id: int, verb: Verb) -> Wished:
    """Wish a run to pause, to go on or to end; wishing twice is wishing once."""
    return http.call(run_calls.wish(run_id, verb))


def bulk(http: Http, request: BulkRequest) -> BulkPage:
    """Act on a page of the runs that a query finds. A retry is not sent again once it may have arrived."""
    return http.call(run_calls.bulk(request))


def retry(http: Http, run_id: int) -> RunView:
    """A new run with the request of a finished one. Not sent again once it may have arrived."""
    return http.call(run_calls.retry(run_id))


def send_input(http: Http, run_id: int, text: str) -> InputView:
    """Text for the agent, stored to be delivered once. Not sent again once it may have arrived."""
    return http.call(run_calls.send_input(run_id, text))
