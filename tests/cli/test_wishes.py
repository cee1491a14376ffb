"""`agentrunner pause`, `resume` and `stop` as processes."""

import json
import threading

import pytest

from cli.conftest import Cli
from client.contract import Contract
from client.wire import Server
from waiting import until


@pytest.fixture
def started(contract: Contract, server: Server) -> Contract:
    """Two running runs and a finished one."""
    for _ in range(2):
        contract.add_event(contract.add_run(), "run.started")
    contract.finish(contract.add_run(), [])
    return contract


@pytest.mark.parametrize(("verb", "status"), [("pause", "PAUSED"), ("resume", "RUNNING"), ("stop", "STOPPED")])
def test_a_fact_is_reported(cli: Cli, started: Contract, verb: str, status: str) -> None:
    """A line a run."""
    done = cli(verb, "1", "2", "2")
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [["1", status], ["2", status]]
    assert (done.returncode, done.stderr) == (0, "")


def test_one_refusal_does_not_keep_the_others(cli: Cli, started: Contract) -> None:
    """The exit code is that of the first refusal."""
    done = cli("stop", "3", "99", "1")
    assert done.stdout.split()[:2] == ["1", "STOPPED"]
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["agentrunner"] * 2
    assert done.returncode == 5


def test_a_wish_that_becomes_a_fact_is_waited_for(cli: Cli, started: Contract, server: Server) -> None:
    """The fact is reported, not the wish."""
    started.facts = False

    def confirm() -> None:
        until(lambda: ("GET", "/v1/runs/1/explain") in started.requests, 20)
        server.tell(lambda: started.runs[1].update(status="PAUSED", phase=None))
        started.facts = True

    confirming = threading.Thread(target=confirm)
    confirming.start()
    assert cli("pause", "1").stdout.split() == ["1", "PAUSED"]
    confirming.join(20)


def test_a_wish_that_stays_one_is_said_to_be_one(cli: Cli, started: Contract) -> None:
    """A script must not take it for done."""
    started.facts = False
    done = cli("pause", "1", "--wait", "0.2")
    assert "pause is wished, not confirmed yet; `agentrunner explain 1` says why" in done.stdout
    assert done.returncode == 1
    assert cli("pause", "1", "--wait", "0").returncode == 0


def test_json_is_one_run_a_line(cli: Cli, started: Contract) -> None:
    """Shaped as the API's."""
    runs = [json.loads(line) for line in cli("stop", "1", "2", "--json").stdout.splitlines()]
    assert [(run["id"], run["status"]) for run in runs] == [(1, "STOPPED"), (2, "STOPPED")]


def test_all_that_is_active_is_stopped(cli: Cli, started: Contract) -> None:
    """What another program reports here is left to that program."""
    started.add_event(started.add_run(backend="external"), "run.started")
    done = cli("stop", "--all")
    assert [line.split() for line in done.stdout.splitlines()] == [["1", "STOPPED"], ["2", "STOPPED"]]
    assert cli("stop", "--all").stderr == "No run is active.\n"
