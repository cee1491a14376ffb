"""Finding programs."""

import os
from pathlib import Path

import pytest

from agentrunner.agents.program import ask_version, locate

HOST = {"PATH": os.environ["PATH"]}


def program(folder: Path, text: str) -> str:
    """An executable script."""
    path = folder / "tool"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_program_is_looked_up_in_the_path_it_is_given(tmp_path: Path) -> None:
    """Not in the path of this process."""
    path = program(tmp_path, "true")
    assert locate("tool", {"PATH": str(tmp_path)}) == path
    assert locate("tool", HOST) is None
    assert locate(path, {}) == path


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("echo 'tool 1.2.3 (beta)'", "1.2.3"),
        ("echo v0.9 >&2", "0.9"),
        ("echo hello", None),
        ("echo 1.2.3; exit 1", None),
    ],
)
def test_the_version_is_what_it_prints(tmp_path: Path, text: str, version: str | None) -> None:
    """On either stream, if it exits well."""
    assert ask_version([program(tmp_path, text)], HOST)[0] == version


def test_a_child_that_keeps_the_output_open_keeps_nobody_waiting(tmp_path: Path) -> None:
    """The answer counts when the program ends, not when its output does."""
    read, write = os.pipe()
    os.close(write)
    assert ask_version([program(tmp_path, "echo 1.0.0; (exec 3>&1; read x </dev/null) & exit 0")], HOST)[0] == "1.0.0"
    os.close(read)


def test_what_cannot_start_is_said() -> None:
    """The system's own words."""
    version, answer = ask_version(["/nonexistent/tool"], HOST)
    assert version is None
    assert "No such file" in answer
