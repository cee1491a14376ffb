"""Logs for machines, and for people at a terminal."""

import io
import json
import logging
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
    assert entry["timestamp"].endswith("Z")


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


def test_escaping_keeps_text() -> None:
    """Tabs, newlines and every letter stay."""
    assert escaped("tab\tline\nümlaut\x00\x7f") == "tab\tline\nümlaut\\x00\\x7f"
