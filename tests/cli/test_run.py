"""`agentrunner run` as a process, against a server that misbehaves when told."""

import json
import signal
import threading
from typing import Any

import msgspec
import pytest

from agentrunner.domain.event import EventView
from agentrunner.domain.run import RunView
from cli.conftest import Cli, running
from client.contract import Contract
from client.wire import Server
from waiting import until


@pytest.fixture
def finishing(contract: Contract, server: Server) -> Any:
    """Lets the first run that is created run to its end."""
    threads = []

    def finish(lines: list[str], exit_code: int = 0) -> None:
        def work() -> None:
            until(lambda: 1 in contract.runs, 20)
            server.tell(lambda: contract.finish(1, lines, exit_code))

        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield finish
    for thread in threads:
        thread.join(20)


def test_it_shows_the_run_and_exits_as_it_did(cli: Cli, finishing: Any) -> None:
    """The timeline on standard output, the result in one line on standard error."""
    finishing(["hello", "world"], 3)
    done = cli("run", "--", "false")
    assert done.returncode == 3
    shown = [line[10:] for line in done.stdout.splitlines()]
    assert shown[0].startswith("run.created title=false")
    assert shown[2:4] == ["│ hello", "│ world"]
    assert done.stderr.startswith("Run 1 failed (exit_nonzero: exit code 3) after")
    assert done.stderr.count("\n") == 1


def test_json_is_one_event_a_line_and_the_run_last(cli: Cli, finishing: Any) -> None:
    """Shaped as the API's."""
    finishing(["x"])
    done = cli("run", "--json", "--", "true")
    *events, run = done.stdout.splitlines()
    assert [msgspec.json.decode(line, type=EventView).seq for line in events] == [1, 2, 3, 4]
    assert msgspec.json.decode(run, type=RunView).status == "COMPLETED"
    assert (done.returncode, done.stderr) == (0, "")


def test_raw_is_what_the_program_wrote(cli: Cli, finishing: Any) -> None:
    """Behind a pipe byte for byte, whatever is in it."""
    lines = ["\x1b[31mred\x1b[2J", "tab\tand \u202e bidi", ""]
    finishing(lines)
    assert cli("run", "--raw", "--", "true").stdout == "".join(f"{line}\n" for line in lines)


def test_detached_it_prints_the_id(cli: Cli, server: Server, contract: Contract) -> None:
    """Alone, for a script; as JSON the run."""
    assert cli("run", "-d", "--", "true").stdout == "1\n"
    assert json.loads(cli("run", "-d", "--json", "--", "true").stdout)["id"] == 2
    assert contract.runs[1]["options"] == {"argv": ["true"]}


def test_everything_reaches_the_server(cli: Cli, server: Server, contract: Contract) -> None:
    """And a secret only where secrets go, never on a command line."""
    flags = "--title T --limit wall_s=60 --on-lost fail --label a=b --secret KEY --retry 2 --backend claude --model m"
    done = cli("run", "-d", *flags.split(), "-", stdin="the goal\n", KEY="geheim")
    assert done.returncode == 0, done
    run = contract.runs[1]
    assert (run["title"], run["goal"], run["on_lost"], run["labels"]) == ("T", "the goal\n", "fail", {"a": "b"})
    assert (run["limits"], run["retry"]["attempts"], run["options"]) == ({"wall_s": 60.0}, 2, {"model": "m"})
    assert "geheim" not in json.dumps(run)


def test_a_lost_answer_makes_one_run(cli: Cli, server: Server, contract: Contract) -> None:
    """It is asked for again under the same key."""
    contract.drop_answers = 2
    assert cli("run", "-d", "--", "true").stdout == "1\n"
    assert list(contract.runs) == [1]


def test_a_server_that_dies_and_comes_back_loses_nothing(
    environment: dict[str, str], server: Server, contract: Contract
) -> None:
    """Every line once, in order, with a word about the absence."""
    with running(["run", "--raw", "--", "x"], environment) as started:
        until(lambda: 1 in contract.runs, 20)
        until(lambda: any(path.endswith("/stream") for _, path in contract.requests), 20)
        for number in range(3):
            server.tell(lambda number=number: log(contract, f"before {number}"))  # type: ignore[misc]
        server.die()
        contract.changed = None
        log(contract, "while away")
        assert started.stderr is not None
        assert "does not answer" in started.stderr.readline()
        server.start()
        assert "is back" in started.stderr.readline()
        server.tell(lambda: contract.finish(1, ["after"]))
        assert started.stdout is not None
        assert started.stdout.read().splitlines() == ["before 0", "before 1", "before 2", "while away", "after"]
        assert started.wait(20) == 0


def log(contract: Contract, line: str) -> None:
    """A line of output."""
    contract.add_event(1, "log", {"stream": "stdout", "offset": 0, "lines": [line]})


def test_ctrl_c_where_nobody_can_be_asked_detaches(
    environment: dict[str, str], server: Server, contract: Contract
) -> None:
    """The run is not touched, and it is said how to go on."""
    with running(["run", "--", "x"], environment) as started:
        assert started.stdout is not None
        assert "run.created" in started.stdout.readline()
        started.send_signal(signal.SIGINT)
        assert started.wait(20) == 130
        assert started.stderr is not None
        errors = started.stderr.read()
    assert "Run 1 goes on. `agentrunner logs -f 1` shows it again, `agentrunner stop 1` ends it." in errors
    assert contract.runs[1]["desired"] == "run"


def test_the_help_says_what_on_lost_costs(cli: Cli) -> None:
    """That a server away for a lease ends a run, too."""
    text = cli("run", "--help").stdout
    assert "when the SERVER is away for a lease" in text
    assert "130 where" in text
