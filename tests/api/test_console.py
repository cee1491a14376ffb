"""The console's files over HTTP: caching, compression, the addresses that are pages, and what protects them."""

import gzip
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from agentrunner.api.console import Console
from agentrunner.api.console_files import load
from agentrunner.api.server import Application, Server
from api.serving import problem
from api.test_console_files import built

PAGE = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SCRIPT = "/console/assets/app-abc123.js"


@pytest.fixture
async def browser(application: Application, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client without any token of a server that has a console."""
    application.context.console.files = load(built(tmp_path / "built"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://localhost") as found:
        yield found


def protected(response: httpx.Response) -> None:
    """Every answer below `/console/` forbids what the console does not need."""
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';")
    assert "require-trusted-types-for 'script'; trusted-types 'none'" in policy
    assert "frame-ancestors 'none'; form-action 'self'" in policy
    assert "unsafe" not in policy
    assert response.headers.get_list("x-content-type-options") == ["nosniff"]
    assert response.headers.get_list("referrer-policy") == ["no-referrer"]
    assert response.headers["cross-origin-opener-policy"] == "same-origin"
    assert response.headers["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in response.headers["permissions-policy"]
    assert len(response.headers.get_list("cache-control")) == 1
    assert len(response.headers.get_list("content-security-policy")) == 1


async def test_the_index_is_asked_for_again(browser: httpx.AsyncClient) -> None:
    """It is kept only with a question back, which is answered 304 as long as it is the same in the same coding."""
    whole = await browser.get("/console/", headers=PAGE)
    assert whole.status_code == 200
    assert whole.headers["content-type"] == "text/html; charset=utf-8"
    assert whole.headers["cache-control"] == "no-cache"
    assert whole.headers["vary"] == "accept-encoding"
    protected(whole)
    for tag in (whole.headers["etag"], f'"other", W/{whole.headers["etag"]}', "*"):
        same = await browser.get("/console/", headers={**PAGE, "if-none-match": tag})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", whole.headers["etag"])
        assert "content-length" not in same.headers
        protected(same)
    plain = {**PAGE, "if-none-match": whole.headers["etag"], "accept-encoding": "identity"}
    other = await browser.get("/console/", headers=plain)
    assert other.status_code == 200
    assert other.headers["etag"] != whole.headers["etag"]
    assert other.content == whole.content


async def test_assets_are_kept_for_ever(browser: httpx.AsyncClient, tmp_path: Path) -> None:
    """Their names change with what is in them; each client gets the best coding that it takes."""
    plain = (tmp_path / "built/assets/app-abc123.js").read_bytes()
    for accepted, coding, content in (
        ("gzip, deflate", "gzip", gzip.compress(plain, mtime=0)),
        ("br, gzip", "br", b"as brotli has it"),
        ("identity", None, plain),
    ):
        async with browser.stream("GET", SCRIPT, headers={"accept-encoding": accepted}) as response:
            raw = b"".join([part async for part in response.aiter_raw()])
        assert raw == content
        assert response.headers.get("content-encoding") == coding
        assert response.headers["content-length"] == str(len(raw))
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert response.headers["content-type"].startswith("text/javascript")
        protected(response)


async def test_head_is_get_without_content(browser: httpx.AsyncClient) -> None:
    """The same headers, no byte."""
    for path in ("/console/", SCRIPT, "/console/icon.svg"):
        shown, head = await browser.get(path), await browser.head(path)
        assert (head.status_code, head.content) == (200, b"")
        kept = {name: value for name, value in shown.headers.items() if name not in ("date", "x-request-id")}
        assert kept.items() <= head.headers.items()


@pytest.mark.parametrize(
    "path", ["/console/runs", "/console/runs/12?view=timeline", "/console/a/b.c", "/console/%2e%2e/x"]
)
async def test_addresses_of_the_console_are_its_page(browser: httpx.AsyncClient, path: str) -> None:
    """What a browser opens below it is the index; whoever asks for something else is told that it is not there."""
    page = await browser.get(path, headers=PAGE)
    assert (page.status_code, page.content[:15]) == (200, b"<!doctype html>")
    protected(page)
    missing = await browser.get(path, headers={"accept": "*/*"})
    problem(missing, 404, "not_found")
    protected(missing)


@pytest.mark.parametrize(
    "path",
    [
        "/console/assets/gone.js",
        "/console/assets/%2e%2e/index.html",
        "/console/assets/..%2f..%2f..%2ftoken",
        "/console/assets/%00",
        "/console/.vite/manifest.json",
        "/console//etc/passwd",
        "/console/index.html.gz",
        "/console/..%2fapi%2fconsole.py",
    ],
)
async def test_nothing_else_is_there(browser: httpx.AsyncClient, path: str) -> None:
    """Neither a file that the build did not make nor one that lies beside it; a page is never taken for a script."""
    problem(await browser.get(path, headers={"accept": "*/*"}), 404, "not_found")
    if path.startswith("/console/assets/") and ".." not in path:
        problem(await browser.get(path, headers=PAGE), 404, "not_found")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_files_can_only_be_read(browser: httpx.AsyncClient, method: str) -> None:
    """Anything but GET and HEAD is refused, and says so."""
    response = await browser.request(method, SCRIPT)
    problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "GET, HEAD"


async def test_where_the_root_leads(browser: httpx.AsyncClient) -> None:
    """Browsers are led to the console, programs get the addresses to begin with."""
    led = await browser.get("/", headers=PAGE)
    assert (led.status_code, led.headers["location"], led.headers["vary"]) == (303, "/console/", "accept")
    assert (await browser.get("/")).json()["api"] == "/v1/runs"
    assert (await browser.get("/console")).headers["location"] == "/console/"


async def test_without_a_build(browser: httpx.AsyncClient, application: Application) -> None:
    """A checkout that has no console says how to get it, on a page under the same policy."""
    application.context.console.files = {}
    assert not Console({}).is_built
    problem(await browser.get("/console/assets/x.js"), 404, "not_found")
    for path in ("/console/", "/console/runs/1"):
        page = await browser.get(path, headers=PAGE)
        assert page.status_code == 200
        assert "make console" in page.text
        assert "style" not in page.text
        protected(page)


async def test_on_a_real_connection(server: Server, tmp_path: Path) -> None:
    """The same from a socket; one connection serves them all, and every answer of the server says its time."""
    server.app.context.console.files = load(built(tmp_path / "built"))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as browser:
        for path in ("/console/", SCRIPT, "/console/runs", "/health", "/nowhere", "/v1/runs"):
            response = await browser.get(path, headers=PAGE)
            assert len(response.headers.get_list("date")) == 1
            assert parsedate_to_datetime(response.headers["date"]).year >= 2026
        assert (await browser.head(SCRIPT)).content == b""
        whole = await browser.get(SCRIPT)
        assert whole.content == (tmp_path / "built/assets/app-abc123.js").read_bytes()
        assert (await browser.get(SCRIPT, headers={"if-none-match": whole.headers["etag"]})).status_code == 304
