"""No page breaks WCAG 2.2 AA: light and dark, at desktop and at phone width, with real runs in it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from console import axe
from console.browser import Visit
from console.conftest import Visitor
from console.site import Site

PAGES = [
    "/inbox",
    "/runs",
    "/runs?q=status%3Afailed",
    "/runs/new",
    "/dashboard",
    "/agents",
    "/workers",
    "/projects",
    "/settings",
]
VIEWS = ["timeline", "terminal", "trace", "io", "raw"]


@pytest.fixture(scope="module")
def runs(site: Site) -> dict[str, int]:
    """One run of each kind that pages show differently."""
    made = {
        "finished": site.shell("echo one; printf '\\033[31mred\\033[0m\\n'; echo oops >&2"),
        "failed": site.shell("echo broken; exit 3"),
        "running": site.shell("echo on; exec sleep 300"),
    }
    site.product.wait(made["finished"], "COMPLETED")
    site.product.wait(made["failed"], "FAILED")
    site.product.wait(made["running"], "RUNNING")
    return made


@pytest.fixture(scope="module")
def seated(visitor: Visitor, site: Site, runs: dict[str, int]) -> Iterator[Visit]:
    """Somebody who has signed in."""
    with visitor() as made:
        made.sign_in(site.link())
        yield made


@pytest.mark.parametrize("path", PAGES)
def test_pages(seated: Visit, path: str) -> None:
    """Every page of the menu."""
    seated.open(path)
    seated.settle()
    assert "\n".join(axe.in_every_look(seated.page)) == ""


@pytest.mark.parametrize("view", VIEWS)
def test_views_of_a_run(seated: Visit, runs: dict[str, int], view: str) -> None:
    """Every tab of a run that has ended."""
    seated.open(f"/runs/{runs['finished']}?view={view}")
    seated.settle()
    assert "\n".join(axe.in_every_look(seated.page)) == ""


@pytest.mark.parametrize("path", ["/runs/999999", "/no/such/page"])
def test_what_is_not_there(seated: Visit, path: str) -> None:
    """Pages that say so."""
    seated.open(path)
    seated.settle()
    assert "\n".join(axe.in_every_look(seated.page)) == ""


def test_a_running_run(seated: Visit, runs: dict[str, int]) -> None:
    """With its controls."""
    seated.open(f"/runs/{runs['running']}")
    expect(seated.page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    assert "\n".join(axe.in_every_look(seated.page)) == ""


def test_the_sign_in_form(visitor: Visitor) -> None:
    """Before anybody has signed in."""
    with visitor() as made:
        made.open("/runs")
        expect(made.page.get_by_role("button", name="Sign in")).to_be_visible()
        assert "\n".join(axe.in_every_look(made.page)) == ""
