"""Projects over HTTP."""

from typing import Any

import httpx
import pytest

from api.serving import problem


async def test_create_list_change(client: httpx.AsyncClient) -> None:
    """A project is created, listed behind `default`, and its settings are replaced."""
    made = await client.post("/v1/projects", json={"name": "web app", "path": "/srv/web"})
    assert (made.status_code, made.json()["settings"]) == (201, {})
    changed = await client.patch("/v1/projects/web%20app", json={"settings": {"max_running": 2}})
    assert changed.json()["settings"] == {"max_running": 2}
    listed = (await client.get("/v1/projects")).json()
    assert [(item["name"], item["path"]) for item in listed["items"]] == [("default", None), ("web app", "/srv/web")]
    assert listed["next_cursor"] is None
    assert (await client.patch("/v1/projects/web%20app", json={"settings": {}})).json()["settings"] == {}


async def test_pages(client: httpx.AsyncClient) -> None:
    """Following the cursor meets every project once."""
    for n in range(5):
        await client.post("/v1/projects", json={"name": f"p{n}"})
    first = (await client.get("/v1/projects?limit=4")).json()
    rest = (await client.get("/v1/projects", params={"limit": 4, "cursor": first["next_cursor"]})).json()
    names = [item["name"] for item in first["items"] + rest["items"]]
    assert names == ["default", "p0", "p1", "p2", "p3", "p4"]
    problem(await client.get("/v1/projects?cursor=cnVuczox"), 400, "invalid_cursor")


async def test_refusals(client: httpx.AsyncClient) -> None:
    """A taken name is 409, an unknown project 404."""
    problem(await client.post("/v1/projects", json={"name": "default"}), 409, "name_taken")
    problem(await client.patch("/v1/projects/nowhere", json={"settings": {}}), 404, "project_not_found")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "`name`"),
        ({"name": "../up"}, "`name`"),
        ({"name": ""}, "`name`"),
        ({"name": "x", "path": "relative"}, "`path`"),
        ({"name": "x", "path": "/a\x00b"}, "`path`"),
        ({"name": "x", "settings": {"max_running": 0}}, "`settings.max_running`"),
        ({"name": "x", "settings": {"nothing": 0}}, "`nothing`"),
    ],
)
async def test_bad_requests(client: httpx.AsyncClient, body: dict[str, Any], says: str) -> None:
    """The field that is wrong is named."""
    assert says in problem(await client.post("/v1/projects", json=body), 422, "invalid_field")["detail"]
