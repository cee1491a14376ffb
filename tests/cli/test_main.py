"""The command as a whole: help at once, refusals in one line, exit codes, never a traceback."""

import importlib
import json
import time
from pathlib import Path

import click
import pytest

from agentrunner import __version__
from agentrunner.cli.main import VERBS
from cli.conftest import Cli, running
from client.contract import Contract, problem
from client.wire import Server

HELP_WITHIN_S = 0.15


def one_line(text: str) -> str:
    """The only line on standard error."""
    assert text.endswith("\n")
    assert text.count("\n") == 1, text
    assert text.startswith("agentrunner: ")
    return text


def test_help_comes_at_once(cli: Cli) -> None:
    """The best of some tries, for the machine has other things to do."""
    took = []
    for _ in range(7):
        began = time.perf_counter()
        assert cli("--help").returncode == 0
        took.append(time.perf_counter() - began)
    assert min(took) < HELP_WITHIN_S, took


def test_without_a_verb_help_is_shown(cli: Cli) -> None:
    """With every verb and what the exit codes mean."""
    done = cli()
    assert done.returncode == 0
    assert all(f"  {verb} " in done.stdout for verb in VERBS)
    assert "3 no server answers" in done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_there_with_its_help(verb: str) -> None:
    """What the list says is what its file says."""
    module, _, attribute = VERBS[verb].place.partition(":")
    found = getattr(importlib.import_module(f"agentrunner.cli.{module}"), attribute)
    assert isinstance(found, click.Command)
    assert found.name == verb
    assert found.get_short_help_str(200) == VERBS[verb].summary
    with click.Context(found, info_name=verb) as context:
        assert found.get_help(context).startswith("Usage: ")


