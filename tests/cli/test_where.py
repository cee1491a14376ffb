"""`--where QUERY` and `ps QUERY` with the product itself."""

import json
import re
from collections.abc import Iterator

import pytest

from cli.conftest import command
from cli.screen import screen
from e2e.product import Product, product


@pytest.fixture
def idle() -> Iterator[Product]:
    """A server without a worker, so that what is queued stays so."""
    with product() as made:
        made.start("server")
        made.ask("GET", "/v1/runs")
        yield made


def fill(idle: Product) -> list[int]:
    """Three runs of one team, the second of them reported from outside, and a run of another."""
    return [
        idle.create("command", title="one word", labels={"team": "web"}, options={"argv": ["true"]}),
        idle.create("external", title="two words", labels={"team": "web"}),
        idle.create("command", title="three", labels={"team": "web"}, options={"argv": ["true"]}),
        idle.create("command", title="four", options={"argv": ["true"]}),
    ]


def statuses(idle: Product) -> list[str]:
    """Of each run, the oldest first."""
    return [run["status"] for run in reversed(idle.get("/v1/runs")["items"])]


def test_ps_lists_what_matches(idle: Product) -> None:
    """Whatever its status; several words are terms of one query, `--search` takes text as it is."""
    fill(idle)
    assert idle.command("stop", "1").returncode == 0
    assert idle.command("ps", "-q", "label:team=web").stdout == "3\n2\n1\n"
    assert idle.command("ps", "-q", "label:team=web", "-n", "2", "wor*").stdout == "2\n1\n"
    assert idle.command("ps", "-q", 'label:team=web "two words"').stdout == "2\n"
    assert idle.command("ps", "-q", "--", "-status:stopped", "-backend:external").stdout == "4\n3\n"
    assert idle.command("ps", "-q", "status:queued", "--label", "team=web").stdout == "3\n"
    assert idle.command("ps", "-q", "--search", "re:ally").stdout == ""
    refused = idle.command("ps", "status:stoped")
    assert refused.returncode == 2
    assert "character 8: there is no status `stoped`; did you mean `stopped`?" in refused.stderr


def test_a_line_for_each_run(idle: Product) -> None:
    """What cannot be done says why, and the exit code says that there is such a run."""
    fill(idle)
    done = idle.command("stop", "--where", "label:team=web")
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [["3", "done"], ["2", "refused"], ["1", "done"]]
    assert "only reported here" in done.stdout
    assert done.returncode == 5
    assert statuses(idle) == ["STOPPED", "RUNNING", "STOPPED", "QUEUED"]
    again = idle.command("stop", "--where", "label:team=web -backend:external")
    assert (again.stdout, again.stderr, again.returncode) == ("", "No run matches.\n", 0)


def test_pause_resume_and_retry(idle: Product) -> None:
    """The same for every verb; as JSON it is a document a line."""
    fill(idle)
    mine = "backend:command label:team=web"
    for verb in ("pause", "resume", "stop"):
        done = idle.command(verb, "--where", mine)
        assert done.stdout.split() == ["3", "done", "1", "done"], done
    made = [json.loads(line) for line in idle.command("retry", "--where", mine, "--json").stdout.splitlines()]
    assert [item["id"] for item in made] == [3, 1]
    assert {idle.run(item["new_id"])["retry_of"] for item in made} == {1, 3}


def test_more_runs_than_one_request_takes(idle: Product) -> None:
    """Page after page."""
    idle.ask("POST", "/v1/runs", json={"runs": [{"backend": "command", "options": {"argv": ["true"]}}] * 450})
    done = idle.command("stop", "--where", "status:queued")
    assert [int(line.split()[0]) for line in done.stdout.splitlines()] == list(range(450, 0, -1))
    assert set(statuses(idle)) == {"STOPPED"}


def test_it_asks_at_a_terminal(idle: Product) -> None:
    """Nothing is done until it is agreed to, and `--yes` agrees."""
    fill(idle)
    words = command("stop", "--where", "backend:command")
    with screen(words, idle.environment) as made:
        made.wait_for(re.escape("Stop 3 runs? [y/N]"))
        made.press("n\n")
        assert "Nothing is done." in made.rest()
    assert "STOPPED" not in statuses(idle)
    with screen(words, idle.environment) as made:
        made.wait_for("Stop 3 runs")
        made.press("y\n")
        assert made.rest().count("done") == 3
    with screen(command("stop", "--where", "title", "--yes"), idle.environment) as made:
        assert "No run matches." in made.rest()
    with screen(command("stop", "--where", "title"), idle.environment) as made:
        assert "No run matches." in made.rest()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["pause"], "name the runs to pause, or say which with `--where QUERY`"),
        (["resume"], "--where QUERY"),
        (["retry"], "--where QUERY"),
        (["stop", "1", "--where", "a"], "--where says which runs"),
        (["stop", "--all", "--where", "a"], "--where says which runs"),
        (["retry", "1", "--where", "a"], "--where QUERY"),
        (["stop", "--where", " "], "--where takes a query"),
        (["stop", "--where", "stauts:x"], "character 1: there is no field `stauts`"),
    ],
)
def test_used_wrongly(real: Product, words: list[str], says: str) -> None:
    """Exit code 2, and what to write instead."""
    done = real.command(*words)
    assert says.lower() in done.stderr.lower()
    assert (done.returncode, done.stdout) == (2, "")
