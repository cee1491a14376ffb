"""What is live: from an event to the pixel, a flood of events, and back after the server was away."""

import json
import re
import threading
import time
from collections.abc import Iterator

from playwright.sync_api import expect

from console.browser import Visit
from console.budgets.figures import Figure, at
from console.site import Site
from e2e.product import Product
from waiting import until

STAMPS = 60
KILLS = 3
RATE, BATCH = 2000, 200
_NDJSON = {"content-type": "application/x-ndjson"}
_STAMPING = "i=0; while [ $i -lt {count} ]; do i=$((i+1)); echo stamp $(date +%s%3N); sleep 0.1; done"
_OBSERVE = r"""() => {
    const known = new Set()
    globalThis.delays = []
    const look = () => {
        for (const [, stamp] of document.querySelector('main').textContent.matchAll(/stamp (\d{13})/g))
            if (!known.has(stamp)) { known.add(stamp); delays.push(Date.now() - Number(stamp)) }
        requestAnimationFrame(look)
    }
    look()
    delays.length = 0
}"""
_TASKS = """() => {
    globalThis.tasks = []
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map((each) => each.duration)))
        .observe({ type: 'longtask', buffered: false })
}"""


def event_to_pixel(visit: Visit, site: Site) -> Iterator[Figure]:
    """From the moment an agent prints a line until a frame shows it."""
    run = site.shell(_STAMPING.format(count=STAMPS))
    site.product.wait(run, "RUNNING")
    visit.open(f"/runs/{run}?view=terminal")
    expect(visit.page.get_by_text(re.compile(r"stamp \d{13}")).first).to_be_visible()
    visit.page.evaluate(_OBSERVE)
    visit.page.evaluate("new Promise(requestAnimationFrame)")
    visit.page.evaluate("delays.length = 0")  # what was there before is no news
    site.product.wait(run, "COMPLETED")
    expect(visit.page.get_by_text("Completed").first).to_be_visible()
    yield Figure("event_to_pixel_p95_ms", at(visit.page.evaluate("delays"), 0.95), 250, "ms")


def flood(visit: Visit, site: Site, seconds: float) -> Iterator[Figure]:
    """2,000 events a second, reported by another program, while the timeline is shown."""
    run = site.product.create("external", title="flood")
    visit.open(f"/runs/{run}?view=timeline")
    expect(visit.page.get_by_role("heading", name="flood")).to_be_visible()
    visit.page.evaluate(_TASKS)
    sender = threading.Thread(target=_send, args=(site.product, run, seconds))
    sender.start()
    sender.join()
    last = site.product.run(run)["last_seq"]
    until(lambda: f"event {int(seconds * RATE) - 1} of" in visit.page.get_by_role("main").inner_text(), 20, 0.05)
    tasks = [float(value) for value in visit.page.evaluate("tasks")]
    yield Figure("flood_events", last, seconds * RATE + 1, "")
    yield Figure("flood_longest_task_ms", max(tasks, default=0.0), 50, "ms")


def _send(product: Product, run: int, seconds: float) -> None:
    began = time.monotonic()
    for batch in range(int(seconds * RATE / BATCH)):
        first = batch * BATCH
        events = [
            json.dumps({"type": "task.progress", "payload": {"text": f"event {number} of a flood"}})
            for number in range(first, first + BATCH)
        ]
        answer = product.client.post(f"/v1/runs/{run}/events", content="\n".join(events), headers=_NDJSON)
        answer.raise_for_status()
        until(lambda due=began + (batch + 1) * BATCH / RATE: time.monotonic() >= due, 10, 0.002)


def reconnect(visit: Visit, site: Site) -> Iterator[Figure]:
    """From the moment a killed server answers again until the page shows what happened meanwhile."""
    run = site.shell("i=0; while :; do i=$((i+1)); printf 'tick %05d\\n' $i; sleep 0.05; done")
    visit.open(f"/runs/{run}?view=terminal")
    expect(visit.page.get_by_text(re.compile(r"tick \d{5}")).first).to_be_visible()
    took = []
    for _ in range(KILLS):
        site.kill_server()
        site.start_server()
        began = time.monotonic()
        wanted = site.product.lines(run)[-1]
        until(lambda wanted=wanted: _newest(visit) >= wanted, 20, 0.01)
        took.append((time.monotonic() - began) * 1000)
    site.product.wish(run, "stop")
    yield Figure("reconnect_p95_ms", at(took, 0.95), 2000, "ms")


def _newest(visit: Visit) -> str:
    found = visit.page.evaluate("document.querySelector('main').textContent.match(/tick \\d{5}/g)")
    return max(found or [""])
