"""A real Chromium, and a visit of the console that notices what no page may do."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
DESKTOP, PHONE = (1440, 900), (390, 844)
LIMIT_MS = 10_000
_VIOLATION = "content security policy violated:"
_WATCH = f"""addEventListener('securitypolicyviolation', (event) =>
    console.error('{_VIOLATION}', event.violatedDirective, event.blockedURI, event.sourceFile, event.sample))"""


def found() -> str | None:
    """The browser of this machine; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def chromium(program: str) -> Iterator[Browser]:
    """A browser of its own, gone behind the block."""
    expect.set_options(timeout=LIMIT_MS)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """One person's browser: its page, what it has asked for, and what it may not have done."""

    context: BrowserContext
    page: Page
    base: str
    asked: list[Request] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Note what this page does too."""
        page.on("request", self._note_request)
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: uncaught {error.stack or error.message}"))

    def _note_request(self, request: Request) -> None:
        self.asked.append(request)
        if not request.url.startswith((f"{self.base}/", "data:", "blob:")):
            self.faults.append(f"a request to somewhere else: {request.url}")

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.text.startswith(_VIOLATION) or "Content Security Policy" in message.text:
            self.faults.append(message.text)

    def open(self, path: str) -> None:
        """Go to an address below `/console`."""
        self.page.goto(f"{self.base}/console{path}")

    def settle(self) -> None:
        """Wait until the page shows what it has to show instead of that it loads."""
        expect(self.page.get_by_role("main").get_by_role("heading").first).to_be_attached()
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)

    def sign_in(self, link: str, path: str = "/runs") -> None:
        """By a link, as the terminal prints one; then go on to `path`."""
        self.page.goto(link)
        expect(self.page.get_by_role("navigation").first).to_be_visible()
        self.open(path)


@contextmanager
def visit(browser: Browser, base: str, size: tuple[int, int] = DESKTOP, dark: bool = False) -> Iterator[Visit]:
    """A fresh visit, with nobody signed in; what it may not have done is in its `faults`."""
    scheme = "dark" if dark else "light"
    viewport = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    context.set_default_timeout(LIMIT_MS)
    context.add_init_script(_WATCH)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=base)
    made = Visit(context, context.new_page(), base)
    made.watch(made.page)
    try:
        yield made
    finally:
        context.close()
