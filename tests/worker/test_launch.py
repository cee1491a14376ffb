"""From an assignment to what the shim is told to execute."""

import asyncio
import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentrunner.agents.base import Command
from agentrunner.agents.command import CommandBackend
from agentrunner.app.work import options
from agentrunner.config import load
from agentrunner.domain.control import Assignment
from agentrunner.domain.errors import BackendMissing, BadOptions, WorkspaceError
from agentrunner.domain.run import Limits
from agentrunner.domain.state import OnLost, Reason
from agentrunner.process.launch import ZygoteLink
from agentrunner.worker import identity
from agentrunner.worker.hints import Hints
from agentrunner.worker.host import Host
from agentrunner.worker.launch import launch, plan, reason_of
from agentrunner.worker.lease import Lease
from worker.given import assignment

ENVIRONMENT = {
    "PATH": "/bin",
    "HOME": "/home/me",
    "LC_ALL": "C",
    "AGENTRUNNER_TOKEN": "the-workers-token",
    "AGENTRUNNER_DATABASE_URL": "postgresql://secret",
    "AWS_SECRET_ACCESS_KEY": "not-for-agents",
    "EXTRA": "passed",
}


class Refusing(ZygoteLink):
    """A zygote that cannot be had."""

    def spawn(self, directory: Path) -> int:
        """Never."""
        raise OSError("no zygote")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """What executions share, of a worker with an environment full of secrets."""
    settings = load({}, {"data_dir": str(tmp_path), "pass_env": "EXTRA", "grace_s": 3.0, "spool_cap_mb": 2})
    me = identity.take(tmp_path)

    async def make() -> Host:
        hints = Hints()
        hints.close()
        given = replace(options(settings), environment=ENVIRONMENT)
        return Host("instance", me, given, Lease(100.0, 15.0), hints, Refusing(tmp_path))

    yield asyncio.run(make())
    me.release()


def test_the_spec_says_everything(host: Host) -> None:
    """Who, what, where, and within which limits."""
    limits = Limits(wall_s=5, idle_s=4, start_s=3, output_mb=1.5)
    made = plan(host, assignment(goal="do it", limits=limits, options={"argv": ["ls", "-l"]}), CommandBackend())
    assert (made.instance, made.uid, made.run, made.attempt, made.epoch) == ("instance", "0123456789abcdef", 7, 1, 3)
    assert (made.argv, made.stdio, made.stdin) == (["ls", "-l"], "pipe", "null")
    assert (made.wall_s, made.idle_s, made.start_s, made.output_bytes) == (5, 4, 3, 1_572_864)
    assert (made.grace_s, made.spool_cap_bytes) == (3.0, 2 << 20)
    assert made.cwd == str(host.options.state_dir / "workspaces" / "7")
    assert made.deadline is None


@pytest.mark.parametrize("on_lost", [OnLost.FAIL, OnLost.RETRY])
def test_a_run_that_does_not_wait_begins_with_the_lease(host: Host, on_lost: OnLost) -> None:
    """Not with a lease of its own: the server counts from the last sign of life."""
    assert plan(host, assignment(on_lost=on_lost), CommandBackend()).deadline == pytest.approx(112.0)


def test_an_agent_gets_nothing_of_the_workers(host: Host) -> None:
    """An allow-list and what is asked for; never the worker's token or the database."""
    given = {"argv": ["env"], "env": {"MINE": "1", "PATH": "/mine"}}
    env = plan(host, assignment(options=given, secrets={"API_KEY": "s3cret-s3cret"}), CommandBackend()).env
    assert (env["PATH"], env["MINE"], env["EXTRA"], env["API_KEY"]) == ("/mine", "1", "passed", "s3cret-s3cret")
    assert (env["AGENTRUNNER_RUN_ID"], env["AGENTRUNNER_ATTEMPT_NUMBER"]) == ("7", "1")
    assert "the-workers-token" not in env.values()
    assert not {"AGENTRUNNER_TOKEN", "AGENTRUNNER_DATABASE_URL", "AWS_SECRET_ACCESS_KEY"} & env.keys()


@pytest.mark.parametrize(
    ("given", "told"),
    [({}, "run.id=7"), ({"team": "a"}, "team=a,run.id=7"), ({"run.id": "mine"}, "run.id=mine")],
    ids=["none", "others", "its own"],
)
def test_telemetry_tells_the_run(host: Host, given: dict[str, str], told: str) -> None:
    """An agent's telemetry is known for its run's without anybody setting it up."""
    env = {"OTEL_RESOURCE_ATTRIBUTES": ",".join(f"{name}={value}" for name, value in given.items())}
    made = plan(host, assignment(options={"argv": ["env"], "env": env}), CommandBackend())
    assert made.env["OTEL_RESOURCE_ATTRIBUTES"] == told


def test_secrets_are_known_to_the_redaction(host: Host) -> None:
    """Those of the run, and whatever is named like one."""
    given = {"argv": ["env"], "env": {"MY_TOKEN": "token-token-token", "PLAIN": "plain"}}
    made = plan(host, assignment(options=given, secrets={"X": "s3cret-s3cret"}), CommandBackend())
    assert {"token-token-token", "s3cret-s3cret"} <= set(made.secrets)
    assert "plain" not in made.secrets


async def test_the_directory_is_there_although_no_zygote_is(host: Host) -> None:
    """The start gate decides what became of it; what lies in it is for this user alone."""
    directory = await launch(host, assignment(secrets={"X": "s3cret-s3cret"}), CommandBackend())
    assert directory.path == host.runs / "0123456789abcdef"
    assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700
    spec = directory.path / "spec.json"
    assert stat.S_IMODE(spec.stat().st_mode) == 0o600
    assert json.loads(spec.read_bytes())["secrets"] == ["s3cret-s3cret"]
    again = await launch(host, assignment(), CommandBackend())
    assert again.path.name == "0123456789abcdef.2"


class Missing(CommandBackend):
    """A backend whose program is not installed."""

    def command(self, assignment: Assignment, environment: Any, directory: Path) -> Command:
        """Never."""
        raise BackendMissing


async def test_what_cannot_start_leaves_no_directory(host: Host) -> None:
    """A reason for each, and nothing on disk that would look like a start."""
    for given, backend, kind, reason in (
        (assignment(options={"argv": []}), CommandBackend(), BadOptions, Reason.BAD_CONFIG),
        (assignment(project_path="/nowhere"), CommandBackend(), WorkspaceError, Reason.WORKSPACE_ERROR),
        (assignment(), Missing(), BackendMissing, Reason.BACKEND_MISSING),
    ):
        with pytest.raises(kind) as caught:
            await launch(host, given, backend)
        assert reason_of(caught.value) is reason
    assert not host.runs.exists()
