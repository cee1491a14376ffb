"""Signing in by link and by token, what a session may do, and how it ends."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from agentrunner.api.auth import REMEMBER_MS
from agentrunner.api.server import Application, Server
from agentrunner.domain.session import LOGIN_MS, MAX_LOGINS, MAX_SESSIONS
from agentrunner.domain.token import Scope
from agentrunner.engine import sessions
from api.serving import Clock, problem
from api.test_tokens import stored

VISIT = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "none"}
CONSOLE = {"x-agentrunner-console": "1"}
DAYS_30 = 30 * 86_400


@pytest.fixture
async def browsers(application: Application) -> AsyncIterator[Callable[[], httpx.AsyncClient]]:
    """Makes browsers: clients without a token, each with cookies of its own."""
    async with AsyncExitStack() as stack:

        def make() -> httpx.AsyncClient:
            made = httpx.AsyncClient(
                transport=httpx.ASGITransport(application),
                base_url="http://localhost",
                headers={"user-agent": "Browser/1"},
            )
            stack.push_async_callback(made.aclose)
            return made

        yield make


async def link(client: httpx.AsyncClient, **asked: Any) -> str:
    """A new link, as path and query."""
    response = await client.post("/v1/logins", json=asked)
    assert response.status_code == 201, response.text
    parts = urlsplit(response.json()["url"])
    return f"{parts.path}?{parts.query}"


async def test_a_link_signs_in_once(client: httpx.AsyncClient, browsers: Any) -> None:
    """The browser gets a cookie that no script sees and is led to the console; the second one is too late."""
    made = (await client.post("/v1/logins")).json()
    assert made["url"] == f"http://localhost/console/login?code={made['code']}"
    assert len(made["code"]) >= 40
    first, second = browsers(), browsers()
    entered = await first.get(made["url"], headers=VISIT)
    assert (entered.status_code, entered.headers["location"]) == (303, "/console/")
    kept = entered.headers["set-cookie"]
    pattern = rf"ar_session=ar_[\w-]{{43}}; Path=/; Max-Age={DAYS_30}; HttpOnly; SameSite=Strict"
    assert re.fullmatch(pattern, kept), kept
    assert entered.headers["cache-control"] == "no-store"
    assert (await first.get("/v1/runs")).status_code == 200
    assert (await first.get("/v1/config")).json()["by_session"] is True
    late = await second.get(made["url"], headers=VISIT)
    assert (late.status_code, late.headers["location"]) == (303, "/console/?login=expired")
    assert "set-cookie" not in late.headers
    problem(await second.get("/v1/runs"), 401, "unauthorized")
    again = await first.get(made["url"], headers=VISIT)
    assert again.headers["location"] == "/console/"


async def test_links_expire(client: httpx.AsyncClient, browsers: Any, clock: Clock) -> None:
    """After five minutes it opens nothing; one that nobody made neither."""
    path = await link(client)
    clock.forward_ms += LOGIN_MS
    for opened in (path, "/console/login?code=ar_" + "x" * 43, "/console/login?code=" + "%ff" * 5):
        led = await browsers().get(opened, headers=VISIT)
        assert led.headers.get("location", "/console/?login=expired") != "/v1"
        assert "set-cookie" not in led.headers
    assert (await browsers().get(path, headers=VISIT)).headers["location"] == "/console/?login=expired"


LOOKING = [
    ("GET", {}),
    ("HEAD", VISIT),
    ("GET", {**VISIT, "sec-purpose": "prefetch"}),
    ("GET", {**VISIT, "sec-purpose": "prefetch;prerender"}),
    ("GET", {**VISIT, "purpose": "prefetch"}),
    ("GET", {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image", "sec-fetch-site": "same-origin"}),
]


@pytest.mark.parametrize(("method", "headers"), LOOKING, ids=repr)
async def test_who_only_looks_uses_nothing_up(client: Any, browsers: Any, method: str, headers: dict[str, str]) -> None:
    """Previews and browsers that load ahead get a page with a button; its code still signs the person in."""
    path = await link(client)
    looked = await browsers().request(method, path, headers=headers)
    assert looked.status_code == 200
    assert "set-cookie" not in looked.headers
    assert "form-action 'self'" in looked.headers["content-security-policy"]
    person = browsers()
    assert (await person.get(path, headers=VISIT)).headers["location"] == "/console/"


async def test_the_button(client: httpx.AsyncClient, browsers: Any) -> None:
    """What the page's form sends signs in, once; the code is written into the page as text."""
    path = await link(client)
    person = browsers()
    shown = await person.get(path)
    # Under no-referrer the browser would send `origin: null` with the form, which is refused.
    assert shown.headers.get_list("referrer-policy") == ["strict-origin"]
    page = shown.text
    (code,) = re.findall(r'name="code" value="([^"]+)"', page)
    entered = await person.post("/console/login", data={"code": code})
    assert (entered.status_code, entered.headers["location"]) == (303, "/console/")
    assert (await person.get("/v1/runs")).status_code == 200
    assert (await browsers().post("/console/login", data={"code": code})).headers["location"].endswith("expired")
    hostile = (await browsers().get('/console/login?code="><script>alert(1)</script>')).text
    assert "<script" not in hostile
    problem(await browsers().post("/console/login", json={"code": code}), 415, "unsupported_media_type")
    problem(await browsers().delete("/console/login"), 405, "method_not_allowed")
    from_elsewhere = {"origin": "http://evil.example"}
    problem(await browsers().post("/console/login", data={"code": code}, headers=from_elsewhere), 403, "forbidden")


