"""How long a person waits for a page with years of runs behind it, and how the longest timeline scrolls."""

import math
import statistics
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import CDPSession

from console.browser import Visit
from console.budgets.data import SAID
from console.budgets.figures import Figure, at
from console.site import Site

LOADS = 7
REQUESTS = 100
KEYS = 40
JUMPS = 240
JUMP_PX = 997
# Looked at once a frame, from before the page's own first line on.
_SEEN = """(() => {
    const wanted = sessionStorage.getItem('budget.wanted')
    if (wanted === null) return
    globalThis.seen = new Promise((answer) => {
        const rows = 'main [role=row]:has([role=gridcell]), main [role=log] *, main tbody tr'
        const isThere = () => [...document.querySelectorAll(rows)].some((row) => row.textContent.includes(wanted))
        const look = () => {
            if (isThere()) requestAnimationFrame(() => answer(performance.now()))
            else if (performance.now() > 15_000) answer(Infinity)
            else requestAnimationFrame(look)
        }
        look()
    })
})()"""
_SCROLL = """async ([jumps, px]) => {
    const scrolls = (each) => each.scrollHeight > each.clientHeight + 1000
    const box = [...document.querySelectorAll('main *')].filter(scrolls)
        .sort((one, two) => two.scrollHeight - one.scrollHeight)[0]
    if (box === undefined) throw new Error('nothing scrolls')
    const frame = () => new Promise(requestAnimationFrame)
    const took = []
    let rows = 0
    const first = new Set()
    let before = await frame()
    for (let jump = 0; jump < jumps; jump++) {
        box.scrollTop -= px
        const now = await frame()
        took.push(now - before)
        before = now
        first.add(box.querySelector('[role=row]')?.textContent)
        rows = Math.max(rows, box.querySelectorAll('[role=row], [role=listitem], [data-index]').length)
    }
    return { took, rows, places: first.size }
}"""
_FRAMES = """async (count) => {
    const took = []
    for (let before = await new Promise(requestAnimationFrame); took.length < count; ) {
        const now = await new Promise(requestAnimationFrame)
        took.push(now - before)
        before = now
    }
    return took
}"""
_PRESSES = """() => {
    globalThis.presses = []
    new PerformanceObserver((list) => {
        for (const each of list.getEntries()) if (each.name === 'keydown') presses.push(each.duration)
    }).observe({ type: 'event', durationThreshold: 16, buffered: false })
}"""


def first_list(visit: Visit, site: Site) -> Iterator[Figure]:
    """The list of runs, from an empty cache; and the server's share of it."""
    took = [_load(visit, "/runs", "") for _ in range(LOADS)]
    yield Figure("first_list_ms", statistics.median(took), 500, "ms")
    server = []
    for _ in range(REQUESTS):
        server.append(site.product.ask("GET", "/v1/runs", params={"limit": 100}).elapsed.total_seconds() * 1000)
    yield Figure("list_request_p95_ms", at(server, 0.95), 30, "ms")


def keys(visit: Visit) -> Iterator[Figure]:
    """From a key to the frame that shows what it did, in the list of runs; under 16 ms is not told apart."""
    visit.page.evaluate(_PRESSES)
    for _ in range(KEYS):
        visit.page.keyboard.press("j")
        visit.page.evaluate("new Promise((answer) => requestAnimationFrame(() => setTimeout(answer)))")
    found = [float(value) for value in visit.page.evaluate("presses")]
    yield Figure("key_to_frame_p95_ms", at([*found, *[16.0] * (KEYS - len(found))], 0.95), 100, "ms")


def long_run(visit: Visit, run: int, last: int) -> Iterator[Figure]:
    """A run with 100,000 events: until its end is shown, how it scrolls back, and what the page holds then."""
    took = [_load(visit, f"/runs/{run}?view=timeline", SAID.format(last)) for _ in range(3)]
    yield Figure("events_100k_load_ms", statistics.median(took), 2000, "ms")
    # What the machine gives a page that does nothing: on a busy one the frames below are late for its reasons.
    yield Figure("idle_frame_p95_ms", at(visit.page.evaluate(_FRAMES, JUMPS), 0.95), 20, "ms")
    scrolled: dict[str, Any] = visit.page.evaluate(_SCROLL, [JUMPS, JUMP_PX])
    assert scrolled["places"] > JUMPS / 2, f"it scrolled to {scrolled['places']} places in {JUMPS} jumps"
    yield Figure("scroll_frame_p95_ms", at(scrolled["took"], 0.95), 20, "ms")
    yield Figure("scroll_frame_p99_ms", at(scrolled["took"], 0.99), 33, "ms")
    yield Figure("rows_in_dom", scrolled["rows"], 100, "")
    yield Figure("heap_mb", heap_mb(visit), 120, "MB")


def huge_run(visit: Visit, run: int, last: int) -> Iterator[Figure]:
    """A run with 1,000,000 events opens at its end."""
    took = [_load(visit, f"/runs/{run}?view=timeline", SAID.format(last)) for _ in range(3)]
    yield Figure("events_1m_open_ms", statistics.median(took), 1000, "ms")


def watch(visit: Visit) -> None:
    """Let every page that is opened from here on say when it shows what is wanted."""
    visit.context.add_init_script(_SEEN)


def heap_mb(visit: Visit) -> float:
    """What the page's JavaScript holds once nothing is left to throw away."""
    session: CDPSession = visit.context.new_cdp_session(visit.page)
    session.send("HeapProfiler.enable")
    session.send("HeapProfiler.collectGarbage")
    found = session.send("Runtime.getHeapUsage")
    session.detach()
    return float(found["usedSize"]) / 1024**2


def _load(visit: Visit, path: str, wanted: str) -> float:
    session = visit.context.new_cdp_session(visit.page)
    session.send("Network.clearBrowserCache")
    session.detach()
    visit.page.evaluate("(wanted) => sessionStorage.setItem('budget.wanted', wanted)", wanted)
    visit.open(path)
    taken = float(visit.page.evaluate("seen"))
    assert taken < math.inf, f"{path} does not show {wanted!r}"
    return taken
