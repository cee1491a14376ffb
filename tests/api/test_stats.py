"""Series of figures over HTTP, and counting them anew."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from agentrunner.domain.token import Scope
from api.serving import new_run, problem


async def ended(client: httpx.AsyncClient, type: str = "run.completed", usd: float = 0.5, **fields: Any) -> None:
    """A reported run that has cost something and is over."""
    run = await new_run(client, **fields)
    said = [{"type": "cost", "payload": {"usd": usd}}, {"type": "usage", "payload": {"output_tokens": 7}}]
    response = await client.post(f"/v1/runs/{run['id']}/events", json=[*said, {"type": type}])
    assert response.status_code == 201, response.text


async def test_series(client: httpx.AsyncClient) -> None:
    """Outcomes, cost and tokens, of all and by agent, in the stretch in which they ended."""
    for type, agent in (("run.completed", "a"), ("run.failed", "a"), ("run.completed", "b")):
        await ended(client, type, agent=agent)
    found = (await client.get("/v1/stats")).json()
    assert (found["grain"], found["step_s"], found["left_off"]) == ("hour", 3600, 0)
    (series,) = found["series"]
    assert (series["agent"], series["version"], series["project"]) == (None, None, None)
    assert series["total"] == found["total"]
    assert [point["figures"]["runs"] for point in series["points"]] in ([3], [1, 2], [2, 1])
    total = found["total"]
    assert (total["runs"], total["completed"], total["failed"], total["stopped"]) == (3, 2, 1, 0)
    assert (total["cost_usd"], total["cost_per_success_usd"]) == (1.5, 0.75)
    assert total["usage"]["output_tokens"] == 21
    interval = total["cost_per_success_interval_usd"]
    assert interval["low"] < 0.75 < interval["high"]
    assert total["wait_s"] is None
    assert total["duration_s"]["p50"] >= 0
    by_agent = (await client.get("/v1/stats?by=agent&since=1h")).json()
    assert by_agent["grain"] == "minute"
    assert [(each["agent"], each["total"]["runs"]) for each in by_agent["series"]] == [("a", 2), ("b", 1)]
    assert by_agent["total"] == total


async def test_narrowed(client: httpx.AsyncClient) -> None:
    """One agent, one version, one project; what is not there is 404."""
    await client.post("/v1/projects", json={"name": "web"})
    await ended(client, agent="a", agent_version="1", project="web")
    await ended(client, agent="a", agent_version="2")
    await ended(client)
    for asked, runs in (
        ({"agent": "a"}, 2),
        ({"agent": "a", "version": "1"}, 1),
        ({"project": "web"}, 1),
        ({"agent": "a", "version": "2", "project": "web"}, 0),
        ({"until": "1h"}, 0),
    ):
        found = (await client.get("/v1/stats", params={"since": "7d", **asked})).json()
        assert (found["total"]["runs"], len(found["series"])) == (runs, 1), asked
    by_version = (await client.get("/v1/stats?by=version&agent=a")).json()["series"]
    assert sorted(each["version"] for each in by_version) == ["1", "2"]
    by_project = (await client.get("/v1/stats?by=project")).json()["series"]
    assert [(each["project"], each["total"]["runs"]) for each in by_project] == [("default", 2), ("web", 1)]
    for query, code in (("agent=nobody", "agent"), ("agent=a&version=9", "version"), ("project=nowhere", "project")):
        problem(await client.get(f"/v1/stats?{query}"), 404, f"{code}_not_found")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("since=then", "`since`"),
        ("since=24", "`since`"),
        ("until=9999999999999", "`until`"),
        ("since=1h&until=2h", "not before"),
        ("version=1", "`agent`"),
        ("by=colour", "by"),
        ("sinc=1h", "`since`"),
    ],
)
async def test_bad_requests(client: httpx.AsyncClient, query: str, says: str) -> None:
    """What is wrong is named."""
    assert says in problem(await client.get(f"/v1/stats?{query}"), 422, "invalid_field")["detail"]


async def test_rebuild(client: httpx.AsyncClient, token: Callable[[Scope], Awaitable[str]]) -> None:
    """Repeated until there is no next step it counts every run, and changes nothing that was right."""
    for agent in ("a", "b", None):
        await ended(client, agent=agent)
    before = (await client.get("/v1/stats?by=agent")).json()
    answer: dict[str, Any] = {"next": None}
    for _ in range(10):
        response = await client.post("/v1/stats/rebuild", json={"next": answer["next"]})
        assert response.status_code == 200, response.text
        answer = response.json()
        if answer["next"] is None:
            break
    assert answer == {"at": "totals", "runs": 3, "next": None}
    assert (await client.get("/v1/stats?by=agent")).json() == before
    client.headers["authorization"] = f"Bearer {await token(Scope.READ)}"
    problem(await client.post("/v1/stats/rebuild", json={}), 403, "forbidden")