async def signed_in(client: httpx.AsyncClient, browsers: Any, **asked: Any) -> httpx.AsyncClient:
    """A browser that used a new link."""
    found: httpx.AsyncClient = browsers()
    assert (await found.get(await link(client, **asked), headers=VISIT)).status_code == 303
    return found


async def test_changes_by_cookie_need_the_header(client: httpx.AsyncClient, browsers: Any) -> None:
    """A form of another site cannot send it; a token in a header needs none."""
    browser = await signed_in(client, browsers)
    new = {"backend": "external"}
    detail = problem(await browser.post("/v1/runs", json=new), 403, "forbidden")["detail"]
    assert "x-agentrunner-console: 1" in detail
    problem(await browser.post("/v1/runs", json=new, headers={"x-agentrunner-console": "yes"}), 403, "forbidden")
    problem(await browser.delete("/v1/tokens/1"), 403, "forbidden")
    assert (await browser.post("/v1/runs", json=new, headers=CONSOLE)).status_code == 201
    for origin in ("http://localhost:8080", "https://evil.example", "null"):
        headers = {**CONSOLE, "origin": origin}
        problem(await browser.post("/v1/runs", json=new, headers=headers), 403, "forbidden")
    assert (await browser.post("/v1/runs", json=new, headers={**CONSOLE, "origin": "http://localhost"})).is_success
    assert (await client.post("/v1/runs", json=new)).status_code == 201


@pytest.mark.parametrize("overrides", [{"cors_origins": "http://app.example"}])
async def test_other_origins_have_no_session(client: httpx.AsyncClient, browsers: Any) -> None:
    """An origin that may call with a token cannot use what a person is signed in with."""
    browser = await signed_in(client, browsers)
    headers = {"origin": "http://app.example"}
    problem(await browser.get("/v1/runs", headers=headers), 403, "forbidden")
    with_token = {**headers, "authorization": client.headers["authorization"]}
    assert (await browser.get("/v1/runs", headers=with_token)).status_code == 200


async def test_a_reader_changes_nothing(client: httpx.AsyncClient, browsers: Any) -> None:
    """A link of scope read opens what a token of that scope does; others make no session."""
    browser = await signed_in(client, browsers, scope="read")
    assert (await browser.get("/v1/runs")).status_code == 200
    problem(await browser.post("/v1/runs", json={"backend": "external"}, headers=CONSOLE), 403, "forbidden")
    problem(await browser.post("/v1/logins", headers=CONSOLE), 403, "forbidden")
    problem(await browser.post("/v1/control/claim", json={}, headers=CONSOLE), 403, "forbidden")
    for scope in ("worker", "report", "metrics"):
        problem(await client.post("/v1/logins", json={"scope": scope}), 403, "forbidden")


