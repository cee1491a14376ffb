"""Logs for machines, and for people at a terminal."""

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog

from agentrunner.app.logs import configure, escaped
from agentrunner.config import load

EVIL = "\x1b]0;owned\x07 \x9b2J line\r\nnext"


class Terminal(io.StringIO):
    """A stream that says that a person reads it."""

    def isatty(self) -> bool:
        """Yes."""
        return True


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """The logging of the tests is as before."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def test_one_json_object_a_line() -> None:
    """Each with its time, its level and the part that wrote it; what came from elsewhere cannot break the line."""
    stream = io.StringIO()
    configure(load({}, {"log_level": "info"}), "worker", stream)
    structlog.get_logger().info("something", detail=EVIL)
    structlog.get_logger().debug("too fine")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    entry = json.loads(lines[0])
    assert (entry["event"], entry["part"], entry["level"], entry["detail"]) == ("something", "worker", "info", EVIL)
    assert entry["ts"].endswith("Z")


def test_nothing_commands_a_terminal() -> None:
    """Escape sequences in what agents and other packages wrote are shown, not obeyed."""
    stream = Terminal()
    configure(load({}, {}), "server", stream)
    structlog.get_logger().warning("something", detail=EVIL, count=3)
    logging.getLogger("elsewhere").warning("foreign %s", EVIL)
    text = stream.getvalue().replace("\x1b[", "")
    assert "something" in text
    assert "foreign" in text
    assert not {"\x07", "\x9b", "\r"} & set(text)
    assert "\x1b]" not in stream.getvalue()
    assert r"\x1b]0;owned\x07" in text


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["file", "terminal"])
def test_a_traceback_shows_no_values(stream: io.StringIO) -> None:
    """Variables hold secrets: where it failed is enough."""
    configure(load({}, {}), "worker", stream)
    secret = "-".join(["hunter", "two", "three"])
    try:
        fail(secret)
    except ValueError:
        structlog.get_logger().exception("failed")
    assert "in fail" in stream.getvalue()
    assert "hunter-two" not in stream.getvalue()


def fail(secret: str) -> None:
    """With a secret in a variable."""
    copy = secret
    raise ValueError(len(copy))


def test_lines_of_others_are_objects_too() -> None:
    """Another package's record with its traceback is one line, with the same fields."""
    stream = io.StringIO()
    configure(load({}, {}), "server", stream)
    try:
        fail("secret")
    except ValueError:
        logging.getLogger("elsewhere").exception("foreign %s", EVIL)
    (text,) = stream.getvalue().splitlines()
    entry = json.loads(text)
    assert (entry["event"], entry["level"], entry["part"], entry["logger"]) == (
        f"foreign {EVIL}",
        "error",
        "server",
        "elsewhere",
    )
    assert entry["ts"].endswith("Z")
    assert "in fail" in entry["exception"]


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["file", "terminal"])
def test_tokens_are_masked_wherever_they_stand(stream: io.StringIO) -> None:
    """In an address, in a text, in a traceback, in a line of another package."""
    configure(load({}, {}), "server", stream)
    token = "ar_" + "A1b2C3d4E5f6" * 3
    try:
        raise ValueError(f"no such thing: {token}")
    except ValueError:
        structlog.get_logger().exception("request failed", path=f"/v1/runs/{token}?x={token}")
        logging.getLogger("elsewhere").exception("Bearer %s", token)
    assert token not in stream.getvalue()
    assert stream.getvalue().count("ar_***") == 5


def test_what_python_says_itself_is_an_object() -> None:
    """A warning, an error in a thread, and the one that ends the process; in a process of its own."""
    program = """
import threading, warnings
from agentrunner.app.logs import catch_all, configure
from agentrunner.config import load
configure(load({}, {}), "worker")
catch_all()
warnings.warn("old\x1b[2J")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
raise RuntimeError("the end")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    entries = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 1
    assert [entry["level"] for entry in entries] == ["warning", "critical", "critical"]
    assert {entry["part"] for entry in entries} == {"worker"}
    assert "ZeroDivisionError" in entries[1]["exception"]
    assert "the end" in entries[2]["exception"]


def test_escaping_keeps_text() -> None:
    """Tabs, newlines and every letter stay."""
    assert escaped("tab\tline\nümlaut\x00\x7f") == "tab\tline\nümlaut\\x00\\x7f"


def test_a_full_disk_ends_nobody() -> None:
    """A log that cannot be written is left out: the process whose log it is goes on."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    with open(descriptor, "w", buffering=1, closefd=False) as stream:
        with pytest.raises(OSError, match="No space left"):
            print("to see that it is full", file=stream, flush=True)
        configure(load({}, {}), "server", stream)
        structlog.get_logger().error("something")
        with contextlib.suppress(OSError):
            stream.close()
    os.close(descriptor)
