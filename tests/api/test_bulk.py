"""Bulk actions over HTTP."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from agentrunner.domain.token import Scope
from api.serving import COMMAND, new_run, problem


async def act(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    """A bulk action that is taken."""
    response = await client.post("/v1/runs/bulk", json=body)
    assert response.status_code == 200, response.text
    return response.json()


async def test_each_run_has_its_answer(client: httpx.AsyncClient) -> None:
    """Done, refused with a code and a sentence; only what matches is touched."""
    await client.post("/v1/runs", json={**COMMAND, "labels": {"team": "web"}})
    await new_run(client, labels={"team": "web"})
    await client.post("/v1/runs", json=COMMAND)
    answer = await act(client, action="stop", q="label:team=web")
    assert [(item["id"], item["result"], item.get("code")) for item in answer["items"]] == [
        (2, "refused", "backend_unsupported"),
        (1, "done", None),
    ]
    assert "only reported here" in answer["items"][0]["detail"]
    assert answer["next_cursor"] is None
    statuses = [run["status"] for run in (await client.get("/v1/runs")).json()["items"]]
    assert statuses == ["QUEUED", "RUNNING", "STOPPED"]


async def test_the_rest_is_behind_the_cursor(client: httpx.AsyncClient) -> None:
    """Following it acts on each run once, also where acting adds runs that match."""
    await client.post("/v1/runs", json={"runs": [COMMAND] * 5})
    await act(client, action="stop", all=True)
    body: dict[str, Any] = {"action": "retry", "q": "backend:command", "limit": 2}
    items: list[dict[str, Any]] = []
    while True:
        answer = await act(client, **body)
        items += answer["items"]
        if answer["next_cursor"] is None:
            break
        body["cursor"] = answer["next_cursor"]
    assert [item["id"] for item in items] == [5, 4, 3, 2, 1]
    assert sorted(item["new_id"] for item in items) == [6, 7, 8, 9, 10]


async def test_everything_has_to_be_said(client: httpx.AsyncClient) -> None:
    """An empty query alone, or one of blanks, does nothing."""
    await client.post("/v1/runs", json=COMMAND)
    for body in ({"action": "stop"}, {"action": "stop", "q": " \n"}, {"action": "stop", "q": "", "all": False}):
        refused = problem(await client.post("/v1/runs/bulk", json=body), 422, "invalid_field")
        assert '"all": true' in refused["detail"]
    assert (await client.get("/v1/runs/1")).json()["status"] == "QUEUED"
    assert (await act(client, action="stop", all=True))["items"] == [{"id": 1, "result": "done"}]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"q": "a"}, "`action`"),
        ({"action": "delete", "q": "a"}, "`action`"),
        ({"action": "stop", "q": "a", "limit": 1001}, "`limit`"),
        ({"action": "stop", "q": "a", "limit": 0}, "`limit`"),
        ({"action": "stop", "q": "a" * 501}, "`q`"),
        ({"action": "stop", "q": "status:faild"}, "did you mean `failed`?"),
        ({"action": "stop", "q": "a\x00"}, "NUL"),
        ({"action": "stop", "query": "a"}, "`query`"),
    ],
)
async def test_bad_requests(client: httpx.AsyncClient, body: dict[str, Any], says: str) -> None:
    """What is wrong is named, and nothing is done."""
    assert says in problem(await client.post("/v1/runs/bulk", json=body), 422, "invalid_field")["detail"]


async def test_a_cursor_of_another_list(client: httpx.AsyncClient) -> None:
    """400."""
    body = {"action": "stop", "q": "a", "cursor": "cnVuczox"}
    problem(await client.post("/v1/runs/bulk", json=body), 400, "invalid_cursor")


async def test_scopes(client: httpx.AsyncClient, token: Callable[[Scope], Awaitable[str]]) -> None:
    """Who may only read or report changes nothing."""
    for scope in (Scope.READ, Scope.REPORT):
        client.headers["authorization"] = f"Bearer {await token(scope)}"
        problem(await client.post("/v1/runs/bulk", json={"action": "stop", "all": True}), 403, "forbidden")


async def test_a_preview_does_nothing(client: httpx.AsyncClient) -> None:
    """It says which runs match, page by page, and they go on."""
    await client.post("/v1/runs", json={"runs": [COMMAND] * 3})
    answer = await act(client, action="stop", q="status:queued", preview=True, limit=2)
    assert answer["items"] == [{"id": 3, "result": "matches"}, {"id": 2, "result": "matches"}]
    rest = await act(client, action="stop", q="status:queued", preview=True, limit=2, cursor=answer["next_cursor"])
    assert (rest["items"], rest["next_cursor"]) == ([{"id": 1, "result": "matches"}], None)
    assert {run["status"] for run in (await client.get("/v1/runs")).json()["items"]} == {"QUEUED"}
