"""The calls about runs and their events; pure, so that the client that waits and the one that awaits make the same."""

import uuid
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from agentrunner.client.answer import Answer
from agentrunner.client.call import Call, of
from agentrunner.client.page import Page, Params
from agentrunner.client.request import LINES, Request, encoded
from agentrunner.domain.bulk import Action, BulkPage, BulkRequest
from agentrunner.domain.decision import InputView, NewInput
from agentrunner.domain.event import EventView
from agentrunner.domain.explanation import Explanation
from agentrunner.domain.run import NewRun, RunView
from agentrunner.domain.state import Status

Verb = Literal["pause", "resume", "stop"]
EVENTS_PAGE = 1000


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
    def params(self) -> Params:
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


class RunPage(Page[RunView], frozen=True, kw_only=True):
    """Some runs; where `indexed_to` is there, what was written behind it is not searched for text yet."""

    indexed_to: str | None = None


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """How many reported events were new, how many were known already, and the run's last `seq`."""

    accepted: int
    duplicates: int
    last_seq: int


class _Created(msgspec.Struct, frozen=True):
    items: list[RunView]


def create(new: NewRun, key: str | None = None) -> Call[RunView]:
    """Create a run, once however often the request has to be sent; the same `key` answers the same run."""
    return of(Request("POST", "/v1/runs", body=encoded(new), key=key or uuid.uuid4().hex), RunView)


def create_all(new: Sequence[NewRun], key: str | None = None) -> Call[list[RunView]]:
    """Create several runs, all or none, once however often the request has to be sent."""
    request = Request("POST", "/v1/runs", body=encoded({"runs": new}), key=key or uuid.uuid4().hex)
    return Call(request, lambda answer: answer.decoded(_Created).items)


def get(run_id: int) -> Call[RunView]:
    """One run as it is now."""
    return of(Request("GET", f"/v1/runs/{run_id}"), RunView)


def page(wanted: Filter, limit: int = 50, cursor: str | int | None = None) -> Call[RunPage]:
    """Some runs, the newest first."""
    params = (*wanted.params, ("limit", str(limit)), *((("cursor", str(cursor)),) if cursor else ()))
    return of(Request("GET", "/v1/runs", params), RunPage)


def events(run_id: int, after: int = 0, types: Sequence[str] = (), limit: int = EVENTS_PAGE) -> Call[Page[EventView]]:
    """Some stored events behind `after`, in order, of all types or some."""
    params = (("after", str(after)), ("limit", str(limit)), *((("types", ",".join(types)),) if types else ()))
    return of(Request("GET", f"/v1/runs/{run_id}/events", params), Page[EventView])


def explain(run_id: int) -> Call[Explanation]:
    """Why a run is where it is."""
    return of(Request("GET", f"/v1/runs/{run_id}/explain"), Explanation)


def wish(run_id: int, verb: Verb) -> Call[Wished]:
    """Wish a run to pause, to go on or to end; wishing twice is wishing once."""
    return Call(Request("POST", f"/v1/runs/{run_id}/{verb}", is_repeatable=True), _wished)


def _wished(answer: Answer) -> Wished:
    return Wished(answer.decoded(RunView), answer.status == 200)


def bulk(request: BulkRequest) -> Call[BulkPage]:
    """Act on a page of the runs that a query finds. A retry is not sent again once it may have arrived."""
    is_repeatable = request.action is not Action.RETRY
    return of(Request("POST", "/v1/runs/bulk", body=encoded(request), is_repeatable=is_repeatable), BulkPage)


def retry(run_id: int) -> Call[RunView]:
    """A new run with the request of a finished one. Not sent again once it may have arrived."""
    return of(Request("POST", f"/v1/runs/{run_id}/retry"), RunView)


def send_input(run_id: int, text: str) -> Call[InputView]:
    """Text for the agent, stored to be delivered once. Not sent again once it may have arrived."""
    return of(Request("POST", f"/v1/runs/{run_id}/inputs", body=encoded(NewInput(text=text))), InputView)


def report(run_id: int, reported: Sequence[dict[str, Any]]) -> Call[Stored]:
    """Store events of a program that runs elsewhere, all or none.

    Each is a dictionary with `type` and perhaps `payload`, `level`, `ts`. Every event that does not name a `producer`
    and a `client_seq` of its own gets them, so that sending them again stores them once.
    """
    producer = f"call-{uuid.uuid4().hex}"
    named = [{"producer": producer, "client_seq": n, **event} for n, event in enumerate(reported)]
    return report_lines(run_id, b"\n".join(map(encoded, named)))


def report_lines(run_id: int, lines: bytes) -> Call[Stored]:
    """Store events that are JSON lines already, each with `producer` and `client_seq`: sent twice is stored once."""
    return of(Request("POST", f"/v1/runs/{run_id}/events", body=lines, is_repeatable=True, content_type=LINES), Stored)