async def test_a_token_is_exchanged(client: httpx.AsyncClient, browsers: Any, clock: Clock) -> None:
    """The sign-in form keeps no token; the session ends with the token that opened it."""
    made = (await client.post("/v1/tokens", json={"name": "me", "scope": "read"})).json()
    browser = browsers()
    answer = await browser.post("/v1/logins/token", json={"token": made["token"]})
    assert answer.status_code == 200
    assert answer.json().keys() == {"scope", "expires_at"}
    assert answer.json()["scope"] == "read"
    assert made["token"] not in answer.text + answer.headers["set-cookie"]
    assert (await browser.get("/v1/runs")).status_code == 200
    assert (await client.get("/v1/sessions")).json()["items"][0]["token_id"] == made["id"]
    await client.delete(f"/v1/tokens/{made['id']}")
    clock.forward_ms += REMEMBER_MS
    problem(await browser.get("/v1/runs"), 401, "unauthorized")
    assert (await client.get("/v1/sessions")).json()["items"] == []
    for text in (made["token"], "ar_" + "x" * 43, "é", "nothing"):
        problem(await browsers().post("/v1/logins/token", json={"token": text}), 401, "unauthorized")
    worker = (await client.post("/v1/tokens", json={"name": "w", "scope": "worker"})).json()["token"]
    problem(await browsers().post("/v1/logins/token", json={"token": worker}), 403, "forbidden")


async def test_signing_out(client: httpx.AsyncClient, browsers: Any) -> None:
    """The cookie is taken away and the session ends with it; another browser stays in."""
    browser, other = await signed_in(client, browsers), await signed_in(client, browsers)
    problem(await browser.post("/v1/logout"), 403, "forbidden")
    text = browser.cookies["ar_session"]
    done = await browser.post("/v1/logout", headers=CONSOLE)
    assert (done.status_code, done.json()) == (200, {"ended": True})
    assert "ar_session" not in browser.cookies
    problem(await browser.get("/v1/runs", headers={"cookie": f"ar_session={text}"}), 401, "unauthorized")
    assert (await other.get("/v1/runs")).status_code == 200


async def test_sessions_are_listed_and_ended(client: httpx.AsyncClient, browsers: Any) -> None:
    """With what the browser calls itself and when it was used; ending one refuses it at once."""
    browser = await signed_in(client, browsers)
    (mine,) = (await browser.get("/v1/sessions")).json()["items"]
    assert (mine["browser"], mine["scope"], mine["current"], mine["token_id"]) == ("Browser/1", "admin", True, None)
    (seen,) = (await client.get("/v1/sessions")).json()["items"]
    assert seen["current"] is False
    assert (await client.delete(f"/v1/sessions/{mine['id']}")).status_code == 204
    problem(await browser.get("/v1/runs"), 401, "unauthorized")
    problem(await client.delete(f"/v1/sessions/{mine['id']}"), 404, "not_found")


@pytest.mark.parametrize("overrides", [{"session_days": 2}])
async def test_sessions_end_by_themselves(client: httpx.AsyncClient, browsers: Any, clock: Clock) -> None:
    """After the time of the setting, however much it is used; its use is noted every five minutes."""
    browser = await signed_in(client, browsers)
    (before,) = (await client.get("/v1/sessions")).json()["items"]
    clock.forward_ms += sessions.NOTE_MS
    assert (await browser.get("/v1/runs")).status_code == 200
    (after,) = (await client.get("/v1/sessions")).json()["items"]
    assert after["used_at"] > before["used_at"]
    assert after["expires_at"] == before["expires_at"]
    clock.forward_ms += 2 * 86_400_000
    problem(await browser.get("/v1/runs"), 401, "unauthorized")
    assert (await client.get("/v1/sessions")).json()["items"] == []


async def test_under_tls(client: httpx.AsyncClient, browsers: Any) -> None:
    """Behind a proxy that speaks TLS the cookie is one that only this host under TLS is sent."""
    tls = {"x-forwarded-proto": "https"}
    made = (await client.post("/v1/logins", headers=tls)).json()
    assert made["url"].startswith("https://localhost/")
    browser = browsers()
    kept = (await browser.get(await link(client), headers={**VISIT, **tls})).headers["set-cookie"]
    assert kept.startswith("__Host-ar_session=")
    assert kept.endswith("; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict; Secure")
    sent = {"cookie": kept.partition(";")[0]}
    assert (await browsers().get("/v1/runs", headers=sent)).status_code == 200


