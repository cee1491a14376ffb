"""Full text: what is indexed, how far, and that a crash, a second server and a deletion leave it right."""

import asyncio
from typing import Any

import msgspec
import pytest

from agentrunner.domain.event import NewEvent, new_event
from agentrunner.domain.query import parse, quoted
from agentrunner.domain.words import phrase
from agentrunner.engine import bulk, events, runs, search
from agentrunner.store import search as stored
from agentrunner.store.base import Tx
from engine.world import World


async def found(world: World, text: str, before: int | None = None, limit: int = 100) -> list[int]:
    """Ids of the runs that match, the newest first."""
    return [run.id for run in await runs.page(world.s, {"query": parse(text)}, before, limit)]


async def report(world: World, run_id: int, type: str, payload: Any) -> None:
    """One event of a reporter."""
    await events.ingest(world.s, run_id, [new_event(type, payload)])


async def documents(world: World) -> int:
    """How many there are."""
    return len(await world.rows("SELECT * FROM search"))


async def test_what_is_indexed(world: World) -> None:
    """Title, goal, messages, errors and how a run ended; no other event, and no name of a field or a role."""
    await world.create(backend="external", title="Alpha", goal="beta gamma")
    for type, payload in {
        "message": {"role": "assistant", "text": "delta"},
        "error": {"kind": "auth", "message": "epsilon"},
        "task.progress": {"text": "zeta"},
        "log": {"lines": ["eta"]},
    }.items():
        await report(world, 1, type, payload)
    await report(world, 1, "message", {"content": [{"type": "text", "text": "theta"}, {"id": "iota"}]})
    await report(world, 1, "message", "kappa")
    await report(world, 1, "run.failed", {"message": "lambda"})
    await search.index(world.s)
    words = "alpha beta gamma delta epsilon theta kappa lambda"
    assert {word: await found(world, word) for word in words.split()} == {word: [1] for word in words.split()}
    others = "zeta eta iota assistant auth role text message"
    assert {word: await found(world, word) for word in others.split()} == {word: [] for word in others.split()}


async def test_terms_meet_across_the_texts_of_a_run(world: World) -> None:
    """A run matches where each term is in some text of it; a phrase has to be in one text."""
    for number in range(1, 7):
        await world.create(backend="external", title=f"job {number}", goal="common")
        if number % 2:
            await report(world, number, "message", {"text": "odd words"})
        if number % 3 == 0:
            await report(world, number, "error", {"message": "three"})
    await search.index(world.s)
    assert await found(world, "common odd") == [5, 3, 1]
    assert await found(world, "common three odd") == [3]
    assert await found(world, "common -odd") == [6, 4, 2]
    assert await found(world, "-odd -three") == [4, 2]
    assert await found(world, '"odd words" job') == [5, 3, 1]
    assert await found(world, '"common odd"') == []
    assert await found(world, "odd status:running id:1,2,5") == [5, 1]
    assert await found(world, "common", before=4, limit=2) == [3, 2]
    assert await found(world, "common -took:<1s cost:>1") == []
    assert await bulk.find(world.s, parse("com* odd"), 5, 10) == [3, 1]


async def test_a_run_with_many_texts_is_one_hit(world: World) -> None:
    """However often a word is in it, and pages neither repeat nor skip runs."""
    for number in range(1, 41):
        await world.create(backend="external", title=f"talk {number}")
        said = [new_event("message", {"text": f"hello number{n}"}) for n in range(10)]
        await events.ingest(world.s, number, said)
    await search.index(world.s)
    seen: list[int] = []
    before = None
    while page := await found(world, "hello", before, 7):
        seen += page
        before = page[-1]
    assert seen == list(range(40, 0, -1))


async def test_a_new_run_is_found_at_once(world: World) -> None:
    """Before it is indexed, with the same rule for words; what is said in it is found once it is indexed."""
    await world.create(title="Müller's src/app.py", backend="external")
    await report(world, 1, "message", {"text": "later"})
    for text in ("muller", '"src app"', "app.py", "MÜLL*", "py id:1"):
        assert await found(world, text) == [1], text
    assert await found(world, "src -muller") == []
    assert await found(world, "later") == []
    await search.index(world.s)
    for text in ("muller", '"src app"', "app.py", "MÜLL*", "py id:1", "later"):
        assert await found(world, text) == [1], text


