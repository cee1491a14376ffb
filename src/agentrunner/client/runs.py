"""Runs: create, look at, list, wish for, retry, send input. Every function raises the server's own errors."""

import uuid
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec

from agentrunner.client.http import Http, encoded
from agentrunner.client.page import Page, each
from agentrunner.client.request import Request
from agentrunner.domain.bulk import Action, BulkPage, BulkRequest
from agentrunner.domain.decision import InputView, NewInput
from agentrunner.domain.explanation import Explanation
from agentrunner.domain.run import NewRun, RunView
from agentrunner.domain.state import Status

Verb = Literal["pause", "resume", "stop"]
PAGE = 500


class Wished(NamedTuple):
    """A run after a wish; `is_fact` is true where nothing is outstanding."""

    run: RunView
    is_fact: bool


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs: several values of one field are alternatives, `labels` (`name=value`) have to be there all.

    `text` is in the query grammar and holds beside the fields.
    """

    status: Sequence[Status] = ()
    project: Sequence[str] = ()
    backend: Sequence[str] = ()
    agent: Sequence[str] = ()
    labels: Sequence[str] = ()
    text: str = ""

    @property
    def params(self) -> tuple[tuple[str, str], ...]:
        """The query."""
        lists = {
            "status": self.status,
            "project": self.project,
            "backend": self.backend,
            "agent": self.agent,
            "label": self.labels,
        }
        found = tuple((name, str(value)) for name, values in lists.items() for value in values)
        return (*found, ("q", self.text)) if self.text else found


def create(http: Http, new: NewRun, key: str | None = None) -> RunView:
    """Create a run, once however often the request has to be sent; the same `key` answers the same run."""
    request = Request("POST", "/v1/runs", body=encoded(new), key=key or uuid.uuid4().hex)
    return http.send(request).decoded(RunView)


def get(http: Http, run_id: int) -> RunView:
    """One run as it is now."""
    return http.get(f"/v1/runs/{run_id}", RunView)


class RunPage(Page[RunView], frozen=True, kw_only=True):
    """Some runs; where `indexed_to` is there, what was written behind it is not searched for text yet."""

    indexed_to: str | None = None


def page(http: Http, wanted: Filter, limit: int = 50, cursor: str | None = None) -> RunPage:
    """Some runs, the newest first."""
    params = (*wanted.params, ("limit", str(limit)), *((("cursor", cursor),) if cursor else ()))
    return http.get("/v1/runs", RunPage, params)


def every(http: Http, wanted: Filter, limit: int = PAGE) -> Iterator[RunView]:
    """Every run, the newest first, asked for in pages of `limit` as they are needed."""
    return each(http, "/v1/runs", Page[RunView], (*wanted.params, ("limit", str(limit))))


def explain(http: Http, run_id: int) -> Explanation:
    """Why a run is where it is."""
    return http.get(f"/v1/runs/{run_id}/explain", Explanation)


def wish(http: Http, run_id: int, verb: Verb) -> Wished:
    """Wish a run to pause, to go on or to end; wishing twice is wishing once."""
    answer = http.send(Request("POST", f"/v1/runs/{run_id}/{verb}", is_repeatable=True))
    return Wished(answer.decoded(RunView), answer.status == 200)


def bulk(http: Http, request: BulkRequest) -> BulkPage:
    """Act on a page of the runs that a query finds. A retry is not sent again once it may have arrived."""
    is_repeatable = request.action is not Action.RETRY
    sent = Request("POST", "/v1/runs/bulk", body=encoded(request), is_repeatable=is_repeatable)
    return http.send(sent).decoded(BulkPage)


def retry(http: Http, run_id: int) -> RunView:
    """A new run with the request of a finished one. Not sent again once it may have arrived."""
    return http.send(Request("POST", f"/v1/runs/{run_id}/retry")).decoded(RunView)


def send_input(http: Http, run_id: int, text: str) -> InputView:
    """Text for the agent, stored to be delivered once. Not sent again once it may have arrived."""
    request = Request("POST", f"/v1/runs/{run_id}/inputs", body=encoded(NewInput(text=text)))
    return http.send(request).decoded(InputView)
