"""Creating runs, wishing for them, retrying them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from agentrunner.domain.errors import (
    BackendUnsupported,
    BadOptions,
    IdempotencyMismatch,
    InvalidField,
    InvalidTransition,
    LimitUnsupported,
    NameTaken,
    ProjectNotFound,
    RunNotFound,
    TooManyRequests,
)
from agentrunner.domain.event import new_event
from agentrunner.domain.project import NewProject
from agentrunner.domain.run import MASK, NewRun, Run
from agentrunner.domain.state import Desired, Hold, OnLost, Phase, Reason, Status
from agentrunner.engine import events, projects, runs
from agentrunner.engine.explain import explain
from agentrunner.engine.runs import Wished
from engine.world import START, TABLES, World

Act = Callable[[Any, int], Awaitable[Wished]]
ACTS: dict[str, Act] = {"pause": runs.pause, "resume": runs.resume, "stop": runs.stop}


async def test_a_created_run_waits_and_says_so(world: World) -> None:
    """QUEUED, one event, every field as asked for."""
    run = await world.create(goal="do it", labels={"team": "a"}, metadata={"k": [1]}, priority=3, on_lost="fail")
    assert run == await world.run(run.id)
    assert (run.status, run.phase, run.hold, run.attempt, run.last_seq) == (Status.QUEUED, None, None, 1, 1)
    assert (run.title, run.labels, run.metadata, run.priority) == ("do it", {"team": "a"}, {"k": [1]}, 3)
    assert (run.on_lost, run.created_at, run.started_at) == (OnLost.FAIL, START, None)
    assert await world.last(run.id) == (
        "run.created",
        {"title": "do it", "backend": "command", "project": "default"},
    )


async def test_a_reported_run_is_running_at_once(world: World) -> None:
    """Another program runs it: no queue, no worker."""
    run = await world.create(backend="external", external_id="theirs")
    assert (run.status, run.phase, run.started_at, run.worker_id) == (Status.RUNNING, Phase.WORKING, START, None)
    worker = await world.register(backends=["external", "command"])
    assert await worker.claim() == []


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"goal": "a\x00b"}, InvalidField),
        ({"title": "\x00"}, InvalidField),
        ({"agent": "\x00"}, InvalidField),
        ({"external_id": "\x00"}, InvalidField),
        ({"project": "\x00"}, InvalidField),
        ({"labels": {"a": "\x00"}}, InvalidField),
        ({"backend": "unheard"}, InvalidField),
        ({"options": {"bad": 1}}, BadOptions),
        ({"project": "nowhere"}, ProjectNotFound),
    ],
)
async def test_what_cannot_be_created(world: World, fields: dict[str, Any], error: type[Exception]) -> None:
    """Refused with what is wrong, and nothing is stored."""
    with pytest.raises(error):
        await world.create(**fields)
    assert await world.rows("SELECT id FROM runs") == []


async def test_nul_inside_json_is_kept(world: World) -> None:
    """Options and metadata are JSON, where NUL is an escape like any other."""
    run = await world.create(options={"x": "a\x00b"}, metadata={"y": "\x00"})
    assert (await world.run(run.id)).options == {"x": "a\x00b"}


async def test_a_batch_is_all_or_none(world: World) -> None:
    """One bad request among good ones, and no run, no event, no counter is left."""
    for bad in ({"project": "nowhere"}, {"external_id": "a"}, {"options": {"bad": 1}}):
        with pytest.raises((ProjectNotFound, NameTaken, BadOptions)):
            await world.many([{"external_id": "a"}, {"goal": "b"}, bad])
    for table in ("runs", "events", "labels", "counts"):
        assert await world.rows(f"SELECT * FROM {table}") == []
    assert [run.goal for run in await world.many([{"goal": str(n)} for n in range(1000)])] == [
        str(n) for n in range(1000)
    ]


async def test_a_batch_may_mix_queued_and_reported_runs(world: World) -> None:
    """Each gets its own status, and the counters follow."""
    created = await world.many([{"backend": "external"}, {}, {"backend": "external"}, {}])
    assert [run.status for run in created] == [Status.RUNNING, Status.QUEUED] * 2


async def test_an_external_id_is_taken_once(world: World) -> None:
    """Also by many at once: one wins, the others are told."""
    made = await asyncio.gather(*(world.create(external_id="x") for _ in range(10)), return_exceptions=True)
    assert [isinstance(item, Run) for item in made].count(True) == 1
    assert all(isinstance(item, Run | NameTaken) for item in made)


async def test_the_queue_is_bounded(world: World) -> None:
    """`max_queued` counts what waits, and a batch that does not fit is refused whole."""
    small = world.with_settings(max_queued=2)
    await small.many([{}, {}])
    with pytest.raises(TooManyRequests, match="max_queued"):
        await small.create()
    await (await world.register()).claim()
    with pytest.raises(TooManyRequests):
        await small.many([{}, {}])
    await small.create()


async def test_limits_that_no_worker_enforces(world: World) -> None:
    """Refused with the worker's reason; with one able worker, or none known yet, taken."""
    await world.create(limits={"memory_mb": 100})
    await world.register("w1", limits={"memory_mb": "no cgroup", "cpu": None})
    with pytest.raises(LimitUnsupported, match="no cgroup"):
        await world.create(limits={"memory_mb": 100})
    with pytest.raises(LimitUnsupported, match=r"limits\.pids"):
        await world.create(limits={"pids": 10})
    await world.create(limits={"cpu": 1, "wall_s": 5})
    await world.register("w2", limits={"memory_mb": None})
    await world.create(limits={"memory_mb": 100})


