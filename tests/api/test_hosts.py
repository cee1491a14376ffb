"""Host, Origin and Sec-Fetch-Site on every route."""

import json

import httpx
import pytest

from agentrunner.api import refusals
from agentrunner.api.server import Application, build
from agentrunner.engine.services import Services
from api.serving import QUICK, problem

GOOD_HOSTS = ["localhost", "localhost:8787", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:65535", "[::1]", "[::1]:8787"]
BAD_HOSTS = [
    "evil.test",
    "evil.test:8787",
    "localhost.evil.test",
    "evil.test#localhost",
    "localhost@evil.test",
    "0.0.0.0",
    "0.0.0.0:8787",
    "[::ffff:127.0.0.1]",
    "[::]",
    "localhost.",
    "127.0.0.1.",
    "127.0.0.1.nip.io",
    "127.1",
    "2130706433",
    "0x7f000001",
    "localhost:port",
    "localhost:",
    "localhost:1:2",
    "localhost:123456",
    " localhost",
    "localhost, evil.test",
    "",
    "127.0.0.2",
    "localhost\t",
    "löcalhost",
]


async def ask(app: object, path: str, headers: list[tuple[str, str]], method: str = "GET") -> httpx.Response:
    """A request with exactly these headers."""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        request = client.build_request(method, path)
        request.headers = httpx.Headers(raw)
        return await client.send(request)


@pytest.mark.parametrize("host", GOOD_HOSTS)
async def test_names_of_this_host(application: Application, host: str) -> None:
    """Loopback names on any port are this server."""
    assert (await ask(application, "/health", [("host", host)])).status_code == 200


@pytest.mark.parametrize("host", BAD_HOSTS)
async def test_other_names(application: Application, host: str) -> None:
    """Every other name is refused, however it is written; a rebinding website never gets an answer."""
    problem(await ask(application, "/health", [("host", host)]), 421, "wrong_host")


async def test_no_or_two_names(application: Application) -> None:
    """Exactly one Host is taken."""
    problem(await ask(application, "/health", []), 421, "wrong_host")
    problem(await ask(application, "/health", [("host", "localhost"), ("host", "localhost")]), 421, "wrong_host")


async def test_on_every_route(application: Application) -> None:
    """The check stands before every route, and before the token."""
    for path, item in json.loads(application.document())["paths"].items():
        for method in item:
            filled = path.replace("{run_id}", "1").replace("{token_id}", "1").replace("{name}", "x")
            answer = await ask(application, filled, [("host", "evil.test")], method.upper())
            assert answer.status_code == 421, filled
            if refusals.of(path) is refusals.NATIVE:
                problem(answer, 421, "wrong_host")
    problem(await ask(application, "/nowhere", [("host", "evil.test")]), 421, "wrong_host")


async def test_the_unix_socket_is_exempt(application: Application) -> None:
    """No browser reaches the Unix socket, so any name is taken there."""
    assert (await ask(application.on_socket, "/health", [("host", "whatever.test")])).status_code == 200


@pytest.mark.parametrize("overrides", [{"allow_hosts": "runner.example, Other.Example"}])
async def test_allowed_hosts(services: Services) -> None:
    """Names may be added, and the address the server is bound to is one."""
    app = build(services, host="192.0.2.7", bounds=QUICK)
    for host in ("runner.example", "other.example:80", "192.0.2.7:8787", "localhost"):
        assert (await ask(app, "/health", [("host", host)])).status_code == 200
    problem(await ask(app, "/health", [("host", "x.runner.example")]), 421, "wrong_host")


@pytest.mark.parametrize("bound", ["0.0.0.0", "::", ""])
async def test_a_wildcard_is_no_name(services: Services, bound: str) -> None:
    """A server bound to every address still answers only to names."""
    app = build(services, host=bound, bounds=QUICK)
    for host in ("0.0.0.0", "[::]", "192.0.2.7"):
        problem(await ask(app, "/health", [("host", host)]), 421, "wrong_host")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://localhost:8787"}, 200),
        ({"origin": "https://localhost:8787"}, 200),
        ({"origin": "http://localhost:8788"}, 403),
        ({"origin": "http://127.0.0.1:8787"}, 403),
        ({"origin": "http://evil.test"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://localhost:8787.evil.test"}, 403),
        ({"origin": "http://localhost:8787/"}, 403),
        ({"origin": "file://"}, 403),
        ({"origin": "chrome-extension://abc"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 200),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
        ({}, 200),
    ],
    ids=repr,
)
async def test_origins(application: Application, headers: dict[str, str], status: int) -> None:
    """Another website's request is refused; this server's own pages and programs are not."""
    response = await ask(application, "/health", [("host", "localhost:8787"), *headers.items()])
    assert response.status_code == status
    assert not any(name.startswith("access-control") for name in response.headers)
    if status == 403:
        problem(response, 403, "forbidden")


@pytest.mark.parametrize("overrides", [{"insecure_no_auth": True}])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_a_website_cannot_change_anything(application: Application, kind: str) -> None:
    """The requests that a page may send without asking are refused, also where no token is needed."""
    for extra in ({"origin": "http://evil.test"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
        headers = [("host", "localhost"), ("content-type", kind), ("content-length", "0"), *extra.items()]
        problem(await ask(application, "/v1/runs", headers, "POST"), 403, "forbidden")
    navigating = [("host", "localhost"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]
    problem(await ask(application, "/v1/runs", navigating), 403, "forbidden")
    problem(await ask(application, "/v1/runs", navigating, "POST"), 403, "forbidden")


@pytest.mark.parametrize("overrides", [{"cors_origins": "https://app.example"}])
async def test_a_configured_origin(application: Application) -> None:
    """A configured origin, and only it, is named in CORS headers; nothing is reflected, no credentials are allowed."""
    preflight = [("host", "localhost"), ("access-control-request-method", "POST")]
    allowed = await ask(application, "/v1/runs", [*preflight, ("origin", "https://app.example")], "OPTIONS")
    assert allowed.status_code == 204
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    assert "authorization" in allowed.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in allowed.headers
    answered = await ask(application, "/health", [("host", "localhost"), ("origin", "https://app.example")])
    assert (answered.headers["access-control-allow-origin"], answered.headers["vary"]) == (
        "https://app.example",
        "origin",
    )
    for origin in ("https://app.example.evil.test", "http://app.example", "https://evil.test", "null"):
        problem(await ask(application, "/v1/runs", [*preflight, ("origin", origin)], "OPTIONS"), 403, "forbidden")


async def test_no_preflight_without_configuration(application: Application) -> None:
    """OPTIONS is not a way around: without a configured origin it is refused."""
    headers = [("host", "localhost"), ("access-control-request-method", "POST")]
    problem(await ask(application, "/v1/runs", headers, "OPTIONS"), 405, "method_not_allowed")
    with_origin = [*headers, ("origin", "https://evil.test")]
    problem(await ask(application, "/v1/runs", with_origin, "OPTIONS"), 403, "forbidden")
