"""`agentrunner doctor` with the product itself."""

import json

import msgspec

from agentrunner import __version__
from agentrunner.cli.doctor import _versions
from agentrunner.domain.check import Check
from agentrunner.domain.worker import WorkerView
from cli.conftest import Cli
from e2e.product import Product

LOOKED_AT = {"process trees", "limits", "data directory", "open files", "inotify", "server", "backend command"}


def checks(text: str) -> dict[str, Check]:
    """The checks by name."""
    return {check.name: check for check in msgspec.convert(json.loads(text)["items"], list[Check])}


def test_everything_is_looked_at(real: Product) -> None:
    """With a server and a worker all of it is of use."""
    done = real.command("doctor", "--json")
    found = checks(done.stdout)
    assert found.keys() >= LOOKED_AT | {"worker", "versions", "up", "clock", "disk space", "inodes", "token files"}
    assert (found["versions"].status, found["database"].status) == ("ok", "ok")
    assert [name for name, check in found.items() if check.status == "fail"] == []
    assert (found["server"].status, found["worker"].status, done.returncode) == ("ok", "ok", 0)


def test_what_is_not_as_it_should_be_comes_with_advice(cli: Cli) -> None:
    """For a person too: a mark, a name, a sentence, and what to do in the line below."""
    done = cli("doctor", AGENTRUNNER_PORT="9")
    assert checks(cli("doctor", "--json", AGENTRUNNER_PORT="9").stdout)["server"].status == "warn"
    assert "! server: No server answers" in done.stdout
    assert "    `agentrunner up` starts one." in done.stdout
    assert "    Commands ask it" in done.stdout


def test_the_object_of_a_check_is_stable(cli: Cli) -> None:
    """Programs read it: these fields, always all of them, and what is not well comes with advice and a reason."""
    items = json.loads(cli("doctor", "--json", AGENTRUNNER_PORT="9").stdout)["items"]
    assert {tuple(item) for item in items} == {("name", "status", "detail", "advice", "why")}
    assert len({item["name"] for item in items}) == len(items)
    assert [item["name"] for item in items if item["status"] != "ok" and not (item["advice"] and item["why"])] == []


def worker_of(version: str) -> WorkerView:
    """A worker online with a version."""
    return WorkerView(
        **{"id": "w", "name": "one", "host": "h", "version": version, "online": True, "slots": 1, "running": 0},
        **{"backends": [], "limits": {}, "tree": "walk", "registered_at": "", "heard_at": None},
    )


def test_versions_that_differ_are_named() -> None:
    """Server, worker and command; with the command that makes them one."""
    assert _versions(__version__, [worker_of(__version__)]).status == "ok"
    check = _versions("9.9.9", [worker_of("8.8.8")])
    assert (check.status, check.detail) == (
        "warn",
        f"the server is 9.9.9, this command {__version__}, worker one 8.8.8",
    )
    assert "pip install agentrunner==9.9.9" in str(check.advice)


def test_a_tree_that_cannot_be_is_a_failure(cli: Cli) -> None:
    """Exit code 1."""
    done = cli("doctor", AGENTRUNNER_TREE="no-such-mechanism")
    assert done.returncode == 1
    assert "✗ process trees" in done.stdout