async def test_limits_are_for_one_worker_that_is_there(world: World) -> None:
    """Two that keep one limit each do not keep both; one that has gone counts only where nobody is online."""
    both = {"memory_mb": 100, "pids": 10}
    await world.register("w1", limits={"memory_mb": None, "pids": "no pids", "cpu": None})
    w2 = await world.register("w2", limits={"memory_mb": "no memory", "pids": None, "cpu": None})
    with pytest.raises(LimitUnsupported, match="No worker can enforce"):
        await world.create(limits=both)
    await world.create(limits={"memory_mb": 100})
    world.clock.advance(16)
    await world.create(limits={"memory_mb": 100})
    await w2.heartbeat()
    with pytest.raises(LimitUnsupported, match="no memory"):
        await world.create(limits={"memory_mb": 100})


async def test_a_run_goes_to_a_worker_that_enforces_its_limits(world: World) -> None:
    """One that cannot never gets it, whatever else waits, and the explanation says so."""
    limited = await world.create(limits={"memory_mb": 100}, priority=5)
    plain = await world.create()
    unable = await world.register("w1", limits={"memory_mb": "no cgroup"})
    assert [held.given.run_id for held in await unable.claim(slots=2)] == [plain.id]
    said = await explain(world.s, limited.id)
    assert said.summary == "No online worker can enforce its limits."
    assert said.because == ["w1: no cgroup."]
    able = await world.register("w2", limits={"memory_mb": None})
    assert [held.given.run_id for held in await able.claim(slots=2)] == [limited.id]


async def keyed(world: World, key: str, **fields: Any) -> list[int]:
    """Ids of what a create with a key answers."""
    made = await runs.create(world.s, [msgspec.convert({"backend": "command", **fields}, NewRun)], key)
    return [run.id for run in made]


async def test_an_idempotency_key_repeats_the_answer(world: World) -> None:
    """The same key and body: the same run, however often; another key: another run."""
    first = await keyed(world, "k", goal="a")
    assert await keyed(world, "k", goal="a") == first
    assert await keyed(world, "l", goal="a") != first
    assert len(await world.rows("SELECT id FROM runs")) == 2


async def test_a_repeated_create_answers_the_run_as_it_is_now(world: World) -> None:
    """The run may have moved on since."""
    [run_id] = await keyed(world, "k")
    await runs.stop(world.s, run_id)
    again = await runs.create(world.s, [NewRun(backend="command")], "k")
    assert again == [await world.run(run_id)]
    assert again[0].status is Status.STOPPED


async def test_an_idempotency_key_with_another_body(world: World) -> None:
    """409, also where only a secret differs."""
    await keyed(world, "k", secrets={"A": "1"})
    for other in ({"secrets": {"A": "2"}}, {"goal": "b"}):
        with pytest.raises(IdempotencyMismatch):
            await keyed(world, "k", **other)


