"""`agentrunner exec`: the command runs as if nobody reported it, and is reported whole."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentrunner.cli.child import CHUNK, Lines
from e2e.product import BIN, Product, product
from waiting import until


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Product]:
    """A server without a worker; spools are kept apart."""
    with product() as made:
        made.environment["XDG_STATE_HOME"] = str(tmp_path)
        made.start("server")
        made.get("/ready")
        yield made


def test_output_and_exit_code_are_the_commands(served: Product) -> None:
    """Bytes as they are to whoever reads them, lines with their offsets to the server, secrets to nobody there."""
    served.environment["MY_TOKEN"] = "not-for-the-server"
    script = r"printf 'a\nb\377\n'; echo $MY_TOKEN; echo err >&2; printf rest; exit 7"
    done = subprocess.run(
        [BIN / "agentrunner", "exec", "--title", "t", "--label", "a=b", "--", "sh", "-c", script],
        env=served.environment, capture_output=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 7
    assert (done.stdout, done.stderr) == (b"a\nb\xff\nnot-for-the-server\nrest", b"err\n")
    run = served.run(1)
    assert (run["title"], run["labels"], run["status"]) == ("t", {"a": "b"}, "FAILED")
    assert run["message"] == "The command exited with 7."
    assert served.lines(1) == ["a", "b\\xff", "***", "rest"]
    assert served.lines(1, "stderr") == ["err"]
    assert served.events(1)[-1]["payload"]["exit_code"] == 7


def test_input_is_the_commands(served: Product) -> None:
    """It reads what we could read."""
    command = [BIN / "agentrunner", "exec", "--", "tr", "a", "b"]
    done = subprocess.run(command, env=served.environment, input="banana", capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, served.run(1)["status"]) == (0, "bbnbnb", "COMPLETED")


def test_a_command_that_is_not_there(served: Product) -> None:
    """127, as a shell says it; the run says so too."""
    done = served.command("exec", "--", "no-such-command")
    assert done.returncode == 127
    assert "cannot be started" in done.stderr
    assert "cannot be started" in served.run(1)["message"]


def test_a_command_that_is_killed(served: Product) -> None:
    """128 and the signal."""
    assert served.command("exec", "--", "sh", "-c", "kill -9 $$").returncode == 128 + 9
    assert served.run(1)["message"] == "The command was killed by signal 9."


def test_a_reader_that_leaves_ends_the_command(served: Product) -> None:
    """As in any pipeline."""
    script = f"{BIN / 'agentrunner'} exec -- yes | head -1"
    done = subprocess.run(["bash", "-c", script], env=served.environment, capture_output=True, text=True, timeout=30)
    assert done.stdout == "y\n"
    assert served.run(1)["status"] == "FAILED"


TREE = """
trap 'echo got it; exit 5' TERM
setsid sh -c 'trap "" TERM; echo $$ > %s; sleep 1000' &
while [ ! -s %s ]; do sleep 0.01; done
echo ready
while :; do sleep 0.02; done
"""


def test_signals_reach_the_tree_and_nothing_is_left(served: Product, tmp_path: Path) -> None:
    """The command ends as it wants to; what ignores the signal in a session of its own is killed behind it."""
    note = tmp_path / "pid"
    command = [str(BIN / "agentrunner"), "exec", "--", "sh", "-c", TREE % (note, note)]
    with subprocess.Popen(command, env=served.environment, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        hidden = int(note.read_text())
        os.kill(started.pid, signal.SIGTERM)
        assert started.stdout.read() == "got it\n"
        assert started.wait(20) == 5
    until(lambda: not Path(f"/proc/{hidden}").exists(), 10)
    assert served.lines(1) == ["ready", "got it"]


def test_without_a_server_the_command_runs_all_the_same(tmp_path: Path) -> None:
    """Its report is kept, and sent once there is one."""
    with product() as made:
        made.environment["XDG_STATE_HOME"] = str(tmp_path)
        done = made.command("exec", "--", sys.executable, "-c", "print('hello')")
        assert (done.returncode, done.stdout) == (0, "hello\n")
        assert "report --flush" in done.stderr
        made.start("server")
        made.get("/ready")
        flushed = made.command("report", "--flush")
        assert (flushed.returncode, flushed.stdout) == (0, "Reports of run 1 are delivered.\n")
        assert made.lines(1) == ["hello"]


def test_lines_are_cut_where_they_end() -> None:
    """Whatever the chunks; one without an end is passed on in pieces; offsets are those of the bytes."""
    lines = Lines()
    assert lines.feed(b"a\nb") == (0, ["a"])
    assert lines.feed(b"c\n\n") == (2, ["bc", ""])
    assert lines.feed(b"x" * CHUNK) == (6, ["x" * CHUNK])
    assert lines.feed(b"\xff") == (6 + CHUNK, [])
    assert lines.end() == (6 + CHUNK, ["\\xff"])
    assert lines.end() == (7 + CHUNK, [])
