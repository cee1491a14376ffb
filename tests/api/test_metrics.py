"""The Agent Metrics surface: what it takes, what it refuses, and how it differs from the original on purpose."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from agentrunner.api.server import Server
from agentrunner.domain.token import Scope

AGENTS = "/api/v1/agents"


async def version(client: httpx.AsyncClient, agent: str = "a", name: str = "1") -> str:
    """Register an agent with one version; answers the address of the version."""
    made = await client.post(f"{AGENTS}/{agent}/register", json={"name": agent, "project": "p"})
    assert made.status_code == 201, made.text
    address = f"{AGENTS}/{made.json()['id']}/versions"
    assert (await client.post(address, json={"version": name})).status_code == 201
    return f"{address}/{name}"


def refused(response: httpx.Response, status: int, text: str) -> None:
    """A refusal as a server of Go writes it: a line of plain text."""
    assert (response.status_code, response.text) == (status, f"{text}\n")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"


async def test_agents_by_name(client: httpx.AsyncClient) -> None:
    """In the order of their names, whenever they were registered."""
    for name in ("b", "c", "a"):
        await version(client, name)
    assert [each["name"] for each in (await client.get(AGENTS)).json()] == ["a", "b", "c"]


async def test_register_is_strict_about_names(client: httpx.AsyncClient) -> None:
    """The name in the body may be missing, and may not be another; a duplicate is 409 where the original says 500."""
    assert (await client.post(f"{AGENTS}/a/register", json={})).json()["project"] == ""
    other = await client.post(f"{AGENTS}/b/register", json={"name": "c"})
    refused(other, 400, "Agent name in URL and request body must match")
    twice = await client.post(f"{AGENTS}/a/register", json={"name": "a"})
    refused(twice, 409, "Failed to create agent: agent with this name already exists")


async def test_one_of_many_registrations_wins(client: httpx.AsyncClient) -> None:
    """A unique constraint decides; the original looks first and inserts then, and keeps duplicates of a race."""
    posts = [client.post(f"{AGENTS}/a/register", json={"name": "a"}) for _ in range(8)]
    assert sorted(each.status_code for each in await asyncio.gather(*posts)) == [201] + [409] * 7
    (agent,) = (await client.get(AGENTS)).json()
    posts = [client.post(f"{AGENTS}/{agent['id']}/versions", json={"version": "1"}) for _ in range(8)]
    assert sorted(each.status_code for each in await asyncio.gather(*posts)) == [201] + [409] * 7


async def test_versions_newest_first(client: httpx.AsyncClient) -> None:
    """Version 1.10 comes before 1.9, which was added earlier; the original sorts them as texts."""
    address = (await version(client, name="1.9")).rpartition("/")[0]
    added = await client.post(address, json={"version": "1.10", "tools": None})
    assert added.json()["tools"] == []
    assert [each["version"] for each in (await client.get(address)).json()] == ["1.10", "1.9"]


async def test_a_version_may_be_called_anything(client: httpx.AsyncClient) -> None:
    """A branch's name has a slash; it is found all the same."""
    address = await version(client, name="feature/x")
    assert (await client.get(address)).json()["version"] == "feature/x"
    assert (await client.post(f"{address}/runs", json={"status": "completed"})).status_code == 201
    (run,) = (await client.get(f"{address}/runs")).json()
    assert run["version"] == "feature/x"


@pytest.mark.parametrize("agent_id", ["1", "z" * 24, "0" * 23, "0" * 25, "-" + "1" * 23])
async def test_ids_have_24_hexadecimal_digits(client: httpx.AsyncClient, agent_id: str) -> None:
    """Anything else is refused with the original's text."""
    refused(await client.get(f"{AGENTS}/{agent_id}/versions"), 400, "Invalid agent ID format")


