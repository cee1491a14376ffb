"""`agentrunner ps` as a process."""

import json

import pytest

from cli.conftest import Cli
from client.contract import Contract
from client.wire import Server


@pytest.fixture
def runs(contract: Contract, server: Server) -> Contract:
    """A finished run, a running one and a queued one."""
    contract.finish(contract.add_run(title="one"), [])
    contract.add_event(contract.add_run(title="two"), "run.started")
    contract.add_run(title="three\n\x1b[2Jfour")
    return contract


def ids(text: str) -> list[str]:
    """The first word of each row."""
    return [line.split()[0] for line in text.splitlines()[1:]]


def test_it_lists_what_is_queued_and_active(cli: Cli, runs: Contract) -> None:
    """The newest first, one line each, whatever is in a title."""
    done = cli("ps")
    assert ids(done.stdout) == ["3", "2"]
    assert "QUEUED" in done.stdout
    assert "RUNNING working" in done.stdout
    assert "three \\x1b[2Jfour" in done.stdout


def test_all_of_them_or_some(cli: Cli, runs: Contract) -> None:
    """Statuses are taken in any case."""
    assert ids(cli("ps", "--all").stdout) == ["3", "2", "1"]
    assert ids(cli("ps", "--status", "completed", "--status", "QUEUED").stdout) == ["3", "1"]


def test_ids_only(cli: Cli, runs: Contract) -> None:
    """For scripts."""
    assert cli("ps", "-aq").stdout == "3\n2\n1\n"


def test_a_bound_says_that_there_is_more(cli: Cli, runs: Contract) -> None:
    """On standard error."""
    done = cli("ps", "--all", "-n", "2")
    assert ids(done.stdout) == ["3", "2"]
    assert "There are more" in done.stderr


def test_json_is_the_apis_page(cli: Cli, runs: Contract) -> None:
    """With its cursor."""
    page = json.loads(cli("ps", "--all", "--json", "-n", "2").stdout)
    assert [run["id"] for run in page["items"]] == [3, 2]
    assert page["next_cursor"] == "2"


def test_more_than_a_page_is_several_pages(cli: Cli, contract: Contract, server: Server) -> None:
    """Up to the bound, with the cursor behind it."""
    for _ in range(605):
        contract.add_run()
    page = json.loads(cli("ps", "--json", "-n", "601").stdout)
    assert [run["id"] for run in page["items"]] == list(range(605, 4, -1))
    assert page["next_cursor"] == "5"
    assert sum(path.startswith("/v1/runs?") for _, path in contract.requests) == 2


def test_nothing_to_list_says_where_to_look(cli: Cli, server: Server) -> None:
    """The head of the table is still there for a pipe."""
    done = cli("ps")
    assert done.stdout.startswith("ID  STATE")
    assert "agentrunner ps --all" in done.stderr


@pytest.mark.parametrize(
    ("written", "is_said"), [("2026-01-01T00:00:00.000Z", True), ("2999-01-01T00:00:00.000Z", False)]
)
def test_a_search_that_lags_says_so(cli: Cli, contract: Contract, server: Server, written: str, is_said: bool) -> None:
    """Only where it lags by more than a moment; a program is told in any case."""
    page = {"items": [], "next_cursor": None, "indexed_to": written}
    contract.replies += [(200, page), (200, page)]
    done = cli("ps", "word")
    assert ("is not searched yet" in done.stderr) == is_said
    assert (written in done.stderr) == is_said
    assert json.loads(cli("ps", "word", "--json").stdout)["indexed_to"] == written