async def test_fifty_creates_with_one_key_at_once(world: World) -> None:
    """One run, and all fifty are answered with it."""
    made = await asyncio.gather(*(keyed(world, "k", goal="a") for _ in range(50)))
    assert made == [made[0]] * 50
    assert len(await world.rows("SELECT id FROM runs")) == 1


async def test_a_failed_create_does_not_use_up_its_key(world: World) -> None:
    """All or none includes the key."""
    with pytest.raises(ProjectNotFound):
        await keyed(world, "k", project="later")
    await projects.create(world.s, NewProject(name="later"))
    assert len(await keyed(world, "k", project="later")) == 1


async def test_an_unknown_run(world: World) -> None:
    """Not found, whatever is asked."""
    for act in (runs.get, runs.pause, runs.resume, runs.stop, runs.retry):
        with pytest.raises(RunNotFound):
            await act(world.s, 4711)


async def put_into(world: World, state: str) -> int:
    """A run in one of the states that wishes meet."""
    if state == "external":
        return (await world.create(backend="external")).id
    run_id = (await world.create(retry={"attempts": 2, "backoff_s": 60})).id
    if state.startswith("queued"):
        if state == "queued paused":
            await runs.pause(world.s, run_id)
        return run_id
    if state == "stopped queued":
        await runs.stop(world.s, run_id)
        return run_id
    hold = await (await world.register()).start()
    if state in ("pausing", "paused", "resuming"):
        await runs.pause(world.s, run_id)
    if state in ("paused", "resuming"):
        await hold.fact("run.paused", revision=1)
    if state == "resuming":
        await runs.resume(world.s, run_id)
    if state == "resumed":
        await runs.pause(world.s, run_id)
        await hold.fact("run.paused", revision=1)
        await runs.resume(world.s, run_id)
        await hold.fact("run.resumed", revision=2)
    if state in ("stopping", "stopped"):
        await runs.stop(world.s, run_id)
    if state == "retried":
        await hold.end(Status.FAILED, Reason.NETWORK)
    if state in ("completed", "failed", "stopped"):
        reasons = {"failed": Reason.BAD_CONFIG, "stopped": Reason.STOPPED_BY_USER}
        await hold.end(Status(state.upper()), reasons.get(state))
    return run_id


FACT, OUTSTANDING, CONFLICT, UNSUPPORTED = "fact", "outstanding", "conflict", "unsupported"
ANSWERS = {
    "queued": {"pause": FACT, "resume": CONFLICT, "stop": FACT},
    "queued paused": {"pause": FACT, "resume": FACT, "stop": FACT},
    "retried": {"pause": FACT, "resume": CONFLICT, "stop": FACT},
    "running": {"pause": OUTSTANDING, "resume": CONFLICT, "stop": OUTSTANDING},
    "pausing": {"pause": OUTSTANDING, "resume": OUTSTANDING, "stop": OUTSTANDING},
    "paused": {"pause": FACT, "resume": OUTSTANDING, "stop": OUTSTANDING},
    "resuming": {"pause": OUTSTANDING, "resume": OUTSTANDING, "stop": OUTSTANDING},
    "resumed": {"pause": OUTSTANDING, "resume": FACT, "stop": OUTSTANDING},
    "stopping": {"pause": CONFLICT, "resume": CONFLICT, "stop": OUTSTANDING},
    "completed": {"pause": CONFLICT, "resume": CONFLICT, "stop": CONFLICT},
    "failed": {"pause": CONFLICT, "resume": CONFLICT, "stop": CONFLICT},
    "stopped": {"pause": CONFLICT, "resume": CONFLICT, "stop": FACT},
    "stopped queued": {"pause": CONFLICT, "resume": CONFLICT, "stop": FACT},
    "external": {"pause": UNSUPPORTED, "resume": UNSUPPORTED, "stop": UNSUPPORTED},
}


async def answer_to(world: World, act: str, run_id: int) -> str:
    """What a wish is answered with; a conflict names the present status."""
    status = (await world.run(run_id)).status
    try:
        wished = await ACTS[act](world.s, run_id)
    except InvalidTransition as error:
        return CONFLICT if error.extra == {"current": status} else f"a conflict with {error.extra}"
    except BackendUnsupported:
        return UNSUPPORTED
    assert wished.run == await world.run(run_id)
    return FACT if wished.is_fact else OUTSTANDING


