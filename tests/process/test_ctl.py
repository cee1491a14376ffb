"""The shim's socket: what is refused, and that no client can harm the run."""

import os
import socket
from pathlib import Path

from agentrunner.process.adopt import RunDirectory
from process.given import Runs, fact, facts, output, tell
from process.link import ShimLink
from waiting import until


def connect(path: Path) -> socket.socket:
    """A bare connection."""
    directory = os.open(path, os.O_RDONLY)
    found = socket.socket(socket.AF_UNIX)
    # Connected before it gets a time-out: with one, a full queue is an error instead of a wait.
    found.connect(f"/proc/self/fd/{directory}/ctl")
    found.settimeout(5)
    os.close(directory)
    return found


def test_a_lower_epoch_is_refused(runs: Runs) -> None:
    """Once a newer worker has spoken, the older one is not obeyed."""
    directory = runs.start(["sleep", "60"])
    assert tell(directory, "status", epoch=5)["ok"]
    assert tell(directory, "stop", rev=1, epoch=4) == {"error": "stale_epoch", "epoch": 5}
    assert fact(directory, "signal") is None
    assert tell(directory, "stop", rev=1, grace_s=0, epoch=5)["ok"]
    until(directory.exit)


def test_nonsense_is_answered_and_harms_nothing(runs: Runs) -> None:
    """Not JSON, no object, unknown, incomplete: an error each."""
    directory = runs.start(["sleep", "60"])
    commands = (b'{"cmd":"dance","epoch":1}', b'{"cmd":"pause"}', b'{"cmd":"input","epoch":1}')
    with connect(directory.path) as client, client.makefile("rb") as answers:
        for line in (b"x", b"[]", b"\xff", *commands):
            client.sendall(line + b"\n")
            assert b"bad_command" in answers.readline()
    assert tell(directory, "status")["ok"]


def test_half_a_command_and_a_silent_client_block_nobody(runs: Runs) -> None:
    """Each client has its own buffers; more than sixteen cost the oldest its connection."""
    directory = runs.start(["sleep", "60"])
    clients = [connect(directory.path) for _ in range(20)]
    try:
        clients[-1].sendall(b'{"cmd":')
        assert tell(directory, "status")["ok"]
    finally:
        for client in clients:
            client.close()
    assert tell(directory, "status")["ok"]


def test_an_input_is_written_once(runs: Runs) -> None:
    """Journalled, delivered, and never again under the same id."""
    directory = runs.start(["cat"], stdin="pipe")
    assert tell(directory, "input", id=9, text="hello") == {"ok": True}
    until(lambda: fact(directory, "input_delivered"))
    assert tell(directory, "input", id=9, text="hello") == {"ok": True, "known": True}
    until(lambda: output(directory) == b"hello\n")
    tell(directory, "stop", rev=1, grace_s=0)
    record = until(directory.exit)
    assert record.sizes.out == len("hello\n")
    assert [found.name for found in facts(directory) if found.name.startswith("input")] == ["input", "input_delivered"]


def test_an_input_nobody_reads_waits_and_is_said_to_be_undelivered(runs: Runs) -> None:
    """The pipe takes some of it, the rest waits; at the end it was not delivered."""
    directory = runs.start(["sleep", "60"], stdin="pipe")
    assert tell(directory, "input", id=1, text="x" * 300_000) == {"ok": True}
    assert tell(directory, "input", id=2, text="x" * (3 << 20)) == {"ok": True}
    assert tell(directory, "input", id=3, text="x" * (2 << 20)) == {"ok": True, "refused": "full"}
    tell(directory, "stop", rev=1, grace_s=0)
    until(directory.exit)
    assert [found.fields["id"] for found in facts(directory) if found.name == "input_undelivered"] == [1, 2]


def test_no_input_without_a_pipe(runs: Runs) -> None:
    """Refused, and not journalled."""
    directory = runs.start(["sleep", "60"])
    assert tell(directory, "input", id=1, text="x") == {"ok": True, "refused": "no stdin"}
    assert fact(directory, "input") is None


def test_one_connection_serves_many_commands(runs: Runs) -> None:
    """As a worker uses it."""
    directory: RunDirectory = runs.start(["sleep", "60"])
    link = ShimLink(directory.path)
    try:
        assert all(link.send({"cmd": "status", "epoch": 1})["ok"] for _ in range(50))
    finally:
        link.close()
