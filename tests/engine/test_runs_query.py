"""Runs by query: every field of the grammar against real runs, on both drivers."""

from collections.abc import Callable

import pytest

from agentrunner.domain.project import NewProject
from agentrunner.domain.query import Query, parse
from agentrunner.domain.state import Reason, Status
from agentrunner.engine import projects, runs, search
from engine.world import Host, World

LABELLED = {"team": "web", "size": "m"}


async def found(world: World, text: str, before: int | None = None, limit: int = 100) -> list[int]:
    """Ids of the runs that match, the newest first."""
    return [run.id for run in await runs.page(world.s, {"query": parse(text)}, before, limit)]


@pytest.fixture
async def life(world: World) -> World:
    """Nine runs that differ: 1 to 3 ended, 4 paused, 5 works, 6 held, 7 waits, 8 is reported, 9 is days younger."""
    await projects.create(world.s, NewProject(name="web app"))
    host = await world.register("w1", name="builder")
    await world.create(title="Login fix", goal="100% of it", agent="claude", labels=LABELLED)
    await _end(world, host, 5, Status.COMPLETED)
    await world.create(title="login again", agent="codex", labels={"team": "api"}, project="web app")
    await _end(world, host, 700, Status.FAILED, Reason.BAD_CONFIG)
    await world.create(title='say "hi"\\', agent="claude")
    await _end(world, host, 60, Status.STOPPED, Reason.STOPPED_BY_USER)
    await host.heartbeat()
    for number in (4, 5):
        await world.create(title=f"active_{number}", agent="a, b")
        hold = await host.start()
        await hold.say()
        if number == 4:
            await runs.pause(world.s, number)
            await hold.fact("run.paused", revision=1)
    await world.create(title="held", backend="other")
    await runs.pause(world.s, 6)
    await world.create(title="waits", backend="other", labels=LABELLED)
    await world.create(title="reported", backend="external")
    world.clock.advance(3 * 86_400)
    await world.create(title="young")
    return world


async def _end(world: World, host: Host, seconds: float, status: Status, reason: Reason | None = None) -> None:
    await host.heartbeat()
    hold = await host.start()
    if status is Status.STOPPED:
        await runs.stop(world.s, hold.given.run_id)
    world.clock.advance(seconds)
    await hold.end(status, reason)


FOUND = {
    "": [9, 8, 7, 6, 5, 4, 3, 2, 1],
    "status:completed": [1],
    "status:failed,stopped": [3, 2],
    "status:failed status:stopped": [],
    "-status:completed,failed,stopped": [9, 8, 7, 6, 5, 4],
    "agent:claude": [3, 1],
    'agent:"a, b",codex': [5, 4, 2],
    "-agent:claude": [9, 8, 7, 6, 5, 4, 2],
    "backend:other": [7, 6],
    'project:"web app"': [2],
    "project:nowhere": [],
    "label:team=web": [7, 1],
    "label:team": [7, 2, 1],
    "label:team=web,team=api": [7, 2, 1],
    "label:team=web label:size=m": [7, 1],
    "-label:team": [9, 8, 6, 5, 4, 3],
    "worker:w1": [5, 4, 3, 2, 1],
    "worker:builder": [5, 4, 3, 2, 1],
    "worker:builder,nobody": [5, 4, 3, 2, 1],
    "worker:nobody": [],
    "reason:bad_config": [2],
    "-reason:bad_config is:terminal": [3, 1],
    "id:2,4,99": [4, 2],
    "since:1d": [9],
    "until:1d": [8, 7, 6, 5, 4, 3, 2, 1],
    "since:2025-11-21T02:00:00Z until:2025-11-21": [8, 7, 6, 5, 4, 3, 2, 1],
    "since:2025-11-22": [9],
    "until:2025-11-20": [],
    "took:>10m is:terminal": [2],
    "took:<=5s": [1],
    "took:>2d": [8, 5, 4],
    "-took:>2d": [9, 7, 6, 3, 2, 1],
    "cost:>0": [],
    "-cost:>0 id:1": [1],
    "phase:working": [8, 5],
    "hold:operator": [6],
    "is:active": [8, 5, 4],
    "is:terminal,held": [6, 3, 2, 1],
    "is:unreachable": [],
    "-is:terminal": [9, 8, 7, 6, 5, 4],
    "login": [2, 1],
    "LOGIN -fix": [2],
    "login fix": [1],
    '"login fix"': [1],
    '"fix login"': [],
    "100%": [1],
    "%": [],
    "log": [],
    "log*": [2, 1],
    "-log*": [9, 8, 7, 6, 5, 4, 3],
    "active_5": [5],
    "active_": [5, 4],
    r'"say \"hi\"\\"': [3],
    "status:queued backend:other -is:held since:30d web label:size=m": [],
    "status:queued backend:other -is:held since:30d label:size=m": [7],
}