async def test_nothing_secret_is_stored_or_logged(
    client: httpx.AsyncClient, browsers: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither the code nor the session's text is in the database, nor in what the server says."""
    path = await link(client)
    browser = browsers()
    await browser.get(path, headers=VISIT)
    secret = [path.partition("=")[2], browser.cookies["ar_session"]]
    kept = stored(tmp_path)
    said = "".join(capfd.readouterr())
    for text in secret:
        assert text.encode() not in kept
        assert text not in said


async def test_they_are_bounded(client: httpx.AsyncClient, services: Any, clock: Clock) -> None:
    """Open links are refused beyond a number until some expire; of sessions the least used one ends."""
    for _ in range(MAX_LOGINS):
        await sessions.invite(services, Scope.READ)
    problem(await client.post("/v1/logins"), 429, "too_many_requests")
    clock.forward_ms += LOGIN_MS
    code, _ = await sessions.invite(services, Scope.READ)
    await services.db.write(_fill, clock())
    assert len(await sessions.live(services)) == MAX_SESSIONS
    entered = await sessions.enter(services, code, "newest")
    assert entered is not None
    live = await sessions.live(services)
    assert (len(live), live[0].id) == (MAX_SESSIONS, entered[1].id)
    assert "browser 0" not in {each.browser for each in live}


async def _fill(tx: Any, now: int) -> None:
    sql = "INSERT INTO sessions (hash, scope, browser, created_at, used_at, expires_at) VALUES (?, 'read', ?, ?, ?, ?)"
    rows = [(str(n), f"browser {n}", now, now - MAX_SESSIONS + n, now + 10**9) for n in range(MAX_SESSIONS)]
    await tx.many(sql, rows)


@pytest.mark.parametrize("overrides", [{"insecure_no_auth": True}])
async def test_without_authentication(browsers: Any) -> None:
    """An old cookie does no harm where nobody needs one."""
    response = await browsers().get("/v1/runs", headers={"cookie": "ar_session=ar_" + "x" * 43})
    assert response.status_code == 200


@pytest.mark.parametrize("cookie", ["ar_session=", "ar_session", "a=b; c=d", "=;;=", "ar_session=" + "x" * 10_000])
async def test_what_is_no_session(browsers: Any, cookie: str) -> None:
    """Any other cookie is as good as none."""
    problem(await browsers().get("/v1/runs", headers={"cookie": cookie}), 401, "unauthorized")


async def test_a_token_is_no_session(client: httpx.AsyncClient, browsers: Any) -> None:
    """A token's text in the cookie opens nothing, nor does a session's in the header, whatever is remembered."""
    browser = await signed_in(client, browsers)
    assert (await browser.get("/v1/runs")).status_code == 200
    token, session = client.headers["authorization"].removeprefix("Bearer "), browser.cookies["ar_session"]
    problem(await browsers().get("/v1/runs", headers={"cookie": f"ar_session={token}"}), 401, "unauthorized")
    problem(await browsers().get("/v1/runs", headers={"x-api-key": session}), 401, "unauthorized")


async def test_from_the_socket(server: Server, settings: Any, token: Any) -> None:
    """Asked over the Unix socket, the link leads to where the server listens for browsers."""
    transport = httpx.AsyncHTTPTransport(uds=str(settings.data_path / "agentrunner.sock"))
    headers = {"authorization": f"Bearer {await token(Scope.ADMIN)}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://agentrunner", headers=headers) as local:
        url = (await local.post("/v1/logins")).json()["url"]
    assert url.startswith(f"http://127.0.0.1:{server.port}/console/login?code=")
    async with httpx.AsyncClient() as browser:
        entered = await browser.get(url, headers=VISIT)
        assert entered.headers["location"] == "/console/"
        assert (await browser.get(f"http://127.0.0.1:{server.port}/v1/runs")).status_code == 200