@pytest.mark.parametrize("state", ANSWERS)
@pytest.mark.parametrize("act", ACTS)
async def test_answers_to_wishes(world: World, state: str, act: str) -> None:
    """200 for a fact, 202 while it is outstanding, 409 for the impossible; a repeat is answered the same."""
    run_id = await put_into(world, state)
    expected = ANSWERS[state][act]
    assert await answer_to(world, act, run_id) == expected
    once = await world.run(run_id)
    assert await answer_to(world, act, run_id) == expected
    assert await world.run(run_id) == once, "a repeated wish changes nothing"


async def test_a_paused_queued_run_is_held_until_resumed(world: World) -> None:
    """Hold `operator`; nobody claims it; resumed it starts."""
    run = await world.create()
    worker = await world.register()
    assert (await runs.pause(world.s, run.id)).run.hold is Hold.OPERATOR
    assert await worker.claim() == []
    assert (await runs.resume(world.s, run.id)).run.hold is None
    assert (await worker.take()).given.desired is Desired.RUN


async def test_resuming_keeps_a_back_off_that_is_not_over(world: World) -> None:
    """Who pauses and resumes a run that waits for its next attempt shortens nothing."""
    run_id = await put_into(world, "retried")
    waiting = await world.run(run_id)
    assert (waiting.hold, waiting.hold_until) == (Hold.NOT_BEFORE, START + 60_000)
    await runs.pause(world.s, run_id)
    resumed = (await runs.resume(world.s, run_id)).run
    assert (resumed.hold, resumed.hold_until) == (Hold.NOT_BEFORE, START + 60_000)
    await runs.pause(world.s, run_id)
    world.clock.advance(61)
    resumed = (await runs.resume(world.s, run_id)).run
    assert (resumed.hold, resumed.hold_until) == (None, None)


async def test_stopping_a_queued_run_ends_it_at_once(world: World) -> None:
    """STOPPED, stopped_by_user, one event, an end."""
    run = await world.create()
    stopped = (await runs.stop(world.s, run.id)).run
    assert (stopped.status, stopped.reason, stopped.ended_at) == (Status.STOPPED, Reason.STOPPED_BY_USER, START)
    assert await world.types(run.id) == ["run.created", "run.stopped"]


async def test_stop_is_final(world: World) -> None:
    """The wish stays stop, and the worker's outcome makes it a fact."""
    run = await world.create()
    hold = await (await world.register()).start()
    assert (await runs.stop(world.s, run.id)).run.phase is Phase.STOPPING
    assert (await world.types(run.id))[-1] == "run.stop_requested"
    await hold.end(Status.STOPPED, Reason.STOPPED_BY_USER)
    ended = await world.run(run.id)
    assert (ended.status, ended.desired, ended.answered) == (Status.STOPPED, Desired.STOP, ended.revision)


async def test_the_last_wish_wins(world: World) -> None:
    """Pause and resume before anything happened: the worker hears of the resume alone."""
    run = await world.create()
    await (await world.register()).start()
    for act in (runs.pause, runs.resume, runs.pause, runs.resume):
        await act(world.s, run.id)
    now = await world.run(run.id)
    assert (now.desired, now.revision, now.answered) == (Desired.RUN, 4, 0)


async def test_a_wish_for_an_unreachable_run_is_pending(world: World) -> None:
    """202, and since when it is unreachable stays what it was."""
    run = await world.create()
    await (await world.register()).start()
    await world.tick(16)
    world.clock.advance(100)
    for act in (runs.pause, runs.resume, runs.stop):
        wished = await act(world.s, run.id)
        assert not wished.is_fact
        assert (wished.run.phase, wished.run.phase_since) == (Phase.UNREACHABLE, START)


async def test_retry_of_a_finished_run_is_a_new_run(world: World) -> None:
    """The same request but for the id that a client chose, with `retry_of`."""
    asked = {"goal": "g", "title": "t", "labels": {"a": "b"}, "metadata": {"c": 1}, "priority": 2, "agent": "x"}
    policy = {"limits": {"wall_s": 5.0}, "on_lost": "fail", "retry": {"attempts": 3}, "options": {"argv": ["x"]}}
    run = await world.create(**asked, **policy, external_id="e")
    await runs.stop(world.s, run.id)
    new = await runs.retry(world.s, run.id)
    assert (new.external_id, new.retry_of) == (None, run.id)
    same = (*asked, *policy, "project_id", "backend")
    assert [getattr(new, name) for name in same] == [getattr(run, name) for name in same]