async def test_what_is_not_there(client: httpx.AsyncClient) -> None:
    """404 where the original says 500, and its own text for an address that it does not know."""
    address = await version(client)
    for agent_id in ("0" * 24, "f" * 24):
        refused(await client.get(f"{AGENTS}/{agent_id}/versions"), 404, "agent not found")
        refused(await client.get(f"{AGENTS}/{agent_id}/runs"), 404, "agent not found")
    for method, path in (("GET", ""), ("GET", "/runs"), ("POST", "/runs")):
        refused(await client.request(method, f"{address}0{path}", json={}), 404, "version not found for this agent")
    refused(await client.get("/api/v1/nothing"), 404, "404 page not found")
    assert (await client.put(AGENTS)).status_code == 405


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"{", "JSON"),
        (b"[]", "xpected `object`"),
        (b"\xff", "UTF-8"),
        (b'{"id": 1.5}', "`id`"),
        (b'{"id": 9223372036854775808}', "`id`"),
        (b'{"cost": -1}', "`cost`"),
        (b'{"time_taken": "5m30"}', "`time_taken`"),
        (b'{"time_taken": -1}', "`time_taken`"),
        (b'{"tools": "one"}', "`tools`"),
        (b'{"initiator": "a\\u0000b"}', "`initiator`"),
        (b'{"tools": ["%b"]}' % (b"x" * 201), "`tools[0]`"),
        (b'{"models": [%b"x"]}' % (b'"x",' * 100), "`models`"),
        (b'{"runs": [{"status": "completed"}, {"time_taken": "soon"}]}', "`runs[1].time_taken`"),
    ],
)
async def test_a_body_that_says_nothing(client: httpx.AsyncClient, body: bytes, named: str) -> None:
    """400 with the field in it, and nothing of a batch is kept: a duration that nobody can read breaks no dashboard."""
    address = await version(client)
    response = await client.post(f"{address}/runs", content=body)
    assert response.status_code == 400
    assert response.text.startswith("Invalid request body: ")
    assert named in response.text
    assert (await client.get(f"{address}/runs")).text == "[]"
    assert (await client.get("/api/v1/ui/stats")).status_code == 200
    assert (await client.get("/api/v1/ui/recent_activity")).text == "[]"


@pytest.mark.parametrize(
    ("said", "answered", "seconds"),
    [("5m30s", "5m30s", 330.0), ("3.2s", "3.2s", 3.2), ("PT5M30S", "PT5M30S", 330.0), (330, "5m30s", 330.0)],
)
async def test_durations(client: httpx.AsyncClient, said: Any, answered: str, seconds: float) -> None:
    """Go, ISO 8601 or seconds; a text is answered as it was sent, and every form counts for the mean."""
    address = await version(client)
    made = await client.post(f"{address}/runs", json={"status": "completed", "time_taken": said})
    assert made.json()["time_taken"] == answered
    (total,) = (await client.get("/api/v1/ui/agent_versions")).json()
    assert total["avgRuntime"] == seconds
    (activity,) = (await client.get("/api/v1/ui/recent_activity")).json()
    assert activity["duration"] == seconds


async def test_failures_are_failures(client: httpx.AsyncClient) -> None:
    """`failed`, `error` and `timeout`; the original counts `failed` among the successes."""
    address = await version(client)
    words = ["completed", "failed", "error", "timeout", "cancelled"]
    await client.post(f"{address}/runs", json={"runs": [{"status": word} for word in words]})
    (total,) = (await client.get("/api/v1/ui/agent_versions")).json()
    assert (total["totalRuns"], total["successRate"]) == (5, 25.0)
    actions = {each["status"]: each["action"] for each in (await client.get("/api/v1/ui/recent_activity")).json()}
    expected = ["completed run", "failed run", "failed run", "timed out", "stopped run"]
    assert actions == dict(zip(words, expected, strict=True))


async def test_an_unknown_status_is_answered_word_for_word(client: httpx.AsyncClient) -> None:
    """It ends nothing; once the run has ended its status says how."""
    address = await version(client)
    made = (await client.post(f"{address}/runs", json={"status": "Half Done", "initiator": "me"})).json()
    assert (await client.get(f"{address}/runs")).json() == [made]
    assert made["status"] == "Half Done"
    native = (await client.get(f"/v1/runs/{made['run_id']}")).json()
    assert (native["status"], native["metadata"]) == ("RUNNING", {"initiator": "me"})
    await client.post(f"/v1/runs/{made['run_id']}/events", json={"type": "run.completed"})
    (run,) = (await client.get(f"{address}/runs")).json()
    assert run["status"] == "completed"


async def test_a_date_that_is_none_means_now(client: httpx.AsyncClient) -> None:
    """As the original takes it: the run is not lost for it."""
    address = await version(client)
    for created in ("yesterday", "", None, "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00Z"):
        made = (await client.post(f"{address}/runs", json={"status": "completed", "created": created})).json()
        assert made["created"] == made["recorded_at"]


async def test_runs_of_ours_are_shown_beside(client: httpx.AsyncClient) -> None:
    """A run that was created by the native API for the same version, with its own id and status."""
    address = await version(client)
    body = {"backend": "command", "agent": "a", "agent_version": "1", "options": {"argv": ["true"]}}
    made = (await client.post("/v1/runs", json=body)).json()
    (run,) = (await client.get(f"{address}/runs")).json()
    assert (run["id"], run["run_id"], run["status"], run["time_taken"]) == (made["id"], made["id"], "pending", "")
    (activity,) = (await client.get("/api/v1/ui/recent_activity")).json()
    assert (activity["agent"], activity["action"]) == ("a", "queued run")


