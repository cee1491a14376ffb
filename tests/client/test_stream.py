"""Following a run over a server that dies in the middle: no gap, no double."""

import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agentrunner.client.http import Http
from agentrunner.client.stream import follow
from agentrunner.domain import errors
from agentrunner.domain.event import EventView
from agentrunner.domain.run import RunView
from client.contract import Contract
from client.wire import Server


def seqs(items: Iterator[EventView | RunView]) -> list[int]:
    """The numbers of the events; the run comes last and only then."""
    *events, run = items
    assert isinstance(run, RunView)
    assert run.status.is_terminal
    return [item.seq for item in events if isinstance(item, EventView)]


def test_a_finished_run_is_shown_whole(http: Http, contract: Contract) -> None:
    """Every event, then the run."""
    contract.finish(contract.add_run(), ["one", "two"])
    assert seqs(follow(http, 1)) == [1, 2, 3, 4, 5]
    assert seqs(follow(http, 1, after=3)) == [4, 5]


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 3000), max_size=3))
def test_a_stream_cut_anywhere_is_taken_up(http: Http, contract: Contract, cuts: list[int]) -> None:
    """In the middle of a frame, between two, before the first: the same events."""
    run_id = contract.add_run()
    contract.finish(run_id, [f"line {number}" for number in range(20)])
    contract.cut_after = list(cuts)
    assert seqs(follow(http, run_id)) == list(range(1, 24))
    contract.cut_after = []


def test_a_server_that_dies_and_comes_back_is_found_again(http: Http, contract: Contract, server: Server) -> None:
    """While events go on; `notice` hears of both."""
    run_id = contract.add_run()
    notices: list[bool] = []
    items = follow(http, run_id, notice=notices.append)
    assert isinstance(next(items), EventView)
    server.die()
    contract.changed = None
    contract.finish(run_id, ["while", "away"])
    back = threading.Timer(0.3, server.start)
    back.start()
    assert seqs(items) == [2, 3, 4, 5]
    back.join()
    assert notices == [True, False]


def test_a_server_that_stays_away_is_given_up(http: Http, contract: Contract, server: Server) -> None:
    """After the patience asked for, with advice."""
    items = follow(http, contract.add_run(), patience_s=0.4)
    next(items)
    server.die()
    with pytest.raises(errors.ServerUnreachable, match="agentrunner up"):
        list(items)


def test_a_gap_is_never_shown(http: Http, contract: Contract) -> None:
    """A server that skips an event is asked again; one that keeps skipping is given up."""
    run_id = contract.add_run()
    contract.finish(run_id, ["one", "two"])
    whole = list(contract.events[run_id])
    contract.events[run_id] = [event for event in whole if event["seq"] != 3]
    items = follow(http, run_id, patience_s=0.5)
    assert [item.seq for item in (next(items), next(items)) if isinstance(item, EventView)] == [1, 2]
    with pytest.raises(errors.AgentRunnerError, match="not usable"):
        list(items)


def test_an_event_that_comes_again_is_shown_once(http: Http, contract: Contract) -> None:
    """A server that starts earlier than asked does no harm."""
    run_id = contract.add_run()
    contract.finish(run_id, ["one"])
    contract.events[run_id] = [event for event in contract.events[run_id] for _ in range(2)]
    found = seqs(follow(http, run_id))
    assert found == [1, 2, 3, 4]
    assert all(later == earlier + 1 for earlier, later in pairwise(found))


@pytest.mark.parametrize("run_id", [99])
def test_an_error_of_the_server_is_raised_at_once(http: Http, contract: Contract, run_id: int) -> None:
    """There is nothing to wait for."""
    contract.replies = [(404, {"code": "run_not_found", "detail": "There is no run 99."})]
    with pytest.raises(errors.RunNotFound):
        list(follow(http, run_id))


def test_a_run_is_followed_while_it_grows(http: Http, contract: Contract, server: Server) -> None:
    """Each event as soon as it is there."""
    run_id = contract.add_run()
    items = follow(http, run_id)
    next(items)
    for number in range(3):
        server.tell(lambda: contract.add_event(run_id, "log", {"stream": "stdout", "offset": 0, "lines": ["x"]}))
        event = next(items)
        assert isinstance(event, EventView)
        assert event.seq == number + 2
    server.tell(lambda: contract.finish(run_id, []))
    assert seqs(items) == [5, 6]
