"""`agentrunner logs` as a process."""

import json

import pytest

from cli.conftest import Cli
from client.contract import Contract
from client.wire import Server


@pytest.fixture
def finished(contract: Contract, server: Server) -> Contract:
    """A run with 2,500 lines on two streams, three pages of events."""
    run_id = contract.add_run()
    for number in range(2500):
        stream = "stderr" if number % 10 == 9 else "stdout"
        contract.add_event(run_id, "log", {"stream": stream, "offset": number, "lines": [f"line {number}"]})
    contract.add_event(run_id, "run.completed")
    return contract


def test_raw_lines_go_where_the_program_wrote_them(cli: Cli, finished: Contract) -> None:
    """All of them, in order, its stdout to stdout and its stderr to stderr."""
    done = cli("logs", "1", "--raw")
    assert done.stdout.splitlines() == [f"line {number}" for number in range(2500) if number % 10 != 9]
    assert done.stderr.splitlines() == [f"line {number}" for number in range(2500) if number % 10 == 9]


def test_json_is_one_event_a_line(cli: Cli, finished: Contract) -> None:
    """From behind the one asked for."""
    events = [json.loads(line) for line in cli("logs", "1", "--json", "--after", "2490").stdout.splitlines()]
    assert [event["seq"] for event in events] == list(range(2491, 2503))


@pytest.mark.parametrize(("tail", "first"), [("3", 2500), ("0", None), ("1000000", 1)])
def test_the_tail(cli: Cli, finished: Contract, tail: str, first: int | None) -> None:
    """The last events only."""
    lines = cli("logs", "1", "--json", "--tail", tail).stdout.splitlines()
    assert (json.loads(lines[0])["seq"] if lines else None) == first


def test_following_a_finished_run_ends_with_it(cli: Cli, finished: Contract) -> None:
    """The result is the last word, the exit code is that of the command."""
    done = cli("logs", "-f", "1", "--tail", "1")
    assert "run.completed" in done.stdout
    assert done.stderr == "Run 1 completed.\n"
    assert done.returncode == 0
