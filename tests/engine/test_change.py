"""A change of a run: row, events, counters and wake-ups together."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from agentrunner.domain.errors import InvalidTransition
from agentrunner.domain.event import new_event
from agentrunner.domain.run import Run
from agentrunner.domain.state import REASONS, TRANSITIONS, Cause, Phase, Reason, Status
from agentrunner.engine.change import Change, counter_changes, ending_event
from agentrunner.engine.runs import locked
from agentrunner.engine.wakeups import QUEUE_TOPIC, RUNS_TOPIC, run_topic
from agentrunner.store.base import Tx
from domain.stored import run as a_run
from engine.world import START, World
from waiting import eventually

Use = Callable[[Change], None]


async def changed(world: World, run_id: int, use: Use) -> Run:
    """Run `use` on a change of the run and save it."""

    async def write(tx: Tx) -> Run:
        change = Change(await locked(tx, run_id), world.clock())
        use(change)
        return await change.save(tx)

    return await world.s.db.write(write)


async def test_nothing_gathered_writes_nothing(world: World) -> None:
    """Neither a row nor a wake-up."""
    run = await world.create()
    heard = await listen(world)
    assert await changed(world, run.id, lambda change: change.set(title=run.title)) == run
    await world.create()
    assert run_topic(run.id) not in heard


async def test_events_are_numbered_on_from_the_row(world: World) -> None:
    """Their own time and attempt, or those of the change."""
    run = await world.create()
    world.clock.advance(1)

    def emit(change: Change) -> None:
        change.emit(new_event("a", ts=5))
        change.emit(new_event("b"), late=True, attempt=1)

    assert (await changed(world, run.id, emit)).last_seq == 3
    _, one, two = await world.events(run.id)
    assert [(event.seq, event.ts, event.late) for event in (one, two)] == [(2, 5, False), (3, START + 1000, True)]


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("cause", Cause)
def test_moves_follow_the_table(status: Status, cause: Cause) -> None:
    """In the table: the new status and its one event; else InvalidTransition and nothing gathered."""
    change = Change(stored(status=status), START)
    after = TRANSITIONS.get((status, cause))
    if after is None:
        with pytest.raises(InvalidTransition) as caught:
            change.move(cause)
        assert caught.value.extra == {"current": status}
        assert change.run == stored(status=status)
        return
    change.move(cause)
    assert (change.run.status, change.run.last_seq) == (after, 2)


def test_entering_a_phase() -> None:
    """With since when; none has no since."""
    change = Change(stored(), START + 9)
    change.enter(Phase.WORKING)
    assert (change.run.phase, change.run.phase_since) == (Phase.WORKING, START + 9)
    change.enter(None)
    assert (change.run.phase, change.run.phase_since) == (None, None)


def test_ending_events() -> None:
    """What is not known is left out; a failure is an error, and says what to do."""
    event = ending_event(Cause.FAILED, Reason.NETWORK, exit_code=None)
    assert (event.type, event.level) == ("run.failed", "error")
    advice = REASONS[Reason.NETWORK].what_to_do
    assert msgspec.json.decode(event.payload) == {"reason": "network", "what_to_do": advice}
    assert ending_event(Cause.COMPLETED, None).level == "info"


@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("after", Status)
@pytest.mark.parametrize("fields", [{}, {"agent": "a"}, {"backend": "external"}])
def test_counters_are_the_difference(before: Status, after: Status, fields: dict[str, Any]) -> None:
    """Taking a run out under its old status and putting it in under the new one."""
    old, new = stored(status=before, **fields), stored(status=after, **fields)
    total = Counter(counter_changes(None, old))
    total.update(counter_changes(old, new))
    assert +total == +Counter(counter_changes(None, new))


WAKING: list[tuple[str, Use, set[str]]] = [
    ("an event", lambda change: change.emit(new_event("x")), set()),
    ("a field", lambda change: change.set(title="new"), {RUNS_TOPIC}),
    ("an end", lambda change: change.move(Cause.COMPLETED, ended_at=START, phase=None, phase_since=None, epoch=9),
     {RUNS_TOPIC, QUEUE_TOPIC}),
]  # fmt: skip


@pytest.mark.parametrize(("use", "topics"), [case[1:] for case in WAKING], ids=[case[0] for case in WAKING])
async def test_wake_ups(world: World, use: Use, topics: set[str]) -> None:
    """Whoever follows the run always; lists when the row changed; the queue when room was made. After the commit."""
    run = await world.create(backend="external") if not topics & {QUEUE_TOPIC} else await world.create()
    if topics & {QUEUE_TOPIC}:
        await (await world.register()).start()
    heard = await listen(world)
    await changed(world, run.id, use)
    await until_heard(world, heard, {run_topic(run.id), *topics})
    assert {topic for topic in heard if topic in (run_topic(run.id), RUNS_TOPIC, QUEUE_TOPIC)} == {
        run_topic(run.id),
        *topics,
    }
    if topics & {QUEUE_TOPIC}:
        await world.s.db.write(_end_attempts)


async def _end_attempts(tx: Tx) -> None:
    await tx.run("UPDATE attempts SET ended_at = 0")


async def listen(world: World) -> list[str]:
    """What is announced from now on; what was committed before has arrived."""
    heard: list[str] = []
    world.s.db.listen(heard.append)

    async def mark(tx: Tx) -> None:
        tx.after_commit("mark")

    await world.s.db.write(mark)
    await until_heard(world, heard, {"mark"})
    heard.clear()
    return heard


async def until_heard(world: World, heard: list[str], topics: set[str]) -> None:
    """Wait until these topics came; they may come behind the answer."""

    async def all_came() -> bool:
        return topics <= set(heard)

    await eventually(all_came)


async def test_no_wake_up_without_a_commit(world: World) -> None:
    """What is undone is not announced, and its event is not there."""
    run = await world.create()
    heard = await listen(world)

    async def fail(tx: Tx) -> None:
        change = Change(await locked(tx, run.id), START)
        change.move(Cause.STOPPED, ended_at=START)
        await change.save(tx)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await world.s.db.write(fail)
    assert await world.run(run.id) == run
    await world.create()
    await until_heard(world, heard, {QUEUE_TOPIC})
    assert run_topic(run.id) not in heard


def stored(**fields: Any) -> Run:
    """A stored run."""
    return a_run(**{"last_seq": 1, **fields})