def test_the_version(cli: Cli) -> None:
    """On one line."""
    assert cli("--version").stdout == f"agentrunner {__version__}\n"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["pss"], "did you mean `ps`"),
        (["stopp", "1"], "did you mean `stop`"),
        (["xyzzy"], "There is no verb 'xyzzy'. See `agentrunner --help`"),
        (["token", "creat", "x"], "did you mean `create`"),
        (["ps", "--statu", "x"], "--status"),
        (["--jsn"], "agentrunner --help"),
        (["ps", "--status", "done"], "there are QUEUED, RUNNING"),
        (["show"], "ID"),
        (["show", "abc"], "is not the id of a run"),
        (["show", "0"], "is not the id of a run"),
        (["show", "99999999999999999999"], "is not the id of a run"),
        (["show", "1", "2"], "unexpected extra argument"),
        (["logs", "1", "--after", "-1"], "--after"),
        (["stop"], "or `--all`"),
        (["stop", "1", "--all"], "not both"),
        (["run"], "agentrunner run -- COMMAND"),
        (["run", "ls", "-la"], "goes behind `--`"),
        (["run", "Fix the tests"], "--backend claude"),
        (["run", "--backend", "claude"], "say what claude shall do"),
        (["run", "--limit", "wal_s=1", "--", "x"], "did you mean wall_s"),
        (["run", "--limit", "wall_s=soon", "--", "x"], "takes a number"),
        (["run", "--limit", "wall_s=-1", "--", "x"], "--limit: "),
        (["run", "--secret", "A=b", "--", "x"], "takes a name only"),
        (["run", "--secret", "NOT_THERE", "--", "x"], "no variable NOT_THERE"),
        (["run", "--label", "x", "--", "x"], "NAME=VALUE"),
        (["run", "--script", "/nonexistent"], "cannot be read"),
        (["run", "--on-lost", "wiat", "--", "x"], "wait"),
        (["up", "--port", "x"], "--port"),
        (["up", "--lease", "3"], "--lease-s"),
        (["ps", "--server", "ftp://x"], "is not an address"),
        (["ps", "--server", "http://u:geheim@x"], "AGENTRUNNER_TOKEN"),
        (["ps", "--watch"], "terminal"),
        (["token", "create", "x", "--scope", "root"], "admin"),
        (["project", "create", "a/b"], "name"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_is_typed_wrongly_is_refused_in_one_line(cli: Cli, words: list[str], hint: str) -> None:
    """With exit code 2, what to do instead, and nothing on standard output."""
    done = cli(*words)
    assert done.returncode == 2, done
    assert hint.lower() in one_line(done.stderr).lower()
    assert "geheim" not in done.stderr
    assert done.stdout == ""


def test_no_server_is_exit_code_3_and_says_how_to_start_one(cli: Cli) -> None:
    """At once."""
    done = cli("ps", AGENTRUNNER_PORT="9")
    assert done.returncode == 3
    assert "agentrunner up" in one_line(done.stderr)


def test_a_server_that_died_is_exit_code_3(cli: Cli, server: Server) -> None:
    """Its socket is still there, so it is given a moment."""
    server.die()
    done = cli("ps")
    assert done.returncode == 3
    one_line(done.stderr)


@pytest.mark.parametrize("verb", ["show", "logs", "explain", "pause", "resume", "stop", "retry"])
def test_a_run_that_is_not_there_is_exit_code_4(cli: Cli, server: Server, verb: str) -> None:
    """In the server's words."""
    done = cli(verb, "77")
    assert done.returncode == 4
    assert "no run 77" in one_line(done.stderr)


@pytest.mark.parametrize("words", [["pause", "1"], ["stop", "1"], ["send", "1", "hello"]], ids=" ".join)
def test_what_is_not_possible_now_is_exit_code_5(
    cli: Cli, server: Server, contract: Contract, words: list[str]
) -> None:
    """In the server's words."""
    contract.finish(contract.add_run(), [])
    done = cli(*words)
    assert done.returncode == 5
    one_line(done.stderr)


@pytest.mark.parametrize(
    ("status", "code", "expected"), [(422, "invalid_field", 2), (401, "unauthorized", 1), (500, "internal", 1)]
)
def test_other_refusals(cli: Cli, server: Server, contract: Contract, status: int, code: str, expected: int) -> None:
    """One line each; an internal error carries the id that the log has."""
    contract.replies = [problem(status, code, "It went wrong.\x1b[2J")]
    done = cli("show", "1")
    assert done.returncode == expected
    assert "\x1b" not in one_line(done.stderr)
    assert ("req-1" in done.stderr) == (code == "internal")


def test_the_unexpected_is_one_line_and_says_how_to_see_more(cli: Cli, server: Server, data_dir: Path) -> None:
    """A bug is never a traceback, unless asked for."""
    broken = {"PYTHONPATH": str(data_dir)}
    (data_dir / "httpx.py").write_text("raise RuntimeError('boom')\n")
    done = cli("ps", **broken)
    assert done.returncode == 1
    assert "RuntimeError: boom. AGENTRUNNER_DEBUG=1 shows where" in one_line(done.stderr)
    assert "Traceback" in cli("ps", AGENTRUNNER_DEBUG="1", **broken).stderr


def test_a_reader_that_goes_is_no_error(environment: dict[str, str], server: Server, contract: Contract) -> None:
    """As with `| head -1`."""
    contract.finish(contract.add_run(), ["x" * 1000 for _ in range(500)])
    with running(["logs", "1"], environment) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        started.stdout.readline()
        started.stdout.close()
        assert started.stderr.read() == ""
        assert started.wait(20) == 141


@pytest.mark.parametrize(
    "words", [["ps"], ["show", "1"], ["explain", "1"], ["retry", "1"], ["config"], ["stop", "2"]], ids=" ".join
)
def test_json_is_one_document(cli: Cli, server: Server, contract: Contract, words: list[str]) -> None:
    """On standard output, nothing else there."""
    contract.finish(contract.add_run(), ["x"])
    contract.add_run()
    done = cli(*words, "--json")
    assert isinstance(json.loads(done.stdout), dict), done
