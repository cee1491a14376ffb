"""Tokens and cost over HTTP."""

import httpx

from api.serving import problem
from api.test_stats import ended


async def test_the_dearest_first(client: httpx.AsyncClient) -> None:
    """By version unless asked otherwise, with the total of all."""
    await ended(client, usd=0.25, agent="cheap", agent_version="1")
    await ended(client, usd=2.0, agent="dear", agent_version="1")
    await ended(client, "run.failed", usd=1.0, agent="dear", agent_version="2")
    found = (await client.get("/v1/usage")).json()
    lines = [(each["agent"], each["version"], each["figures"]["cost_usd"]) for each in found["items"]]
    assert lines == [("dear", "1", 2.0), ("dear", "2", 1.0), ("cheap", "1", 0.25)]
    assert (found["since"], found["until"], found["left_off"]) == (None, None, 0)
    assert (found["total"]["cost_usd"], found["total"]["runs"]) == (3.25, 3)
    failed = found["items"][1]["figures"]
    assert failed["cost_per_success_usd"] is None
    assert failed["cost_per_success_interval_usd"]["high"] is None
    by_agent = (await client.get("/v1/usage?by=agent&since=1h")).json()
    assert [(each["agent"], each["figures"]["cost_usd"]) for each in by_agent["items"]] == [
        ("dear", 3),
        ("cheap", 0.25),
    ]
    assert by_agent["since"] < by_agent["until"]


async def test_bad_requests(client: httpx.AsyncClient) -> None:
    """An end without a beginning."""
    assert "`since`" in problem(await client.get("/v1/usage?until=1h"), 422, "invalid_field")["detail"]
