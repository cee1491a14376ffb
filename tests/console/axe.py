"""axe-core over a page as it is shown: what breaks WCAG 2.2 AA, or a best practice of its own."""

from functools import cache

from playwright.sync_api import Page

from console.browser import DESKTOP, PHONE
from console.wheel import ROOT

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
LOOKS = [(scheme, size) for size in (DESKTOP, PHONE) for scheme in ("light", "dark")]
_RUN = """async (tags) => {
    const found = await axe.run(document, { runOnly: tags, resultTypes: ['violations'] })
    return found.violations.flatMap(({ id, nodes }) => nodes.map(({ target, any, all }) =>
        `${id}: ${target.join(' ')}: ${[...any, ...all].map((each) => each.message).join('; ')}`))
}"""

_OVER = """async () => {
    const { documentElement: root } = document
    for (let frame = 0; frame < 60 && root.scrollWidth > root.clientWidth; frame++)
        await new Promise(requestAnimationFrame)
    if (root.scrollWidth <= root.clientWidth) return []
    const reaches = (each) => Math.abs(each.getBoundingClientRect().right - root.scrollWidth) <= 1
    const found = [...document.querySelectorAll('body *')].filter(reaches).map((each) => each.outerHTML.slice(0, 120))
    return [`wider than the screen by ${root.scrollWidth - root.clientWidth} px: ${found.join(' ')}`]
}"""


@cache
def _source() -> str:
    return (ROOT / "console/node_modules/axe-core/axe.min.js").read_text()


def violations(page: Page) -> list[str]:
    """Every violation with its rule, where it is, and why."""
    # What the driver evaluates is outside of the page's policy, which stays as it is served.
    if not page.evaluate("'axe' in window"):
        page.evaluate(_source())
    return list(page.evaluate(_RUN, list(TAGS)))


def in_every_look(page: Page) -> list[str]:
    """The same in light and dark, at desktop and phone width; each is said once, with the looks that have it."""
    found: dict[str, list[str]] = {}
    for scheme, (width, height) in LOOKS:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": height})
        for each in [*violations(page), *_too_wide(page)]:
            found.setdefault(each, []).append(f"{scheme} {width}")
    return [f"{each} ({', '.join(looks)})" for each, looks in found.items()]


def _too_wide(page: Page) -> list[str]:
    # A page learns of its new width a few frames later.
    return list(page.evaluate(_OVER))
