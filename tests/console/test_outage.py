"""What a person sees while the server dies, streams are held back, or nobody looks: late perhaps, never wrong."""

import re
import statistics
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from console.browser import Visit
from console.conftest import Visitor
from console.site import Site, newest, streams, ticks
from waiting import until

TALL = (1440, 8000)
"""A screen on which every line of a short run is a row at once."""
TICKING = "i=0; while [ $i -lt {count} ]; do i=$((i+1)); printf 'tick %04d\\n' $i; sleep {every}; done"
BACK_S = 2.0
HIDE = """(state) => {
    Object.defineProperty(document, 'visibilityState', { value: state, configurable: true })
    Object.defineProperty(document, 'hidden', { value: state === 'hidden', configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))
}"""


@pytest.fixture
def tall(visitor: Visitor, site: Site) -> Iterator[Visit]:
    """Somebody who has signed in, in front of a very tall screen."""
    with visitor(TALL) as made:
        made.sign_in(site.link())
        yield made


def shown(page: Page, number: int) -> bool:
    """Whether this line is on the screen."""
    return number in ticks(page)


def test_the_server_is_killed_three_times(tall: Visit, site: Site) -> None:
    """Every line once and in order, clocks that stand meanwhile, and live again within two seconds at the median."""
    run = site.shell(TICKING.format(count=200, every=0.04))
    tall.open(f"/runs/{run}?view=terminal")
    until(lambda: shown(tall.page, 5), 15, 0.02)
    took = []
    for _ in range(3):
        site.kill_server()
        expect(tall.page.get_by_text(re.compile("Reconnecting|Offline")).first).to_be_visible()
        expect(tall.page.get_by_text(re.compile("as of")).first).to_be_visible()
        site.start_server()
        began = time.monotonic()
        wanted = newest(site, run)
        until(lambda wanted=wanted: shown(tall.page, wanted), 20, 0.01)
        took.append(time.monotonic() - began)
    site.product.wait(run, "COMPLETED", timeout=40)
    until(lambda: shown(tall.page, 200), 20, 0.02)
    expect(tall.page.get_by_text("Completed").first).to_be_visible()
    assert ticks(tall.page) == list(range(1, 201))
    assert statistics.median(took) <= BACK_S, took


def test_polling_takes_over_where_streams_are_blocked(tall: Visit, site: Site) -> None:
    """Something on the way lets no stream through: the console says that it polls, and shows every line."""
    tall.context.route(re.compile(r"/stream\b"), lambda route: route.abort())
    run = site.shell(TICKING.format(count=50, every=0.08))
    tall.open(f"/runs/{run}?view=terminal")
    expect(tall.page.get_by_text(re.compile("polling", re.IGNORECASE)).first).to_be_visible()
    until(lambda: shown(tall.page, 50), 25, 0.05)
    expect(tall.page.get_by_text("Completed").first).to_be_visible()
    assert ticks(tall.page) == list(range(1, 51))


def test_a_terminal_status_before_the_tail(tall: Visit, site: Site) -> None:
    """The status is known at once and the events come late: the tail is there all the same."""
    held = []
    tall.context.route(re.compile(r"/stream\b"), lambda route: route.abort())
    tall.context.route(re.compile(r"/v1/runs/\d+/events"), lambda route: held.append(route))
    run = site.shell(TICKING.format(count=120, every=0.001))
    tall.open(f"/runs/{run}?view=terminal")
    site.product.wait(run, "COMPLETED")
    tall.page.evaluate("0")  # lets what the driver has heard meanwhile arrive here
    until(lambda: tall.page.evaluate("1") and held, 10, 0.02)
    tall.context.unroute(re.compile(r"/v1/runs/\d+/events"))
    for route in held:
        route.continue_()
    until(lambda: shown(tall.page, 120), 20, 0.05)
    expect(tall.page.get_by_text("Completed").first).to_be_visible()
    assert ticks(tall.page) == list(range(1, 121))


def test_a_hidden_tab_costs_next_to_nothing(visitor: Visitor, site: Site) -> None:
    """Its streams close and one small poll a minute goes on; seen again, it catches up."""
    with visitor(TALL) as visit:
        visit.page.clock.install()
        visit.sign_in(site.link())
        run = site.shell(TICKING.format(count=150, every=0.1))
        visit.open(f"/runs/{run}?view=terminal")
        until(lambda: shown(visit.page, 3), 15, 0.02)
        assert streams(site) >= 1
        visit.page.evaluate(HIDE, "hidden")
        visit.page.clock.fast_forward(31_000)
        until(lambda: streams(site) == 0, 10, 0.02)
        before = len(visit.asked)
        for minutes in range(1, 4):
            visit.page.clock.fast_forward(60_000)
            visit.page.evaluate("new Promise(requestAnimationFrame)")
            polled = [urlsplit(request.url).path for request in visit.asked[before:]]
            assert set(polled) <= {"/v1/runs"}
            # One at the beginning of the first minute, and one at the end of each.
            assert len(polled) <= minutes + 1
        until(lambda: len(visit.asked) > before, 5, 0.02)
        assert streams(site) == 0
        missed = newest(site, run)
        visit.page.evaluate(HIDE, "visible")
        until(lambda: shown(visit.page, missed), 15, 0.02)
        assert ticks(visit.page) == list(range(1, len(ticks(visit.page)) + 1))
        site.product.wish(run, "stop")


def test_nothing_is_changed_while_offline(guest: Visit, site: Site) -> None:
    """A pause without a network is refused where it is asked for, and not sent later behind one's back."""
    run = site.shell("echo on; exec sleep 60")
    site.product.wait(run, "RUNNING")
    guest.open(f"/runs/{run}")
    pause = guest.page.get_by_role("button", name="Pause", exact=True)
    expect(pause).to_be_enabled()
    guest.context.set_offline(True)
    pause.click()
    expect(guest.page.get_by_text(re.compile("offline", re.IGNORECASE)).first).to_be_visible()
    before = len(guest.asked)
    guest.context.set_offline(False)
    expect(pause).to_be_enabled()
    guest.page.evaluate("new Promise((answer) => requestAnimationFrame(() => requestIdleCallback(answer)))")
    assert [request.url for request in guest.asked[before:] if request.method == "POST"] == []
    assert site.product.run(run)["status"] == "RUNNING"
    site.product.wish(run, "stop")
