"""The installed wheel, its server and worker as real processes, and a browser; skipped where there is no browser."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from console import wheel
from console.browser import DESKTOP, Visit, chromium, found, visit
from console.site import Site
from e2e.processes import of_directory
from e2e.product import product

Visitor = Callable[..., AbstractContextManager[Visit]]


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel; the processes of one session share it."""
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    try:
        return wheel.installed(place / "wheel")
    except wheel.NoConsole as missing:
        pytest.skip(f"the console cannot be built here: {missing}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the tests of a file."""
    program = found()
    if program is None:
        pytest.skip("there is no Chromium: apt-get install chromium (as root) lets these tests run")
    with chromium(program) as launched:
        yield launched


@pytest.fixture(scope="module")
def site(browser: Browser, python: Path) -> Iterator[Site]:
    """Server and worker of the wheel, ready, for the tests of a file."""
    with product(grace_s=1, port=_free_port(), poll_max_s=1) as made:
        made.python = str(python)
        made.start("server")
        made.start("worker")
        made.wait_ready()
        yield Site(made)
    assert of_directory(made.data_dir) == []


@pytest.fixture(scope="module")
def visitor(browser: Browser, site: Site) -> Visitor:
    """Makes visits of the site that fail for a request to elsewhere, a broken policy or an error that nobody caught."""
    return partial(_blameless, browser, site.base)


@pytest.fixture
def guest(visitor: Visitor, site: Site) -> Iterator[Visit]:
    """Somebody who has signed in and looks at the list of runs."""
    with visitor() as made:
        made.sign_in(site.link())
        made.settle()
        # Its keys are there as soon as the bar at the bottom says so.
        expect(made.page.get_by_role("toolbar").get_by_role("button", name="New")).to_be_visible()
        yield made


@contextmanager
def _blameless(browser: Browser, base: str, size: tuple[int, int] = DESKTOP, dark: bool = False) -> Iterator[Visit]:
    with visit(browser, base, size, dark) as made:
        yield made
        assert made.faults == []


def _free_port() -> int:
    # A server that is started again has to listen where it was, so it cannot be the system's choice.
    with socket.create_server(("127.0.0.1", 0)) as trial:
        return int(trial.getsockname()[1])
