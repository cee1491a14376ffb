"""Ways into the console, and out again."""

import pytest
from playwright.sync_api import expect

from console.browser import Visit
from console.conftest import Visitor
from console.site import Site


def navigation(visit: Visit) -> None:
    """Wait until somebody is in."""
    expect(visit.page.get_by_role("navigation").first).to_be_visible()


def test_by_a_link_that_is_good_once(visitor: Visitor, site: Site) -> None:
    """The link signs in one browser; the next one is told that it was used. No script can read what was given."""
    link = site.link()
    with visitor() as first:
        first.page.goto(link)
        navigation(first)
        assert "code=" not in first.page.url
        assert first.page.evaluate("document.cookie") == ""
        assert first.page.evaluate("JSON.stringify([localStorage, sessionStorage])").count("ar_") == 0
    with visitor() as second:
        second.page.goto(link)
        expect(second.page.get_by_role("alert").filter(has_text="used")).to_be_visible()


def test_by_a_token(visitor: Visitor, site: Site) -> None:
    """A wrong one is refused in words, the right one opens the page that was asked for, and it outlives a reload."""
    with visitor() as visit:
        visit.open("/workers")
        field, button = visit.page.locator("input[type=password]"), visit.page.get_by_role("button", name="Sign in")
        field.fill("ar_wrong")
        button.click()
        expect(visit.page.get_by_role("alert").filter(has_text="oken")).to_be_visible()
        field.fill(site.token)
        button.click()
        navigation(visit)
        assert visit.page.url.endswith("/workers")
        visit.page.reload()
        navigation(visit)


def test_a_session_that_is_ended_elsewhere(guest: Visit, site: Site) -> None:
    """Whoever ends a session closes the console: the next page asks to sign in."""
    for session in site.product.get("/v1/sessions")["items"]:
        assert site.product.ask("DELETE", f"/v1/sessions/{session['id']}").status_code == 204
    guest.page.reload()
    expect(guest.page.get_by_role("button", name="Sign in")).to_be_visible()


@pytest.mark.parametrize("path", ["/", "/console"])
def test_short_addresses(visitor: Visitor, site: Site, path: str) -> None:
    """Where people arrive who type the host alone."""
    with visitor() as visit:
        visit.page.goto(site.base + path)
        expect(visit.page.get_by_role("button", name="Sign in")).to_be_visible()