async def test_pages(client: httpx.AsyncClient) -> None:
    """The header Link leads to what is older, until there is nothing; the original always sends everything."""
    address = await version(client, agent="an agent")
    runs = [{"status": "completed", "created": f"2024-01-0{day}T00:00:00Z", "id": day} for day in range(1, 8)]
    await client.post(f"{address}/runs", json={"runs": runs})
    for path in (f"{address}/runs", f"{address.partition('/versions')[0]}/runs"):
        seen: list[int] = []
        following = f"{path}?limit=3"
        while following:
            page = await client.get(following)
            seen += [each["id"] for each in page.json()]
            following = page.links.get("next", {}).get("url", "")
        assert seen == [7, 6, 5, 4, 3, 2, 1]
    assert "link" not in (await client.get(f"{address}/runs")).headers
    assert (await client.get(f"{address}/runs?cursor=x")).status_code == 400
    assert (await client.get(f"{address}/runs?limit=x")).status_code == 400
    assert (await client.get(f"{address}/runs?whatever=1")).status_code == 200


@pytest.mark.timeout(30)
async def test_ten_thousand_at_once(client: httpx.AsyncClient) -> None:
    """The largest batch is taken; one more is refused, whole."""
    address = await version(client)
    run = {"created": "2024-01-01T00:00:00Z", "status": "completed", "time_taken": "1s", "cost": 0.01}
    made = await client.post(f"{address}/runs", json={"runs": [run | {"id": n} for n in range(10_000)]})
    assert made.status_code == 201
    assert [each["id"] for each in made.json()] == list(range(10_000))
    refusal = await client.post(f"{address}/runs", json={"runs": [{}] * 10_001})
    assert (refusal.status_code, "10000" in refusal.text) == (400, True)
    (total,) = (await client.get("/api/v1/ui/agent_versions")).json()
    assert (total["totalRuns"], total["spend"], total["avgRuntime"]) == (10_000, 100.0, 1.0)


async def test_a_body_has_a_limit(client: httpx.AsyncClient) -> None:
    """8 MiB of runs, 1 MiB of anything else; the original reads whatever comes."""
    address = await version(client)
    large = await client.post(f"{address}/runs", content=b" " * (8 * 1024 * 1024 + 1))
    assert (large.status_code, large.headers["content-type"]) == (413, "text/plain; charset=utf-8")
    assert (await client.post(f"{AGENTS}/b/register", content=b" " * (1024 * 1024 + 1))).status_code == 413


async def test_empty_and_repeated_batches(client: httpx.AsyncClient) -> None:
    """No run is an empty array; the same key is the same runs."""
    address = await version(client)
    assert (await client.post(f"{address}/runs", json={"runs": []})).text == "[]"
    headers = {"idempotency-key": "k"}
    body = {"runs": [{"status": "completed", "id": 7}, {"status": "failed"}]}
    first = await client.post(f"{address}/runs", json=body, headers=headers)
    assert (await client.post(f"{address}/runs", json=body, headers=headers)).json() == first.json()
    assert len((await client.get(f"{address}/runs")).json()) == 2


async def test_who_may(client: httpx.AsyncClient, token: Callable[[Scope], Awaitable[str]]) -> None:
    """A key is needed, one to report for reporting and one to read for reading; the original asks nobody."""
    address = await version(client)
    refusal = await client.get(AGENTS, headers={"authorization": "Bearer ar_wrong"})
    assert (refusal.status_code, refusal.headers["content-type"]) == (401, "text/plain; charset=utf-8")
    reporter = {"authorization": f"Bearer {await token(Scope.REPORT)}"}
    reader = {"authorization": f"Bearer {await token(Scope.READ)}"}
    assert (await client.post(f"{address}/runs", json={}, headers=reporter)).status_code == 201
    assert (await client.post(f"{address}/runs", json={}, headers=reader)).status_code == 403
    assert (await client.get("/api/v1/ui/stats", headers=reader)).status_code == 200


@pytest.mark.parametrize("overrides", [{"cors_origins": "http://console.example"}])
async def test_browsers_of_a_configured_origin(client: httpx.AsyncClient) -> None:
    """A dashboard on another port may ask, as settings say; the original answers none."""
    origin = {"origin": "http://console.example"}
    preflight = {**origin, "access-control-request-method": "POST"}
    assert (await client.options(AGENTS, headers=preflight)).status_code == 204
    answer = await client.get("/api/v1/ui/stats", headers=origin)
    assert answer.headers["access-control-allow-origin"] == "http://console.example"


async def test_over_a_real_connection(server: Server, client: httpx.AsyncClient) -> None:
    """The same answers from the server's own way of writing, pages with their Link among them."""
    address = await version(client)
    authorization = {"authorization": client.headers["authorization"]}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", headers=authorization) as real:
        made = await real.post(f"{address}/runs", content=json.dumps({"runs": [{"status": "failed"}] * 3}))
        assert [each["status"] for each in made.json()] == ["failed"] * 3
        page = await real.get(f"{address}/runs?limit=2")
        assert (len(page.json()), "next" in page.links) == (2, True)
        refused(await real.get(f"{AGENTS}/x/versions"), 400, "Invalid agent ID format")
