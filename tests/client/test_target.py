"""Finding the server and the token."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from agentrunner.client.target import Target, find
from agentrunner.config import BadSetting, load
from agentrunner.domain.errors import ConfigurationError


def found(data_dir: Path, **overrides: Any) -> Target:
    """What is found from these settings."""
    return find(load({}, {"data_dir": str(data_dir), **overrides}))


def test_the_socket_of_the_data_directory_is_preferred(data_dir: Path) -> None:
    """With the token that lies beside it."""
    (data_dir / "token").write_text("ar_x\n")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(data_dir / "agentrunner.sock"))
    assert found(data_dir) == Target("http://agentrunner", data_dir / "agentrunner.sock", "ar_x")


def test_without_a_socket_the_usual_address_is_a_guess(data_dir: Path) -> None:
    """The port of the settings, or the usual one where that says any; whoever listens there does not get the token."""
    (data_dir / "token").write_text("ar_x")
    assert found(data_dir) == Target("http://127.0.0.1:8787", is_guess=True)
    assert found(data_dir, token="ar_given").token == "ar_given"
    assert found(data_dir, port=9000, host="::1").url == "http://[::1]:9000"
    assert found(data_dir, port=0, host="0.0.0.0").url == "http://127.0.0.1:8787"


def test_a_given_address_wins(data_dir: Path) -> None:
    """Over the socket, without its last slash; `unix:` names a socket."""
    (data_dir / "agentrunner.sock").touch()
    assert found(data_dir, server_url="http://localhost:1/").url == "http://localhost:1"
    assert found(data_dir, server_url="unix:/run/x.sock").socket == Path("/run/x.sock")


@pytest.mark.parametrize("url", ["http://example.org:8787", "https://10.0.0.1", "http://localhost.example.org"])
def test_the_local_token_is_never_sent_elsewhere(data_dir: Path, url: str) -> None:
    """A server on another host gets the token that was set for it, or none."""
    (data_dir / "token").write_text("ar_local")
    assert found(data_dir, server_url=url).token is None
    assert found(data_dir, server_url=url, token="ar_given").token == "ar_given"
    assert found(data_dir, server_url="http://127.0.0.1:1").token == "ar_local"


@pytest.mark.parametrize(
    "url", ["example.org", "ftp://x", "http://", "http://x:99999", "http://x/?a=1", "http://u:secret@x", "http://[x"]
)
def test_what_is_no_address_is_refused(data_dir: Path, url: str) -> None:
    """In words, and without repeating a password."""
    with pytest.raises(BadSetting) as caught:
        found(data_dir, server_url=url)
    assert "secret" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_token_is_said(data_dir: Path) -> None:
    """Rather than sent away."""
    (data_dir / "token").touch(0)
    with pytest.raises(ConfigurationError, match="AGENTRUNNER_TOKEN"):
        found(data_dir, server_url="http://localhost:1")


def test_a_broken_token_file_is_said(data_dir: Path) -> None:
    """A file that is no text is no token."""
    (data_dir / "token").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="AGENTRUNNER_TOKEN"):
        found(data_dir, server_url="http://localhost:1")
