"""The link that `up` and `agentrunner login` give: to a person, never to a log or a command line."""

import os
import pty
import re
import stat
import subprocess
from pathlib import Path

import httpx

from agentrunner.app.login import PAGE_NAME, link, open_page
from agentrunner.config import load
from e2e.product import BIN, Product
from waiting import until

VISIT = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
LINK = re.compile(r"http://127\.0\.0\.1:\d+/console/login\?code=ar_[\w-]{43}")


def test_the_log_of_up_has_no_link(fresh: Product) -> None:
    """What is not a terminal may be a journal: it is told the command instead, whose link signs in once."""
    fresh.up()
    fresh.wait_ready()
    until(lambda: "agentrunner login" in fresh.log(), 20)
    url = fresh.command("login").stdout.strip()
    assert LINK.fullmatch(url)
    code = url.partition("=")[2]
    with httpx.Client() as browser:
        assert browser.get(url, headers=VISIT).headers["location"] == "/console/"
        assert browser.get(url.partition("/console")[0] + "/v1/runs").status_code == 200
    assert fresh.command("login", "--scope", "read", "--json").stdout.count("code") == 2
    assert code not in fresh.log()
    assert "code=" not in fresh.log()
    found = link(load({}, {"data_dir": str(fresh.data_dir)}))
    assert found is not None
    assert LINK.fullmatch(found.url)


def test_up_shows_a_person_the_link(tmp_path: Path) -> None:
    """On a terminal it is one line."""
    leader, follower = pty.openpty()
    argv = [str(BIN / "agentrunner"), "up", "--port", "0", "--disable-worker", "--data-dir", str(tmp_path / "data")]
    process = subprocess.Popen(argv, stderr=follower, stdout=follower, stdin=follower, start_new_session=True)
    os.close(follower)
    os.set_blocking(leader, False)
    shown = bytearray()

    def found() -> bool:
        try:
            shown.extend(os.read(leader, 65536))
        except BlockingIOError:
            return False
        return b"In another terminal" in shown and LINK.search(shown.decode()) is not None

    try:
        until(found, 30, 0.05)
    finally:
        process.terminate()
        process.wait(20)
        os.close(leader)


def test_without_a_server_there_is_no_link(tmp_path: Path) -> None:
    """Neither where nothing was ever started, nor where nobody answers."""
    settings = load({}, {"data_dir": str(tmp_path)})
    assert link(settings) is None
    (tmp_path / "token").write_text("ar_x")
    assert link(settings) is None


def test_the_browser_is_given_a_private_file(tmp_path: Path) -> None:
    """On the browser's command line is only the file's name; where there is no browser, that is said."""
    opener, seen = tmp_path / "bin" / "xdg-open", tmp_path / "seen"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\nprintf %s "$*" > {seen}.part && mv {seen}.part {seen}\n')
    opener.chmod(0o755)
    settings = load({}, {"data_dir": str(tmp_path)})
    before = os.environ["PATH"]
    try:
        os.environ["PATH"] = str(opener.parent)
        os.environ["PATH"] += ":/bin:/usr/bin"
        assert open_page(settings, "http://127.0.0.1:1/console/login?code=ar_secret")
        until(seen.exists, 10)
        os.environ["PATH"] = str(tmp_path / "empty")
        assert not open_page(settings, "http://127.0.0.1:1/")
    finally:
        os.environ["PATH"] = before
    page = tmp_path / PAGE_NAME
    assert seen.read_text() == page.as_uri()
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert "url=http://127.0.0.1:1/console/login?code=ar_secret" in page.read_text()
