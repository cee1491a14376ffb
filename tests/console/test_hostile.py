"""What an agent prints is text to the console, whatever it looks like."""

import sys

import pytest
from playwright.sync_api import expect

from console.browser import Visit
from console.site import Site

MARKUP = "<script>window.owned = 1</script><img src=x onerror='window.owned = 2'>"
CLIPBOARD = "\x1b]52;c;b3duZWQ=\x07after the clipboard"
TURNED = "before\u202eturned"
LONG = 200_000
BLOB = 5 * 1024 * 1024
VIEWS = ("timeline", "terminal", "raw")


@pytest.fixture(scope="module")
def run(site: Site) -> int:
    """A run that prints all of it, and whose title is as bad."""
    program = (
        "import sys\n"
        f"print({MARKUP!r}); print({CLIPBOARD!r}); print({TURNED!r})\n"
        f"print('L' * {LONG}); print('data:image/png;base64,' + 'QUJD' * {BLOB // 4})\n"
        "print('the last line')\n"
    )
    environment = {"PYTHONIOENCODING": "utf-8"}
    options = {"argv": [sys.executable, "-c", program], "env": environment}
    made = site.product.create("command", title=f"{MARKUP}{TURNED}", options=options, metadata={"note": MARKUP})
    site.product.wait(made, "COMPLETED")
    return made


@pytest.mark.parametrize("view", VIEWS)
def test_it_is_shown_as_text(guest: Visit, run: int, view: str) -> None:
    """Markup stays text, nothing of it becomes an element or runs, and the end of the output is there."""
    guest.page.evaluate("navigator.clipboard.writeText('untouched')")
    guest.open(f"/runs/{run}?view={view}")
    main = guest.page.get_by_role("main")
    expect(main.get_by_text("<script>window.owned").first).to_be_visible()
    expect(main.get_by_text("the last line").first).to_be_attached()
    assert guest.page.evaluate("window.owned") is None
    assert guest.page.locator("main script, main img, body > script:not([src])").count() == 0
    shown = main.inner_text()
    assert "\u202e" not in shown
    assert "\x1b" not in shown
    assert guest.page.evaluate("navigator.clipboard.readText()") == "untouched"


def test_the_list_shows_a_hostile_title(guest: Visit, run: int) -> None:
    """The list of runs, and the tab's own title."""
    expect(guest.page.get_by_role("main").get_by_text("<script>window.owned").first).to_be_visible()
    assert guest.page.evaluate("window.owned") is None
    assert "\u202e" not in guest.page.get_by_role("main").inner_text() + guest.page.title()


def test_a_large_payload_does_not_stop_the_page(guest: Visit, run: int) -> None:
    """The page of a run with five megabytes in one line answers a key within a second."""
    guest.open(f"/runs/{run}?view=timeline")
    expect(guest.page.get_by_text("the last line").first).to_be_attached()
    taken = guest.page.evaluate(
        """() => new Promise((answer) => {
            const begun = performance.now()
            requestAnimationFrame(() => setTimeout(() => answer(performance.now() - begun)))
        })"""
    )
    assert taken < 1000
    assert guest.page.evaluate("document.body.innerText.length") < LONG
