"""`agentrunner doctor` with the product itself."""

import json

import msgspec

from agentrunner.domain.check import Check
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
    assert found.keys() >= LOOKED_AT | {"worker"}
    assert [name for name, check in found.items() if check.status == "fail"] == []
    assert (found["server"].status, found["worker"].status, done.returncode) == ("ok", "ok", 0)


def test_what_is_not_as_it_should_be_comes_with_advice(cli: Cli) -> None:
    """For a person too: a mark, a name, a sentence, and what to do in the line below."""
    done = cli("doctor", AGENTRUNNER_PORT="9")
    assert checks(cli("doctor", "--json", AGENTRUNNER_PORT="9").stdout)["server"].status == "warn"
    assert "! server: No server answers" in done.stdout
    assert "    `agentrunner up` starts one." in done.stdout


def test_a_tree_that_cannot_be_is_a_failure(cli: Cli) -> None:
    """Exit code 1."""
    done = cli("doctor", AGENTRUNNER_TREE="no-such-mechanism")
    assert done.returncode == 1
    assert "✗ process trees" in done.stdout
