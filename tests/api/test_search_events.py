"""Looking through one run: exact counts, pages, a bound in time; and its output as a file."""

from typing import Any

import httpx
import pytest

from agentrunner.api.server import Server
from agentrunner.domain.text import contains
from agentrunner.engine import search_events
from api.serving import new_run, problem
from api.test_stream import remote

__all__ = ["remote"]


async def filled(client: httpx.AsyncClient, events: list[dict[str, Any]]) -> int:
    """A run with these events behind its first."""
    run_id: int = (await new_run(client, goal="a goal"))["id"]
    for start in range(0, len(events), 5000):
        response = await client.post(f"/v1/runs/{run_id}/events", json=events[start : start + 5000])
        assert response.status_code == 201, response.text
    return run_id


async def find(client: httpx.AsyncClient, run_id: int, q: str, **more: Any) -> dict[str, Any]:
    """What is found."""
    response = await client.get(f"/v1/runs/{run_id}/search", params={"q": q, **more})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_what_is_found(client: httpx.AsyncClient) -> None:
    """The text as it is, in any case, anywhere a person reads; what SQL and JSON treat specially is plain text."""
    payloads: list[Any] = [
        {"stream": "stdout", "lines": ["first", "Two Words here"]},
        {"name": "Bash", "input": {"command": 'grep "100%_x" a\\b'}},
        {"text": "two\twords"},
        {"two words": "no"},
        {"text": "GRÜN é 中文"},
    ]
    run_id = await filled(client, [{"type": "t", "payload": each} for each in payloads])
    await filled(client, [{"type": "t", "payload": {"text": "two words"}}])
    whole = {"next_cursor": None, "complete": True, "searched_to": 6}
    for q, seqs in [
        ("two words", [2]),
        ("TWO WORDS", [2]),
        ("words", [2, 4]),
        ('"100%_x" A\\B', [3]),
        ("%", [3]),
        ("_x", [3]),
        ("!", []),
        ("bash", [3]),
        ("grün É", [6]),
        ("中", [6]),
        ("stdout", [2]),
        ("input", []),
        ("run.created", [1]),
        ("nowhere at all", []),
    ]:
        assert await find(client, run_id, q) == {"items": seqs, "count": len(seqs), **whole}, q


async def test_pages(client: httpx.AsyncClient) -> None:
    """Following `next_cursor` gives every match once; the count is exact on each page."""
    events = [{"type": "t", "payload": {"text": "needle" if n % 3 == 0 else "hay"}} for n in range(12_000)]
    run_id = await filled(client, events)
    wanted = [n + 2 for n in range(0, 12_000, 3)]
    found: list[int] = []
    after: int | None = 0
    while after is not None:
        page = await find(client, run_id, "needle", limit=1500, after=after)
        assert page["count"] == len(wanted) - len(found)
        assert page["complete"]
        found += page["items"]
        after = page["next_cursor"]
    assert found == wanted


async def test_time_is_bounded(client: httpx.AsyncClient, services: Any) -> None:
    """What is not searched in time is said, and the next page goes on there."""
    events = [{"type": "t", "payload": {"text": f"needle {n}"}} for n in range(3000)]
    run_id = await filled(client, events)
    whole = await find(client, run_id, "needle", limit=10_000)
    assert (whole["count"], whole["complete"], whole["searched_to"]) == (3000, True, 3001)
    hits = await services.db.search(_cut, run_id)
    assert hits.last_seq == 3001
    assert (hits.total, hits.searched_to) == (0, 0)


async def _cut(tx: Any, run_id: int) -> search_events.Hits:
    """The same with no time at all."""
    return await search_events.look(tx, run_id, search_events.Sought("needle", 0, 10), 0.0)