async def test_how_far_the_index_reaches(world: World) -> None:
    """The time of the oldest event that is missing; nothing where none is, or where no text is looked for."""
    created = world.clock()
    await world.create(title="one")
    world.clock.advance(60)
    await world.create(title="two")
    assert await search.indexed_to(world.s, parse("status:queued")) is None
    assert await search.indexed_to(world.s, parse("one")) == created
    await search.index(world.s)
    assert await search.indexed_to(world.s, parse("one")) is None
    world.clock.advance(60)
    await world.create(title="three")
    assert await search.indexed_to(world.s, parse("-one")) == world.clock()


async def test_a_killed_indexer_goes_on_where_it_was(world: World) -> None:
    """What was gathered and not stored is gathered again; what was stored twice is there once."""
    await world.create(title="alpha", backend="external")
    await report(world, 1, "message", {"text": "beta"})
    lost = await world.s.db.search(stored.gather)
    assert lost is not None
    again = await world.s.db.search(stored.gather)
    assert again == lost
    assert await world.s.db.write(stored.put, lost, stored.documents(lost))
    assert not await world.s.db.write(stored.put, again, stored.documents(again))
    assert await world.s.db.search(stored.gather) is None
    assert await documents(world) == 2
    assert await found(world, "beta") == [1]


async def test_two_servers_index_once(world: World) -> None:
    """Both go on until there is nothing left, and nothing is missing or doubled."""
    await world.many([{"title": f"run {n}"} for n in range(700)])
    await asyncio.gather(search.index(world.s), search.index(world.s))
    await search.index(world.s)
    assert await documents(world) == 700
    assert await found(world, "run", limit=1000) == list(range(700, 0, -1))


async def test_texts_of_deleted_runs_are_gone(world: World) -> None:
    """Their words find nothing, and ids that the database gives out again are indexed anew."""
    for number in range(1, 6):
        await world.create(title=f"old {number}", backend="external")
        await report(world, number, "message", {"text": "said"})
    await search.index(world.s)
    await world.s.db.write(_delete, 4, 5)
    assert await found(world, "old") == [3, 2, 1]
    assert await found(world, "said") == [3, 2, 1]
    assert await documents(world) == 6
    run = await world.create(title="new one", backend="external")
    await report(world, run.id, "message", {"text": "fresh"})
    await search.index(world.s)
    assert await found(world, "new fresh") == [run.id]
    assert await found(world, "old") == [3, 2, 1]
    assert await search.indexed_to(world.s, parse("x")) is None


async def _delete(tx: Tx, first: int, last: int) -> None:
    names = ("old 4", "old 5")
    await tx.run("DELETE FROM events WHERE run_id >= ? AND run_id <= ?", first, last)
    await tx.run("DELETE FROM runs WHERE title IN (?, ?)", *names)
    await tx.run("UPDATE counts SET n = n - 2 WHERE name = 'status/RUNNING'")
    for run_id in range(first, last + 1):
        await stored.forget_run(tx, run_id)


@pytest.mark.parametrize("is_indexed", [True, False])
async def test_a_title_stays_when_events_go(world: World, is_indexed: bool) -> None:
    """Also where they go before the index got there; what they said is gone with them."""
    await world.create(backend="external", title="alpha", goal="beta")
    await report(world, 1, "message", {"text": "gamma"})
    await report(world, 1, "run.failed", {"message": "delta"})
    if is_indexed:
        await search.index(world.s)
    await world.s.db.write(_delete_events, 3)
    await search.index(world.s)
    assert {word: await found(world, word) for word in ("alpha", "beta", "gamma", "delta")} == {
        "alpha": [1],
        "beta": [1],
        "gamma": [],
        "delta": [1],
    }
    await world.s.db.write(_delete_rest)
    assert await found(world, "alpha") == []
    assert await documents(world) == 0


