"""Who may call what: the table of scopes and routes is made from the OpenAPI document."""

import json
import re
from typing import Any

import httpx
import pytest

from agentrunner.api import refusals
from agentrunner.api.auth import REMEMBER_MS
from agentrunner.api.server import Application
from agentrunner.domain.token import Scope, opens
from agentrunner.engine import tokens
from api.serving import Clock, problem


def operations(application: Application) -> list[tuple[str, str, Scope | None]]:
    """Every operation of the document: method, path with ids filled in, and the scope it needs."""
    found = []
    for path, item in json.loads(application.document())["paths"].items():
        for method, operation in item.items():
            filled = (
                path.replace("{run_id}", "999")
                .replace("{token_id}", "999")
                .replace("{session_id}", "999")
                .replace("{name}", "default")
            )
            filled = re.sub(r"\{\w+\}", "1", filled)
            scope = operation["x-scope"]
            found.append((method.upper(), filled, None if scope is None else Scope(scope)))
    return found


def refused(path: str, response: httpx.Response, status: int, code: str) -> None:
    """A refusal in the form of its surface."""
    if refusals.of(path) is refusals.NATIVE:
        problem(response, status, code)
    else:
        assert response.status_code == status, response.text


@pytest.mark.parametrize("held", [None, *Scope])
async def test_every_scope_on_every_route(application: Application, token: Any, held: Scope | None) -> None:
    """A token opens exactly the routes that its scope is for; without one only the open routes answer."""
    headers = {} if held is None else {"authorization": f"Bearer {await token(held)}"}
    transport = httpx.ASGITransport(application.on_socket)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
        for method, path, needed in operations(application):
            if path.endswith("/stream") and needed is not None and held is not None and opens(held, needed):
                # One that is open lasts; of a surface, tests of its own see who may.
                if not path.startswith("/v1/"):
                    continue
                path = path.replace("/v1/stream", "/v1/runs/999/stream")
            response = await client.request(method, path)
            where = (method, path, held, needed, response.text)
            if needed is None or (held is not None and opens(held, needed)):
                assert response.status_code not in (401, 403), where
            elif held is None:
                refused(path, response, 401, "unauthorized")
                assert response.headers["www-authenticate"].startswith("Bearer"), where
            else:
                refused(path, response, 403, "forbidden")
                assert needed.value in response.text, where


async def test_what_scopes_are_for(application: Application) -> None:
    """A reader changes nothing, a reporter reads nothing and controls nothing: it only hands in."""
    version = "/api/v1/agents/1/versions"
    handing_in = {
        *("/v1/runs", "/v1/runs/999/events", "/api/runs", "/api/runs/999", "/api/runs/999/events"),
        *(f"/v1/otlp/v1/{signal}" for signal in ("traces", "logs", "metrics")),
        *("/api/v1/agents/default/register", version, f"{version}/1/runs"),
    }
    for method, path, needed in operations(application):
        if path in ("/v1/logout", "/v1/logins/token"):
            assert needed is (Scope.READ if path == "/v1/logout" else None)
        elif method == "GET":
            assert needed in (None, Scope.READ, Scope.METRICS, Scope.ADMIN), path
        else:
            assert needed in ((Scope.REPORT,) if path in handing_in else (Scope.ADMIN, Scope.WORKER)), (method, path)


async def test_what_is_open(application: Application) -> None:
    """Only health, readiness, the page at `/` and the exchange of a token answer without one in the header."""
    found = [path for _, path, scope in operations(application) if scope is None]
    assert found == ["/", "/health", "/ready", "/v1/logins/token"]


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer ar_" + "x" * 43},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Basic YTpi"},
        {"authorization": "ar_x"},
        {"authorization": "Bearer ar_" + "x" * 10_000},
        {"authorization": "Bearer ar_\xff"},
        {"x-api-key": "secret"},
        {"x-api-key": ""},
    ],
    ids=repr,
)
async def test_what_is_no_token(application: Application, headers: dict[str, str]) -> None:
    """Anything but the text of a live token is 401 with advice."""
    transport = httpx.ASGITransport(application)
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        problem(await client.get("/v1/runs", headers=raw), 401, "unauthorized")


async def test_the_other_header(application: Application, token: Any) -> None:
    """`x-api-key` carries a token too, and the scheme's name may be written in any case."""
    text = await token(Scope.READ)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://localhost") as client:
        assert (await client.get("/v1/runs", headers={"x-api-key": text})).status_code == 200
        assert (await client.get("/v1/runs", headers={"authorization": f"bearer {text}"})).status_code == 200


async def test_revocation_works_at_once_here(client: httpx.AsyncClient, token: Any) -> None:
    """The server that revokes a token refuses it from the next request on."""
    made = (await client.post("/v1/tokens", json={"name": "short", "scope": "read"})).json()
    headers = {"authorization": f"Bearer {made['token']}"}
    assert (await client.get("/v1/runs", headers=headers)).status_code == 200
    assert (await client.delete(f"/v1/tokens/{made['id']}")).status_code == 204
    problem(await client.get("/v1/runs", headers=headers), 401, "unauthorized")


async def test_revocation_elsewhere_works_within_5_s(client: httpx.AsyncClient, services: Any, clock: Clock) -> None:
    """A token revoked through another server process is remembered for 5 s at most."""
    made = (await client.post("/v1/tokens", json={"name": "short", "scope": "read"})).json()
    headers = {"authorization": f"Bearer {made['token']}"}
    assert (await client.get("/v1/runs", headers=headers)).status_code == 200

    await tokens.revoke(services, made["id"])
    clock.forward_ms += REMEMBER_MS
    assert REMEMBER_MS <= 5000
    problem(await client.get("/v1/runs", headers=headers), 401, "unauthorized")


@pytest.mark.parametrize("overrides", [{"insecure_no_auth": True}])
async def test_insecure_no_auth(application: Application) -> None:
    """Without authentication a request without a token, or with one that is none, may do everything."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://localhost") as client:
        assert (await client.post("/v1/runs", json={"backend": "external"})).status_code == 201
        assert (await client.get("/v1/tokens", headers={"x-api-key": "anything"})).status_code == 200