@pytest.mark.parametrize("is_indexed", [True, False])
async def test_what_is_found(life: World, is_indexed: bool) -> None:
    """Each query finds just these, before the text is indexed and behind it."""
    if is_indexed:
        await search.index(life.s)
    assert {text: await found(life, text) for text in FOUND} == FOUND


async def test_an_unreachable_worker(life: World) -> None:
    """Its active runs are found, the reported one is not among them."""
    await life.tick(16)
    assert await found(life, "is:unreachable") == [5, 4]
    assert await found(life, "phase:unreachable") == [5, 4]


async def test_a_price(world: World) -> None:
    """What a run cost is compared; a run without a price matches no comparison."""
    await world.create()
    await world.create()
    host = await world.register()
    for hold, dollars in zip(await host.claim(slots=2), (0.5, 2.5), strict=True):
        await hold.fact("cost", usd=dollars)
    await world.create()
    assert (await world.run(1)).cost_usd == 0.5
    assert await found(world, "cost:>0.5") == [2]
    assert await found(world, "cost:>=$0.50") == [2, 1]
    assert await found(world, "cost:<1") == [1]
    assert await found(world, "-cost:<1") == [3, 2]


async def test_pages(life: World) -> None:
    """Below an id, as many as asked for."""
    assert await found(life, "-is:terminal", limit=2) == [9, 8]
    assert await found(life, "-is:terminal", before=8, limit=2) == [7, 6]


async def test_filters_and_query_together(life: World) -> None:
    """Both have to hold."""
    filters = {"agent": ["claude"], "labels": [("team", "web")], "query": parse("-status:failed login")}
    assert [run.id for run in await runs.page(life.s, filters, None, 10)] == [1]


ALWAYS: list[Callable[[str], str]] = [str, lambda text: f"{text} {text}", lambda text: f"{text} id:1,2,3,4,5,6,7,8,9"]


async def test_a_term_and_its_negation_part_the_runs(life: World) -> None:
    """Each run matches one of them, and never both; a term said twice says nothing new."""
    everything = set(await found(life, ""))
    for text in FOUND:
        terms = parse(text).terms
        if len(terms) != 1:
            continue
        plain, negated = str(Query(terms)), f"-{text.removeprefix('-')}"
        if text.startswith("-"):
            negated = text.removeprefix("-")
        one, other = set(await found(life, plain)), set(await found(life, negated))
        assert (one | other, one & other) == (everything, set()), text
        assert [set(await found(life, again(plain))) for again in ALWAYS] == [one] * len(ALWAYS)


async def test_terms_are_joined_by_and(life: World) -> None:
    """Every pair finds what both find."""
    singles = [text for text in FOUND if len(parse(text).terms) == 1]
    for number, text in enumerate(singles):
        other = singles[(number * 7 + 3) % len(singles)]
        both = [run_id for run_id in FOUND[text] if run_id in FOUND[other]]
        assert await found(life, f"{text} {other}") == both, (text, other)
