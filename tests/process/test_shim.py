"""One agent from its start to its exit record."""

import json
import os
import resource

import pytest

from agentrunner.process.adopt import RunDirectory, State
from process.given import PYTHON, Runs, fact, facts, lines, tell
from process.link import ShimLink
from waiting import until

STDIO = pytest.mark.parametrize("stdio", ["pipe", "file"])


@STDIO
def test_facts_in_order(runs: Runs, stdio: str) -> None:
    """Started before any output, exited at the end, and the sizes of the exit record are final."""
    directory, record = runs.run(["sh", "-c", "echo out; echo err >&2; exit 3"], stdio=stdio)
    assert [found.name for found in facts(directory)] == ["started", "exited"]
    started, exited = facts(directory)
    assert (exited.at_out, exited.at_err) == (4, 4)
    if stdio == "pipe":
        assert started.at_out == 0
    assert (record.exit_code, record.signal, record.limit, record.step, record.stopped) == (3, None, None, None, False)
    assert record.sizes.journal == (directory.path / "journal").stat().st_size
    assert until(lambda: directory.state() is State.EXITED)


def test_a_signal_is_told_from_an_exit_code(runs: Runs) -> None:
    """Number and code never both."""
    _, record = runs.run(["sh", "-c", "kill -SEGV $$"])
    assert (record.exit_code, record.signal) == (None, 11)


def test_orphans_are_reaped_and_counted(runs: Runs) -> None:
    """What the agent leaves to nobody falls to its shim."""
    _, record = runs.run(["sh", "-c", "for i in 1 2 3; do (true &) ; done; sleep 0.2"])
    assert record.reaped == 3


def test_a_stop_behind_the_end_changes_nothing(runs: Runs) -> None:
    """The agent has ended by itself; a child that still writes is waited for, and a stop is no reason any more."""
    directory = runs.start(["sh", "-c", "(echo x; sleep 60) & sleep 0.1; exit 7"])
    agent = directory.proc()
    assert agent is not None
    until(lambda: not os.path.exists(f"/proc/{agent.pid}"))
    tell(directory, "stop", rev=1)
    record = until(directory.exit)
    assert (record.exit_code, record.stopped) == (7, False)


def test_a_pause_wished_again_is_answered_again(runs: Runs) -> None:
    """Facts carry the revision that they answer."""
    directory = runs.start(["sleep", "60"])
    for rev in (1, 2):
        tell(directory, "pause", rev=rev)
    tell(directory, "resume", rev=3)
    tell(directory, "resume", rev=4)
    found = [(entry.name, entry.fields["rev"]) for entry in facts(directory) if "rev" in entry.fields]
    assert found == [("paused", 1), ("paused", 2), ("resumed", 3), ("resumed", 4)]


def test_a_cap_and_a_wish_are_two_causes(runs: Runs) -> None:
    """The tree thaws when none is left; only the wish is a pause."""
    script = "while :; do head -c 1000000 /dev/zero; sleep 0.01; done"
    directory = runs.start(["sh", "-c", script], stdio="file", spool_cap_bytes=8 << 20)
    until(lambda: limits_said(directory) == 1)
    tell(directory, "pause", rev=1)
    size = os.stat(directory.path / "out").st_size
    tell(directory, "recorded", out=size, err=0)
    assert tell(directory, "status")["frozen"]
    tell(directory, "resume", rev=2)
    until(lambda: os.stat(directory.path / "out").st_size > size and tell(directory, "status")["frozen"])
    tell(directory, "pause", rev=3)
    tell(directory, "resume", rev=4)
    assert tell(directory, "status")["frozen"]
    tell(directory, "recorded", out=os.stat(directory.path / "out").st_size, err=0)
    assert not tell(directory, "status")["frozen"]


def limits_said(directory: RunDirectory) -> int:
    """How often a journal says something of a limit."""
    return [found.name for found in facts(directory)].count("limit")


def test_a_shim_without_descriptors_lives_on(runs: Runs) -> None:
    """Clients that cannot be accepted are waited for, and the run is not harmed."""
    directory = runs.start(["sh", "-c", "echo x; exec sleep 60"])
    proc = directory.proc()
    assert proc is not None
    soft = len(os.listdir(f"/proc/{proc.shim_pid}/fd"))
    before = resource.prlimit(proc.shim_pid, resource.RLIMIT_NOFILE)
    resource.prlimit(proc.shim_pid, resource.RLIMIT_NOFILE, (soft, before[1]))
    link = ShimLink(directory.path, timeout_s=0.2)
    with pytest.raises(OSError, match=r".*"):
        link.send({"cmd": "status", "epoch": 1})
    link.close()
    resource.prlimit(proc.shim_pid, resource.RLIMIT_NOFILE, before)
    assert tell(directory, "status")["ok"]
    assert fact(directory, "exited") is None


def test_the_environment_is_the_specs(runs: Runs) -> None:
    """And the mark, nothing else."""
    directory, _ = runs.run(
        [*PYTHON, "import os, json; print(json.dumps(dict(os.environ)))"], env={"A": "1", "LC_CTYPE": "C.UTF-8"}
    )
    found = json.loads(lines(directory)[0])
    assert found == {"A": "1", "LC_CTYPE": "C.UTF-8", "AGENTRUNNER_ATTEMPT": f"{runs.instance}/{directory.path.name}"}