@pytest.mark.parametrize("state", ["completed", "failed", "stopped", "stopped queued"])
async def test_every_finished_run_can_be_retried(world: World, state: str) -> None:
    """With its secrets, and leaving the old run alone."""
    run_id = await put_into(world, state)
    before = await world.run(run_id)
    new = await runs.retry(world.s, run_id)
    assert (new.retry_of, new.status, new.attempt, new.goal) == (run_id, Status.QUEUED, 1, before.goal)
    assert await world.run(run_id) == before
    assert await world.last(new.id) == (
        "run.created",
        {"title": new.title, "backend": "command", "project": "default", "retry_of": run_id},
    )


@pytest.mark.parametrize("state", ["queued", "running", "paused", "stopping", "retried"])
async def test_an_unfinished_run_cannot_be_retried(world: World, state: str) -> None:
    """409 with the status."""
    run_id = await put_into(world, state)
    with pytest.raises(InvalidTransition) as caught:
        await runs.retry(world.s, run_id)
    assert caught.value.extra == {"current": (await world.run(run_id)).status}


async def test_a_retry_has_the_secrets(world: World) -> None:
    """Though neither run ever stored them."""
    run = await world.create(options={"env": {"A_KEY": "s3cret", "B": "b"}}, secrets={"C": "other"})
    await runs.stop(world.s, run.id)
    new = await runs.retry(world.s, run.id)
    hold = await (await world.register()).take()
    assert hold.given.run_id == new.id
    assert hold.given.secrets == {"A_KEY": "s3cret", "C": "other"}
    assert hold.given.options == {"env": {"A_KEY": MASK, "B": "b"}}


async def test_a_retry_without_its_secrets_is_refused(world: World) -> None:
    """An agent is never started with stars for a key."""
    run = await world.create(secrets={"C": "other"})
    await runs.stop(world.s, run.id)
    world.s.secrets.delete(run.id)
    with pytest.raises(InvalidTransition, match="secrets"):
        await runs.retry(world.s, run.id)


async def test_a_reported_run_cannot_be_retried(world: World) -> None:
    """Its program is not ours to start."""
    run = await world.create(backend="external")
    await events.ingest(world.s, run.id, [new_event("run.completed")])
    with pytest.raises(BackendUnsupported):
        await runs.retry(world.s, run.id)


SECRETS = ("s3cret-in-env", "s3cret-in-secrets", "s3cret-of-external")


async def test_secrets_are_in_no_table(world: World) -> None:
    """Every column of every row of every table, and every event, after a whole life."""
    await world.create(backend="external", options={"env": {"API_KEY": SECRETS[2]}})
    run = await world.create(options={"env": {"MY_TOKEN": SECRETS[0]}}, secrets={"X": SECRETS[1]})
    assert run.options["env"]["MY_TOKEN"] == MASK
    worker = await world.register()
    hold = await worker.start()
    assert set(hold.given.secrets.values()) == set(SECRETS[:2])
    await hold.end(Status.FAILED, Reason.NETWORK)
    await runs.retry(world.s, run.id)
    for table in TABLES:
        text = repr([tuple(row) for row in await world.rows(f"SELECT * FROM {table}")])
        assert not any(secret in text for secret in SECRETS), table


async def test_pages_of_runs(world: World) -> None:
    """Newest first, by filter, below an id."""
    made = await world.many([{"goal": f"goal {n}", "labels": {"n": str(n % 2)}} for n in range(5)])
    ids = [run.id for run in made]
    assert [run.id for run in await runs.page(world.s, {}, None, 2)] == ids[:-3:-1]
    assert [run.id for run in await runs.page(world.s, {}, ids[2], 10)] == [ids[1], ids[0]]
    assert [run.id for run in await runs.page(world.s, {"labels": [("n", "1")]}, None, 10)] == [ids[3], ids[1]]
    assert [run.id for run in await runs.page(world.s, {"text": ["GOAL 3"]}, None, 10)] == [ids[3]]
    await runs.stop(world.s, ids[0])
    assert [run.id for run in await runs.page(world.s, {"status": [Status.STOPPED]}, None, 10)] == [ids[0]]
