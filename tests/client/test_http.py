"""One request and its answer, over a server that dies, drops answers and refuses."""

import threading
from pathlib import Path
from typing import Any

import pytest

from agentrunner.client import runs
from agentrunner.client.http import Http
from agentrunner.client.request import Request
from agentrunner.client.target import Target
from agentrunner.config import Settings
from agentrunner.domain import errors
from agentrunner.domain.run import NewRun
from client.contract import Contract, problem
from client.wire import Server

NEW = NewRun(backend="command", options={"argv": ["true"]})


def test_a_request_finds_its_server_and_token(http: Http, contract: Contract) -> None:
    """By the data directory alone."""
    assert runs.get(http, contract.add_run(title="x")).title == "x"


def test_errors_are_the_servers_own(http: Http) -> None:
    """Typed, with the server's sentence and request id."""
    with pytest.raises(errors.RunNotFound, match="no run 7") as caught:
        runs.get(http, 7)
    assert caught.value.extra["request_id"] == "req-1"


def test_a_create_whose_answer_is_lost_creates_one_run(http: Http, contract: Contract) -> None:
    """It is sent again under the same key."""
    contract.drop_answers = 2
    created = runs.create(http, NEW)
    assert list(contract.runs) == [created.id]
    assert [method for method, _ in contract.requests] == ["POST"] * 3


def test_a_look_is_repeated(http: Http, contract: Contract) -> None:
    """A dropped connection and a server that cannot right now are worth another try."""
    contract.add_run()
    contract.replies = [None, problem(503, "unavailable", "Not now.")]
    assert runs.get(http, 1).id == 1
    assert len(contract.requests) == 3


def test_tries_are_counted(http: Http, contract: Contract) -> None:
    """A server that never answers is given up after five."""
    contract.replies = [None] * 50
    with pytest.raises(errors.ServerUnreachable):
        runs.get(http, 1)
    assert len(contract.requests) == 5


@pytest.mark.parametrize("code", ["query_timeout", "internal", "run_not_found", "too_many_requests"])
def test_a_refusal_is_not_repeated(http: Http, contract: Contract, code: str) -> None:
    """It would be refused again."""
    contract.replies = [problem(503, code, "No.")] * 2
    with pytest.raises(errors.AgentRunnerError, match="No"):
        runs.get(http, 1)
    assert len(contract.requests) == 1


def test_what_may_have_happened_is_not_done_twice(http: Http, contract: Contract) -> None:
    """A retry that was carried out, but whose answer was lost, would make a second run."""
    contract.finish(contract.add_run(), [])
    contract.drop_answers = 1
    with pytest.raises(errors.ServerUnreachable):
        runs.retry(http, 1)
    assert len(contract.runs) == 2


def test_a_wish_is_repeated(http: Http, contract: Contract) -> None:
    """Wishing twice is wishing once."""
    contract.add_run()
    contract.drop_answers = 1
    assert runs.wish(http, 1, "stop") == (runs.get(http, 1), True)


def test_a_wish_that_is_no_fact_yet_says_so(http: Http, contract: Contract) -> None:
    """202 is not 200."""
    contract.add_run()
    contract.facts = False
    assert not runs.wish(http, 1, "pause").is_fact


def test_a_server_that_restarts_is_waited_for(http: Http, contract: Contract, server: Server) -> None:
    """A request that could not even be sent is sent again, of whatever kind."""
    contract.finish(contract.add_run(), [])
    server.die()
    back = threading.Timer(0.25, server.start)
    back.start()
    assert runs.retry(http, 1).retry_of == 1
    back.join()


def test_every_page_is_read(http: Http, contract: Contract) -> None:
    """The newest first, none twice, none left out."""
    for _ in range(23):
        contract.add_run()
    assert [run.id for run in runs.every(http, runs.Filter(), limit=5)] == list(range(23, 0, -1))


def test_nobody_there_is_said_at_once_with_advice(settings: Settings) -> None:
    """Where nothing points to a server there is nothing to wait for."""
    with (
        Http(Target("http://127.0.0.1:9", is_guess=True)) as http,
        pytest.raises(errors.ServerUnreachable, match="agentrunner up"),
    ):
        runs.get(http, 1)


def test_an_answer_of_another_version_is_said(http: Http, contract: Contract) -> None:
    """Not a traceback of a decoder."""
    contract.replies = [(200, {"id": "one"})]
    with pytest.raises(errors.AgentRunnerError, match="not understood"):
        runs.get(http, 1)


def test_a_wrong_token_is_unauthorized(contract: Contract, server: Server) -> None:
    """And not asked again."""
    with Http(Target("http://agentrunner", server.path, "ar_wrong")) as http, pytest.raises(errors.Unauthorized):
        runs.get(http, 1)
    assert len(contract.requests) == 1


@pytest.mark.parametrize("token", ["a\nb", "a b", "ü"])
def test_a_token_that_is_none_is_refused(token: str) -> None:
    """Before it breaks a header."""
    with pytest.raises(errors.ConfigurationError, match="AGENTRUNNER_TOKEN"):
        Http(Target("http://agentrunner", token=token))


def test_a_long_path_of_the_socket_is_no_hindrance(contract: Contract, server: Server, tmp_path: Path) -> None:
    """Sockets take 107 bytes; directories are longer."""
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    (deep / "s").symlink_to(server.path)
    contract.add_run()
    with Http(Target("http://agentrunner", deep / "s", contract.token)) as http:
        assert runs.get(http, 1).id == 1


def test_a_list_asks_for_what_is_wanted(http: Http, contract: Contract) -> None:
    """Every filter reaches the server under the API's names."""
    wanted: dict[str, Any] = {
        "project": ["p"],
        "backend": ["b"],
        "agent": ["a"],
        "labels": ["x=y"],
        "text": "two words",
    }
    runs.page(http, runs.Filter(**wanted), 7, "9")
    _, target = contract.requests[-1]
    assert target == "/v1/runs?project=p&backend=b&agent=a&label=x%3Dy&q=two+words&limit=7&cursor=9"


def test_safe_requests_and_keyed_ones_may_be_repeated() -> None:
    """Nothing else, unless it says so."""
    assert Request("GET", "/").may_be_repeated
    assert Request("POST", "/", key="k").may_be_repeated
    assert Request("POST", "/", is_repeatable=True).may_be_repeated
    assert not Request("POST", "/").may_be_repeated
    assert not Request("DELETE", "/").may_be_repeated
