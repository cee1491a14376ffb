"""A link that signs a browser in, for the person at this terminal; and how a browser is given it."""

import http.client
import json
import os
import shutil
import socket
import subprocess
from html import escape
from pathlib import Path
from typing import NamedTuple

from agentrunner.app.address import SOCKET_NAME
from agentrunner.app.tokens import TOKEN_FILE
from agentrunner.config import Settings

PAGE_NAME = "login.html"
_WITHIN_S = 5.0
_OPENERS = ("xdg-open", "open", "wslview")
_PAGE = """<!doctype html>
<meta charset="utf-8"><title>Agent Runner</title><meta http-equiv="refresh" content="0;url={url}">
<a href="{url}">Agent Runner's console</a>
"""


class Link(NamedTuple):
    """Where to sign in, once."""

    url: str


class _Connection(http.client.HTTPConnection):
    """HTTP over the Unix socket: `up` is to stay small, and the client of the commands would double it."""

    def __init__(self, path: Path) -> None:
        super().__init__("agentrunner", timeout=_WITHIN_S)
        self._path = path

    def connect(self) -> None:
        """Connect; a socket's address has room for 107 bytes, so it is reached through its directory."""
        directory = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(_WITHIN_S)
            self.sock.connect(f"/proc/self/fd/{directory}/{self._path.name}")
        finally:
            os.close(directory)


def link(settings: Settings) -> Link | None:
    """A link from the server of the data directory; None where it gives none. Where no token is needed it signs nobody
    in: it only leads to the console.
    """
    connection = _Connection(settings.data_path / SOCKET_NAME)
    try:
        token = (settings.data_path / TOKEN_FILE).read_text("ascii").strip()
        connection.request("POST", "/v1/logins", headers={"authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 201:
            return None
        url = str(json.loads(content)["url"])
        return Link(url) if url.startswith("http") else None
    except (OSError, ValueError, KeyError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def open_page(settings: Settings, url: str) -> bool:
    """Open a browser at `url`; False where none can be started.

    It is given a file of mode 0600 that leads there: what is on its command line every user of this host can read.
    """
    opener = next((found for name in _OPENERS if (found := shutil.which(name))), None)
    if opener is None:
        return False
    page = settings.data_path / PAGE_NAME
    page.unlink(missing_ok=True)
    descriptor = os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(_PAGE.format(url=escape(url)))
    # Behind a shell that ends at once: a browser may stay for as long as its user does.
    behind = ["/bin/sh", "-c", '"$0" "$1" >/dev/null 2>&1 &', opener, page.as_uri()]
    return subprocess.run(behind, stdin=subprocess.DEVNULL, start_new_session=True, check=False).returncode == 0
