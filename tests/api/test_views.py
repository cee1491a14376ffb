"""Saved views over HTTP."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from agentrunner.domain.token import Scope
from api.serving import problem


async def test_save_list_delete(client: httpx.AsyncClient) -> None:
    """A view is answered in its canonical form, listed, and gone once it is deleted."""
    made = await client.post("/v1/views", json={"name": "bad nights", "query": 'STATUS:failed "a b"'})
    assert made.status_code == 201
    assert (made.json()["name"], made.json()["query"]) == ("bad nights", 'status:failed "a b"')
    assert (await client.get("/v1/views")).json() == {"items": [made.json()], "next_cursor": None}
    assert (await client.delete("/v1/views/bad%20nights")).status_code == 204
    problem(await client.delete("/v1/views/bad%20nights"), 404, "not_found")
    assert (await client.get("/v1/views")).json()["items"] == []


async def test_pages(client: httpx.AsyncClient) -> None:
    """Following the cursor meets every view once."""
    for n in range(5):
        await client.post("/v1/views", json={"name": f"v{n}", "query": f"id:{n + 1}"})
    first = (await client.get("/v1/views?limit=3")).json()
    rest = (await client.get("/v1/views", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [item["name"] for item in first["items"] + rest["items"]] == ["v0", "v1", "v2", "v3", "v4"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"name": "x"}, "`query`"),
        ({"name": "/", "query": ""}, "`name`"),
        ({"name": "x", "query": "a" * 501}, "`query`"),
        ({"name": "x", "query": "since:then"}, "character 7"),
        ({"name": "x", "query": "a\x00"}, "NUL"),
    ],
)
async def test_bad_requests(client: httpx.AsyncClient, body: dict[str, Any], says: str) -> None:
    """What is wrong is named."""
    assert says in problem(await client.post("/v1/views", json=body), 422, "invalid_field")["detail"]


async def test_a_name_is_taken_once(client: httpx.AsyncClient) -> None:
    """409."""
    body = {"name": "x", "query": "a"}
    await client.post("/v1/views", json=body)
    problem(await client.post("/v1/views", json=body), 409, "name_taken")


async def test_scopes(client: httpx.AsyncClient, token: Callable[[Scope], Awaitable[str]]) -> None:
    """Who may only read does not save."""
    client.headers["authorization"] = f"Bearer {await token(Scope.READ)}"
    assert (await client.get("/v1/views")).status_code == 200
    problem(await client.post("/v1/views", json={"name": "x", "query": ""}), 403, "forbidden")
    problem(await client.delete("/v1/views/x"), 403, "forbidden")