async def test_wrong_questions(client: httpx.AsyncClient) -> None:
    """A run that is not there, no text, too long a text."""
    run_id = await filled(client, [])
    problem(await client.get("/v1/runs/999/search?q=x"), 404, "run_not_found")
    problem(await client.get("/v1/runs/999/output"), 404, "run_not_found")
    for query in ("", "?q=", f"?q={'x' * 201}", "?q=x&limit=0", "?q=x&limit=10001"):
        problem(await client.get(f"/v1/runs/{run_id}/search{query}"), 422, "invalid_field")
    problem(await client.get(f"/v1/runs/{run_id}/output?stream=both"), 422, "invalid_field")
    assert contains("x", "x", b"null")


async def test_output(client: httpx.AsyncClient) -> None:
    """Lines as they were printed, of one stream or both; what is no log of ours is left out."""
    printed = [
        ("log", {"stream": "stdout", "offset": 0, "lines": ["one", "", "  two é"]}),
        ("log", {"stream": "stderr", "offset": 0, "lines": ["\x1b[31mred\x1b[0m"]}),
        ("message", {"text": "not printed"}),
        ("log", {"message": "a reporter's own"}),
        ("log", ["what", "ever"]),
        ("log", {"stream": "stdout", "lines": ["<script>"]}),
    ]
    run_id = await filled(client, [{"type": kind, "payload": payload} for kind, payload in printed])
    path = f"/v1/runs/{run_id}/output"
    both = await client.get(path)
    assert both.text == "one\n\n  two é\n\x1b[31mred\x1b[0m\n<script>\n"
    assert both.headers["content-type"] == "text/plain; charset=utf-8"
    assert both.headers["content-disposition"] == f'attachment; filename="run-{run_id}-output.txt"'
    assert both.headers["x-content-type-options"] == "nosniff"
    out = await client.get(path, params={"stream": "stdout"})
    assert out.text == "one\n\n  two é\n<script>\n"
    assert out.headers["content-disposition"].endswith('-stdout.txt"')
    assert (await client.get(path, params={"stream": "stderr"})).text == "\x1b[31mred\x1b[0m\n"
    assert (await client.get(path, params={"attempt": 7})).content == b""


async def test_a_large_output(remote: httpx.AsyncClient, server: Server) -> None:
    """It comes in pieces over a real connection, whole and in order."""
    lines = [[f"{n} {'x' * 200}", "second"] for n in range(6000)]
    events = [{"type": "log", "payload": {"stream": "stdout", "lines": each}} for each in lines]
    run_id = await filled(remote, [each for event in events for each in (event, {"type": "t"})])
    response = await remote.get(f"/v1/runs/{run_id}/output?stream=stdout")
    assert response.text.splitlines() == [line for each in lines for line in each]
    assert server.port


@pytest.mark.postgres
async def test_candidates_in_both_databases(database: Any) -> None:
    """The database's part of the search finds the same on both."""
    from agentrunner.store import search_events as store

    async def fill(tx: Any) -> None:
        rows = [(1, n + 1, 1, 1, kind, "info", payload, 0, None, None, None) for n, (kind, payload) in enumerate(ROWS)]
        columns = "run_id, seq, attempt, ts, type, level, payload, late, producer, client_seq, extra"
        await tx.insert("events", columns, rows)

    await database.write(fill)
    for part, seqs in (("needle", [1, 3, 4]), ("100%", [2, 4]), ("a_b", [4]), ("log", [3, 4]), ("", [1, 2, 3, 4])):
        found = await database.read(store.candidates, 1, (0, 10), part, 10)
        assert [each.seq for each in found] == seqs, part
    assert [each.seq for each in await database.read(store.printed, 1, (0, 10), 10)] == [3]
    assert await database.read(store.candidates, 1, (3, 3), "", 10) == []


ROWS = [
    ("t", '{"text": "a NEEDLE"}'),
    ("t", '{"text": "100% aXb"}'),
    ("log", '{"stream": "stdout", "lines": ["needle"]}'),
    ("t", r'{"text": "\u006eeedle a\u005fb 100%"}'),
]
