"""What people come for: create a run, watch it, pause it, go on, stop it; alone, by keyboard, in several tabs."""

import re
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from console.browser import Visit
from console.site import Site, newest, streams, ticks
from e2e.processes import agents
from waiting import until

SCRIPT = "i=0; while :; do i=$((i+1)); printf 'tick %04d\\n' $i; sleep 0.1; done"
STOPS = 60
# What surrounds a hidden radio button may show its focus.
_FOCUS = """() => {
    const own = document.activeElement
    const isDrawn = ({ outlineStyle, outlineWidth }) => outlineStyle !== 'none' && parseFloat(outlineWidth) > 0
    const around = [own, own.closest('label'), own.parentElement].filter(Boolean).map((each) => getComputedStyle(each))
    return own.matches(':focus-visible') && (around.some(isDrawn) || getComputedStyle(own).boxShadow !== 'none')
}"""


def state(page: Page, word: str) -> None:
    """Wait until the run's header says this state."""
    expect(page.get_by_role("main").get_by_text(word, exact=True).first).to_be_visible()


def run_of(page: Page) -> int:
    """The number of the run whose page is shown."""
    expect(page).to_have_url(re.compile(r"/runs/\d+"))
    return int(re.findall(r"/runs/(\d+)", page.url)[-1])


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the focus is on something with this name; every stop on the way shows that it is one."""
    for _ in range(STOPS):
        page.keyboard.press("Tab")
        assert page.evaluate(_FOCUS), f"the focus does not show: {page.evaluate('document.activeElement.outerHTML')}"
        label = page.locator(":focus").aria_snapshot()
        if name in label:
            return
    raise AssertionError(f"{name} is not reached in {STOPS} stops; the last was {label}")


def test_create_watch_pause_resume_stop(guest: Visit, site: Site) -> None:
    """Each step is seen in the page, and true: the process stands while the page says so, and is gone at the end."""
    page = guest.page
    page.get_by_role("link", name="New run").first.click()
    page.get_by_role("checkbox", name=re.compile("shell")).check()
    page.get_by_role("textbox", name=re.compile("command line|shell script", re.IGNORECASE)).first.fill(SCRIPT)
    page.get_by_role("button", name="Start run").click()
    run = run_of(page)
    state(page, "Running")
    page.get_by_role("tab", name="Terminal").click()
    until(lambda: max(ticks(page), default=0) >= 5, 15, 0.02)
    page.get_by_role("button", name="Pause", exact=True).click()
    state(page, "Paused")
    assert site.product.run(run)["status"] == "PAUSED"
    stood = newest(site, run)
    until(lambda: max(ticks(page)) == stood, 10, 0.02)
    page.get_by_role("button", name="Resume", exact=True).click()
    state(page, "Running")
    until(lambda: max(ticks(page)) > stood, 15, 0.02)
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^Stop")).click()
    state(page, "Stopped")
    assert site.product.wait(run, "STOPPED")["status"] == "STOPPED"
    assert not [agent for agent in agents(site.product.data_dir) if "tick" in agent.command]
    assert ticks(page)[-1] == newest(site, run)


def test_with_the_keyboard_alone(guest: Visit, site: Site) -> None:
    """No pointer from the first page to the last; wherever the focus goes, it is seen."""
    page, keys = guest.page, guest.page.keyboard
    keys.press("c")
    expect(page.get_by_role("heading", name="New run")).to_be_visible()
    tab_to(page, "shell")
    keys.press("Space")
    page.keyboard.press("Shift+Tab")
    keys.type(SCRIPT)
    tab_to(page, "Start run")
    keys.press("Enter")
    run = run_of(page)
    state(page, "Running")
    keys.press("p")
    state(page, "Paused")
    keys.press("p")
    state(page, "Running")
    keys.press("s")
    expect(page.get_by_role("dialog")).to_be_visible()
    keys.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    keys.press("s")
    tab_to(page, 'button "Stop')
    keys.press("Enter")
    state(page, "Stopped")
    keys.press("Escape")
    expect(page.get_by_role("grid", name="Runs")).to_be_visible()
    keys.press("/")
    keys.type("status:stopped")
    keys.press("Enter")
    expect(page).to_have_url(re.compile("q=status"))
    keys.press("Escape")
    expect(page.get_by_role("link", name=re.compile("tick")).first).to_be_visible()
    keys.press("j")
    keys.press("Enter")
    assert run_of(page) == run


def test_every_place_has_a_key(guest: Visit) -> None:
    """Two keys lead to each page, the palette leads anywhere, the help says which keys there are."""
    page, keys = guest.page, guest.page.keyboard
    for second, title in {"i": "Inbox", "d": "Dashboard", "a": "Agents", "w": "Workers", "r": "Runs"}.items():
        keys.press("g")
        keys.press(second)
        expect(page.get_by_role("heading", name=title, level=1)).to_be_attached()
    keys.press("Control+k")
    palette = page.get_by_role("dialog")
    expect(palette).to_be_visible()
    keys.type("settings")
    chosen = palette.get_by_role("option", selected=True)
    for _ in range(palette.get_by_role("option").count()):
        if "Go to Settings" in chosen.inner_text():
            break
        keys.press("ArrowDown")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Settings", level=1)).to_be_attached()
    keys.press("?")
    expect(page.get_by_role("dialog").get_by_text("Ctrl").first).to_be_visible()
    keys.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_many_tabs_share_one_stream(guest: Visit, site: Site) -> None:
    """Six connections to a host are all that a browser has: lists in four tabs take one of them, and all are live."""
    pages = [guest.page]
    for _ in range(3):
        page = guest.context.new_page()
        guest.watch(page)
        page.goto(f"{guest.base}/console/runs")
        pages.append(page)
    for page in pages:
        expect(page.get_by_role("status").filter(has_text="Live").first).to_be_visible()
    until(lambda: streams(site) == 1, 10, 0.05)
    site.shell("true", title="seen in every tab")
    for page in pages:
        expect(page.get_by_text("seen in every tab").first).to_be_visible()
    pages[0].close()
    site.shell("true", title="seen without the first")
    for page in pages[1:]:
        expect(page.get_by_text("seen without the first").first).to_be_visible()


def test_six_tabs_with_six_live_runs_share_one_stream(guest: Visit, site: Site) -> None:
    """As many runs as a browser has connections, each in a tab of its own: one stream brings all of them on."""
    tabs = {}
    for number in range(6):
        page = guest.page if number == 0 else guest.context.new_page()
        if number > 0:
            guest.watch(page)
        run = site.shell(SCRIPT, title=f"live in tab {number}")
        page.goto(f"{guest.base}/console/runs/{run}?view=terminal")
        tabs[run] = page
    for page in tabs.values():
        until(lambda page=page: ticks(page), 20, 0.05)
    before = {run: ticks(page)[-1] for run, page in tabs.items()}
    until(lambda: streams(site) == 1, 15, 0.05)
    for run, page in tabs.items():
        until(lambda run=run, page=page: ticks(page)[-1] > before[run] + 5, 15, 0.05)
    assert streams(site) == 1
    asked = [urlsplit(request.url).path for request in guest.asked]
    assert [path for path in asked if path.endswith("/stream") and path != "/v1/stream"] == []
    for run in tabs:
        site.product.wish(run, "stop")
    for run, page in tabs.items():
        site.product.wait(run, "STOPPED")
        expect(page.get_by_text("Stopped").first).to_be_visible()
        shown = ticks(page)
        assert shown == list(range(shown[0], shown[0] + len(shown)))
