"""Events over HTTP: reporting and reading."""

import json
from typing import Any

import httpx
import pytest

from api.serving import new_run, problem

EVENTS = "/v1/runs/1/events"
NDJSON = {"content-type": "application/x-ndjson"}


async def test_one_event_an_array_and_lines(client: httpx.AsyncClient) -> None:
    """The three forms of a body store the same events in order."""
    await new_run(client)
    one = await client.post(EVENTS, json={"type": "task.progress", "payload": {"n": 1}})
    assert (one.status_code, one.json()) == (201, {"accepted": 1, "duplicates": 0, "last_seq": 2})
    many = await client.post(EVENTS, json=[{"type": "a"}, {"type": "b.c", "level": "warning"}])
    assert many.json() == {"accepted": 2, "duplicates": 0, "last_seq": 4}
    lines = b'{"type":"x"}\n\n{"type":"y","payload":[1, 2]}\n'
    assert (await client.post(EVENTS, content=lines, headers=NDJSON)).json()["last_seq"] == 6
    items = (await client.get(EVENTS)).json()["items"]
    assert [item["type"] for item in items] == ["run.created", "task.progress", "a", "b.c", "x", "y"]
    assert [item["seq"] for item in items] == [1, 2, 3, 4, 5, 6]
    assert items[5]["payload"] == [1, 2]
    assert items[3]["level"] == "warning"


async def test_a_payload_passes_through_as_it_is(client: httpx.AsyncClient) -> None:
    """A payload is not read on its way: numbers, key order, repeated keys and escapes come back as they were sent."""
    await new_run(client)
    payload = '{"z":1.10,"a":12345678901234567890123,"z":null,"e":"\\u0041é\\n"}'
    sent = f'{{"type":"t","payload":{payload}}}'.encode()
    await client.post(EVENTS, content=sent, headers={"content-type": "application/json"})
    assert f'"payload":{payload}' in (await client.get(EVENTS)).text


async def test_sending_twice_stores_once(client: httpx.AsyncClient) -> None:
    """A producer's `client_seq` names an event once and for all, within a body and across bodies."""
    await new_run(client)
    body = [{"type": "t", "producer": "p", "client_seq": n} for n in (1, 2, 2)]
    assert (await client.post(EVENTS, json=body)).json() == {"accepted": 2, "duplicates": 1, "last_seq": 3}
    assert (await client.post(EVENTS, json=body)).json() == {"accepted": 0, "duplicates": 3, "last_seq": 3}


async def test_an_external_run_is_ended_by_its_reporter(client: httpx.AsyncClient) -> None:
    """`run.completed` ends it; what comes later is stored flagged and changes nothing."""
    await new_run(client)
    await client.post(EVENTS, json=[{"type": "message"}, {"type": "run.completed", "payload": {"message": "done"}}])
    assert (await client.get("/v1/runs/1")).json()["status"] == "COMPLETED"
    assert (await client.post(EVENTS, json={"type": "run.failed"})).status_code == 201
    assert (await client.get("/v1/runs/1")).json()["status"] == "COMPLETED"
    assert (await client.get(EVENTS)).json()["items"][-1]["late"] is True


async def test_all_or_none(client: httpx.AsyncClient) -> None:
    """One event that is refused keeps the whole body out."""
    await new_run(client)
    refused = await client.post(EVENTS, json=[{"type": "fine"}, {"type": "run.created"}])
    problem(refused, 400, "invalid_request")
    assert (await client.get("/v1/runs/1")).json()["last_seq"] == 1


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b'{"type":1}', 422, "`type`"),
        (b'[{"type":"a"},{"type":"b","level":"loud"}]', 422, "`[1].level`"),
        (b'{"type":"a","extra":1}', 422, "unknown field `extra`"),
        (b'{"type":"with space"}', 422, "`type`"),
        (b'{"type":"a\\n"}', 422, "`type`"),
        (b'{"type":"' + b"a" * 101 + b'"}', 422, "`type`"),
        (b'{"type":"a","ts":-1}', 422, "`ts`"),
        (b'{"type":"a","ts":99999999999999999999}', 422, "`ts`"),
        (b'{"type":"a","ts":"yesterday"}', 422, "`ts`"),
        (b'{"type":"a","ts":"1969-12-31T23:59:59Z"}', 422, "`ts`"),
        (b'{"type":"a","ts":"0001-01-01T00:00:00+23:59"}', 422, "`ts`"),
        (b'{"type":"a","client_seq":1}', 422, "`producer`"),
        (b'{"type":"a","producer":"p","client_seq":9223372036854775808}', 422, "`client_seq`"),
        (b'{"type":"run.completed","payload":1e999}', 422, "out of range"),
        (b'{"type":"usage","payload":{"input_tokens":"x"}}', 422, "`payload`"),
        (b"", 400, "not valid JSON"),
        (b"{", 400, "not valid JSON"),
        (b'{"type":"a"} x', 400, "not valid JSON"),
        (b'"text"', 422, "expected"),
        (b'{"type":"\xff"}', 400, "UTF-8"),
        (b'{"type":"a","payload":"\xff"}', 400, "UTF-8"),
        (b'{"type":"a","payload":"\\ud800"}', 400, "not valid JSON"),
        (b'{"type":"a","payload":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "nested too deeply"),
        (b"[" * 100_000, 422, "expected `object`"),
        (b"[" + b'{"type":"a"},' * 10_000 + b'{"type":"a"}]', 422, "10000"),
    ],
)
async def test_bad_events(client: httpx.AsyncClient, body: bytes, status: int, says: str) -> None:
    """Whatever is sent, the answer is a problem document that says what is wrong."""
    await new_run(client)
    response = await client.post(EVENTS, content=body, headers={"content-type": "application/json"})
    assert says.lower() in problem(response, status, response.json()["code"])["detail"].lower()
    assert (await client.get("/v1/runs/1")).json()["last_seq"] == 1


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"type":"a"}\n{"type":2}\n', "Line 2"),
        (b'{"type":"a"}\n\n{"type"', "Line 3"),
        (b'{"type":"a"}\n' * 10_001, "10001 events"),
    ],
)
async def test_bad_lines_are_named(client: httpx.AsyncClient, body: bytes, says: str) -> None:
    """In lines, the number of the bad one is said."""
    await new_run(client)
    assert says in problem(await client.post(EVENTS, content=body, headers=NDJSON), 422, "invalid_field")["detail"]


