"""Agents and their versions over HTTP."""

import httpx

from api.serving import problem
from api.test_stats import ended


async def test_agents_by_name(client: httpx.AsyncClient) -> None:
    """Pages in the order of names meet each once; one is found by its name."""
    assert (await client.get("/v1/agents")).json() == {"items": [], "next_cursor": None}
    for name in ("b", "c/d", "a"):
        await ended(client, agent=name)
    first = (await client.get("/v1/agents?limit=2")).json()
    rest = (await client.get("/v1/agents", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [each["name"] for each in first["items"] + rest["items"]] == ["a", "b", "c/d"]
    assert rest["next_cursor"] is None
    found = (await client.get("/v1/agents", params={"name": "c/d"})).json()["items"]
    assert found == rest["items"]
    problem(await client.get("/v1/agents?name=nobody"), 404, "agent_not_found")
    problem(await client.get("/v1/agents?cursor=x"), 400, "invalid_cursor")


async def test_versions_with_their_figures(client: httpx.AsyncClient) -> None:
    """The newest first, page by page, each with all its runs; an agent that is not there is 404."""
    for version in ("1", "2", "3"):
        await ended(client, agent="a", agent_version=version)
    await ended(client, "run.failed", agent="a", agent_version="2")
    (agent,) = (await client.get("/v1/agents")).json()["items"]
    path = f"/v1/agents/{agent['id']}/versions"
    first = (await client.get(f"{path}?limit=2")).json()
    rest = (await client.get(path, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    items = first["items"] + rest["items"]
    assert [(each["version"], each["figures"]["runs"]) for each in items] == [("3", 1), ("2", 2), ("1", 1)]
    assert rest["next_cursor"] is None
    figures = items[1]["figures"]
    assert (figures["success_rate"], figures["cost_usd"], figures["cost_per_success_usd"]) == (0.5, 1.0, 1.0)
    interval = figures["success_interval"]
    assert 0.05 < interval["low"] < 0.5 < interval["high"] < 0.95
    problem(await client.get("/v1/agents/999/versions"), 404, "agent_not_found")