async def _delete_events(tx: Tx, below: int) -> None:
    await tx.run("DELETE FROM events WHERE run_id = 1 AND seq < ?", below)
    await stored.forget_events(tx, 1, 1, below)


async def _delete_rest(tx: Tx) -> None:
    for table in ("events", "counts", "rollups", "reported", "runs"):
        await tx.run(f"DELETE FROM {table}")
    await stored.forget_run(tx, 1)


HOSTILE = [
    '" OR "', "a OR b", "NEAR(a b, 2)", "body : a", "^a", "a AND NOT b", "{x y} : z", "'); DROP TABLE search; --",
    "a:b & !c | (d)", "<->", "*", "**", "a*b*", "\\", "\u202e\ufeff", "\ud7ff\ue000", "\U0010ffff", "''", '""""', "%_%",
]  # fmt: skip


@pytest.mark.parametrize("is_indexed", [True, False])
async def test_hostile_text_is_only_text(world: World, is_indexed: bool) -> None:
    """Operators of either database find what they spell; nothing is an error, and everything finds itself."""
    await world.create(title="a harmless run")
    for text in HOSTILE:
        await world.create(title="t", goal=text)
    await world.create(title="t", goal=" ".join(["x" * 10_000, "y"] * 50))
    if is_indexed:
        await search.index(world.s)
    for number, text in enumerate(HOSTILE, start=2):
        ids = await found(world, quoted(text))
        assert (number in ids) == bool(phrase(text).words), text
    assert await found(world, quoted("harmless OR nothing")) == []
    assert await found(world, "x" * 400) == [len(HOSTILE) + 2]


async def test_a_payload_that_is_cut_is_still_words(world: World) -> None:
    """The beginning of a large text is found, what lies far behind is not, and the index goes on."""
    await world.create(backend="external", title="large")
    await report(world, 1, "message", {"text": "early " + "filler " * 20_000 + "late"})
    await report(world, 1, "message", {"text": "behind"})
    await search.index(world.s)
    assert await found(world, "early") == [1]
    assert await found(world, "late") == []
    assert await found(world, "behind") == [1]


async def test_many_steps(world: World) -> None:
    """More texts than one step takes, and stretches without any, are all taken up."""
    await world.create(backend="external", title="chatty")
    for _ in range(3):
        await events.ingest(world.s, 1, [_said(n) for n in range(400)] + [new_event("log", {"lines": []})] * 2000)
    await search.index(world.s)
    assert await documents(world) == 1201
    assert (await world.s.db.read(stored.reach)).event == 3 * 2400 + 1


def _said(number: int) -> NewEvent:
    return new_event("message", msgspec.to_builtins({"text": f"word{number}"}))


async def test_a_transaction_that_is_under_way_is_waited_for(world: World, url: str | None) -> None:
    """On PostgreSQL, where a smaller event id may be committed later, none is passed over."""
    if url is None:
        pytest.skip("SQLite commits in the order of ids")
    began, go_on = asyncio.Event(), asyncio.Event()

    async def slow(tx: Tx) -> None:
        await tx.run("UPDATE runs SET priority = 0 WHERE id = 1")
        await tx.run(
            """INSERT INTO events (run_id, seq, attempt, ts, type, level, payload, late)
               VALUES (1, 2, 1, 0, 'message', 'info', '{"text": "slow"}', 0)"""
        )
        await tx.run("UPDATE runs SET last_seq = 2 WHERE id = 1")
        began.set()
        await go_on.wait()

    await world.create(backend="external")
    async with asyncio.TaskGroup() as group:
        group.create_task(world.s.db.write(slow))
        async with asyncio.timeout(10):
            await began.wait()
        await world.create(title="quick", backend="external")
        for _ in range(3):
            await search.index(world.s)
        assert await found(world, "quick") == [2]
        go_on.set()
    for _ in range(3):
        await search.index(world.s)
    assert await found(world, "slow") == [1]
    assert await search.indexed_to(world.s, parse("slow")) is None