async def test_content_types(client: httpx.AsyncClient) -> None:
    """JSON may be sent without a content type; anything but JSON and lines of it is refused."""
    await new_run(client)
    assert (await client.post(EVENTS, content=b'{"type":"a"}')).status_code == 201
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        refused = await client.post(EVENTS, content=b'{"type":"a"}', headers={"content-type": kind})
        problem(refused, 415, "unsupported_media_type")


@pytest.mark.parametrize("ts", ["2025-11-21T02:00:00.123Z", "2025-11-21T03:00:00.123+01:00", 1763690400123])
async def test_instants(client: httpx.AsyncClient, ts: Any) -> None:
    """A time is RFC 3339 or milliseconds, and is answered in one form."""
    await new_run(client)
    await client.post(EVENTS, json={"type": "t", "ts": ts})
    assert (await client.get(EVENTS)).json()["items"][1]["ts"] == "2025-11-21T02:00:00.123Z"


async def test_pages(client: httpx.AsyncClient) -> None:
    """Following `next_cursor` meets every event once; `types` narrows; the last page says so."""
    await new_run(client)
    await client.post(EVENTS, json=[{"type": "even" if n % 2 == 0 else "odd", "payload": n} for n in range(450)])
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        page = (await client.get(EVENTS, params={"after": after, "limit": 130})).json()
        assert len(page["items"]) <= 130
        seen.extend(item["seq"] for item in page["items"])
        after = page["next_cursor"]
    assert seen == list(range(1, 452))
    odd = (await client.get(EVENTS, params={"types": "odd, run.created", "limit": 1000})).json()
    assert len(odd["items"]) == 226
    assert odd["next_cursor"] is None
    assert (await client.get(EVENTS, params={"after": 451})).json() == {"items": [], "next_cursor": None}


async def test_a_page_of_large_events_is_bounded(client: httpx.AsyncClient) -> None:
    """A page ends behind 4 MiB whatever `limit` says, and the cursor goes on from there without a gap."""
    await new_run(client)
    for _ in range(6):
        sent = await client.post(EVENTS, json={"type": "t", "payload": "x" * 1_500_000})
        assert sent.status_code == 201
    page = await client.get(EVENTS, params={"limit": 1000})
    assert len(page.content) < 6_000_000
    seen = [item["seq"] for item in page.json()["items"]]
    rest = (await client.get(EVENTS, params={"after": page.json()["next_cursor"]})).json()
    assert seen + [item["seq"] for item in rest["items"]] == list(range(1, 8))


@pytest.mark.parametrize("query", ["after=-1", "after=x", "after=1&after=2", "limit=0", "limit=1001", "afer=1"])
async def test_bad_queries(client: httpx.AsyncClient, query: str) -> None:
    """A bad parameter is named."""
    await new_run(client)
    assert query[:3] in problem(await client.get(f"{EVENTS}?{query}"), 422, "invalid_field")["detail"]


async def test_a_page_is_valid_json(client: httpx.AsyncClient) -> None:
    """Payloads with line ends between their tokens do not harm the page."""
    await new_run(client)
    await client.post(EVENTS, content=json.dumps({"type": "t", "payload": {"a": [1, 2]}}, indent=2).encode())
    assert (await client.get(EVENTS)).json()["items"][1]["payload"] == {"a": [1, 2]}
