"""What workers record: once, in order, all or none, and what it changes."""

from typing import Any

import msgspec
import pytest

from agentrunner.domain.control import MAX_STATE_BYTES, NULL, Offsets, Part, RecordAnswer
from agentrunner.domain.errors import InvalidField, OffsetMismatch, RunNotFound, StaleEpoch
from agentrunner.domain.event import EventType, NewEvent, new_event
from agentrunner.domain.run import Usage
from agentrunner.domain.state import Desired, Hold, Phase, Reason, Status
from agentrunner.engine import events, runs
from engine.world import START, Held, World


async def started(world: World, **fields: Any) -> Held:
    """A run whose program was started."""
    await world.create(**fields)
    return await (await world.register()).start()


async def test_parts_are_stored_in_their_order(world: World) -> None:
    """One call, one transaction: `seq` follows the order of parts and of events in them."""
    hold = await started(world)
    said = [new_event("log", {"n": n}) for n in range(4)]
    parts = [hold.part("out", *said[:2]), hold.part("err", said[2]), hold.part("out", said[3], size=5)]
    answer = await hold.record(*parts)
    stored = (await world.events(hold.given.run_id))[-4:]
    assert [msgspec.json.decode(event.payload)["n"] for event in stored] == [0, 1, 2, 3]
    assert [event.seq for event in stored] == list(range(answer.last_seq - 3, answer.last_seq + 1))
    assert (answer.offsets, answer.ended) == (Offsets(out=15, err=10, journal=10), False)


async def test_states_are_stored_with_offsets(world: World) -> None:
    """The last part of a stream decides; another stream's state stays."""
    hold = await started(world)
    await hold.record(hold.part("out", state={"a": 1}), hold.part("err", state=[2]))
    answer = await hold.record(hold.part("out", state={"a": 3}))
    assert (bytes(answer.states.out), bytes(answer.states.err)) == (b'{"a":3}', b"[2]")
    assert answer.states.journal == NULL
    again = await hold.record()
    assert (again.offsets, again.states) == (answer.offsets, answer.states)


async def test_a_repeated_part_is_stored_once(world: World) -> None:
    """A lost answer costs nothing: the same call again answers the same and stores nothing."""
    hold = await started(world)
    parts = [hold.part("out", new_event("log"), state=[1]), hold.part("journal", new_event("run.paused"))]
    first = await hold.record(*parts)
    assert await hold.record(*parts) == first
    assert (await world.types(hold.given.run_id)).count("run.paused") == 1


async def test_a_call_may_repeat_and_go_on(world: World) -> None:
    """Known parts are skipped, the new ones behind them stored."""
    hold = await started(world)
    old = hold.part("out", new_event("log", {"n": 1}))
    await hold.record(old)
    answer = await hold.record(old, hold.part("out", new_event("log", {"n": 2})))
    assert answer.offsets.out == 20
    assert (await world.types(hold.given.run_id)).count("log") == 2


@pytest.mark.parametrize(("start", "end"), [(11, 12), (5, 15), (0, 11)])
async def test_a_part_that_does_not_fit(world: World, start: int, end: int) -> None:
    """A gap or an overlap is refused with what is stored."""
    hold = await started(world)
    await hold.record(hold.part("out", state=[1]))
    wrong = Part(stream="out", start=start, end=end, events=[new_event("log")])
    with pytest.raises(OffsetMismatch) as caught:
        await hold.record(wrong)
    assert caught.value.extra["offsets"] == {"out": 10, "err": 0, "journal": 10}
    assert bytes(caught.value.extra["states"].out) == b"[1]"


async def test_a_mismatch_undoes_the_whole_call_and_answers_what_is_stored(world: World) -> None:
    """Not the offsets that the good parts before it would have given: those parts are undone."""
    hold = await started(world)
    before = await world.run(hold.given.run_id)
    good = hold.part("err", new_event("log"), state=[1])
    with pytest.raises(OffsetMismatch) as caught:
        await hold.record(good, Part(stream="out", start=3, end=4))
    assert caught.value.extra["offsets"] == {"out": 0, "err": 0, "journal": 10}
    assert caught.value.extra["states"].err == NULL
    assert await world.run(before.id) == before
    assert (await hold.record(good)).offsets.err == 10


@pytest.mark.parametrize(
    "part",
    [
        Part(stream="out", start=5, end=4),
        Part(stream="out", start=-1, end=4),
        Part(stream="out", start=0, end=0, events=[new_event("log")]),
        Part(stream="out", start=0, end=1, state=msgspec.Raw(b'"' + b"x" * MAX_STATE_BYTES + b'"')),
        Part(stream="out", start=0, end=1, events=[new_event("run.started")]),
        Part(stream="err", start=0, end=1, events=[new_event("input.delivered", {"id": 1})]),
        Part(stream="journal", start=10, end=11, events=[new_event("run.completed")]),
        Part(stream="journal", start=10, end=11, events=[new_event("run.paused", {"revision": "x"})]),
        Part(stream="out", start=0, end=1, events=[new_event("usage", {"input_tokens": "many"})]),
    ],
)
async def test_parts_that_are_none(world: World, part: Part) -> None:
    """Refused as a field, and nothing is stored: output never says facts, and only the server ends a run."""
    hold = await started(world)
    before = await world.run(hold.given.run_id)
    with pytest.raises(InvalidField):
        await hold.record(part)
    assert await world.run(before.id) == before


async def test_an_outcome_needs_everything_stored(world: World) -> None:
    """Unequal sizes are refused and end nothing; equal ones may come with the last parts."""
    hold = await started(world)
    last = hold.part("out", new_event("log"))
    with pytest.raises(OffsetMismatch) as caught:
        await hold.record(outcome=hold.outcome(Status.COMPLETED))
    assert caught.value.extra["offsets"] == {"out": 0, "err": 0, "journal": 10}
    assert (await world.run(hold.given.run_id)).status is Status.RUNNING
    answer = await hold.record(last, outcome=hold.outcome(Status.COMPLETED, exit_code=0))
    assert (answer.status, answer.ended) == (Status.COMPLETED, True)
    assert (await world.types(hold.given.run_id))[-2:] == ["log", "run.completed"]


async def test_sizes_below_what_is_stored_are_wrong_too(world: World) -> None:
    """Equal means equal."""
    hold = await started(world)
    await hold.say()
    with pytest.raises(OffsetMismatch):
        await hold.record(outcome=hold.outcome(Status.COMPLETED, sizes=Offsets(journal=10)))


async def test_parts_before_a_refused_outcome_are_undone(world: World) -> None:
    """All or none: the mismatch names what was stored before the call."""
    hold = await started(world)
    part = hold.part("out", new_event("log"))
    outcome = hold.outcome(Status.COMPLETED, sizes=Offsets(out=99, journal=10))
    with pytest.raises(OffsetMismatch) as caught:
        await hold.record(part, outcome=outcome)
    assert caught.value.extra["offsets"]["out"] == 0
    assert "log" not in await world.types(hold.given.run_id)


@pytest.mark.parametrize(("status", "reason"), [(Status.RUNNING, None), (Status.QUEUED, None), (Status.FAILED, None)])
async def test_an_outcome_that_is_none(world: World, status: Status, reason: Reason | None) -> None:
    """A terminal status, and a reason for a failure."""
    hold = await started(world)
    with pytest.raises(InvalidField):
        await hold.end(status, reason)


async def test_the_end_of_a_run(world: World) -> None:
    """Row, attempt and the last event say the same."""
    hold = await started(world)
    await runs.pause(world.s, hold.given.run_id)
    world.clock.advance(2)
    fields = {"exit_code": 3, "signal": None, "message": "it\x00 broke", "details": {"leftover": 1}}
    await hold.end(Status.FAILED, Reason.EXIT_NONZERO, **fields)
    run = await world.run(hold.given.run_id)
    assert (run.status, run.reason, run.exit_code, run.phase, run.hold) == (
        Status.FAILED,
        Reason.EXIT_NONZERO,
        3,
        None,
        None,
    )
    assert (run.message, run.ended_at, run.answered) == ("it\ufffd broke", START + 2000, run.revision)
    kind, payload = await world.last(run.id)
    assert kind == "run.failed"
    assert payload.pop("what_to_do")
    assert payload == {
        "leftover": 1,
        "attempt": 1,
        "reason": "exit_nonzero",
        "exit_code": 3,
        "message": "it\x00 broke",
        "duration_ms": 2000,
    }
    [attempt] = await world.rows("SELECT status, reason, exit_code, ended_at FROM attempts")
    assert tuple(attempt) == ("FAILED", "exit_nonzero", 3, START + 2000)


async def test_a_repeated_end_is_answered_again(world: World) -> None:
    """The worker may not have heard: the same call answers `ended` and stores nothing."""
    hold = await started(world)
    part, outcome = hold.part("out", new_event("log")), hold.outcome(Status.COMPLETED)
    first = await hold.record(part, outcome=outcome)
    assert await hold.record(part, outcome=outcome) == first
    assert await hold.record() == first


async def test_what_comes_after_the_end(world: World) -> None:
    """New parts are refused unless said to be late; then they are stored flagged, once, and change nothing."""
    hold = await started(world)
    await hold.end(Status.COMPLETED)
    before = await world.run(hold.given.run_id)
    parts = [
        hold.part("out", new_event("log"), new_event("usage", {"output_tokens": 7})),
        hold.part("journal", new_event("run.paused", {"revision": 1}), new_event("run.started", {"pid": 9})),
    ]
    with pytest.raises(StaleEpoch) as caught:
        await hold.record(*parts)
    assert caught.value.extra == {"ended": True}
    answer = await hold.record(*parts, late=True)
    assert await hold.record(*parts, late=True) == answer
    assert await world.run(before.id) == msgspec.structs.replace(before, last_seq=before.last_seq + 4)
    assert [event.late for event in await world.events(before.id)][-5:] == [False, True, True, True, True]
    assert (answer.status, answer.ended, answer.offsets.out) == (Status.COMPLETED, True, 10)


async def test_a_late_outcome_changes_nothing(world: World) -> None:
    """A terminal status is final."""
    hold = await started(world)
    await hold.end(Status.COMPLETED)
    await hold.record(outcome=hold.outcome(Status.FAILED, Reason.NETWORK), late=True)
    await hold.record(outcome=hold.outcome(Status.FAILED, Reason.NETWORK))
    assert (await world.run(hold.given.run_id)).status is Status.COMPLETED


async def test_nothing_is_late_before_the_end(world: World) -> None:
    """A live attempt's output is not flagged away."""
    hold = await started(world)
    with pytest.raises(StaleEpoch):
        await hold.record(hold.part("out", new_event("log")), late=True)


@pytest.mark.parametrize("change", [{"uid": "other"}, {"worker_id": "w2"}, {"attempt": 2}, {"epoch": 0}, {"epoch": 9}])
async def test_somebody_elses_attempt(world: World, change: dict[str, Any]) -> None:
    """Another name, worker, number or epoch: refused, nothing stored."""
    hold = await started(world)
    await world.register("w2")
    request = msgspec.structs.replace(hold.request(hold.part("out", new_event("log"))), **change)
    with pytest.raises(StaleEpoch):
        await events.record(world.s, request)
    assert "log" not in await world.types(hold.given.run_id)


async def test_the_start_is_a_fact(world: World) -> None:
    """Phases: preparing until the journal says started, starting until the first output, then working."""
    run = await world.create()
    hold = await (await world.register()).take()
    claimed = await world.run(run.id)
    assert (claimed.phase, claimed.started_at) == (Phase.PREPARING, None)
    world.clock.advance(1)
    await hold.fact("run.started", pid=77)
    at = await world.run(run.id)
    assert (at.phase, at.phase_since, at.started_at) == (Phase.STARTING, START + 1000, START + 1000)
    [attempt] = await world.rows("SELECT started_at, process FROM attempts")
    assert (attempt[0], msgspec.json.decode(attempt[1])) == (START + 1000, {"pid": 77})
    await hold.fact("limit", limit="x")
    assert (await world.run(run.id)).phase is Phase.STARTING
    await hold.say()
    assert (await world.run(run.id)).phase is Phase.WORKING


async def test_pause_and_resume_are_facts(world: World) -> None:
    """The wish changes nothing but itself; the journal changes the status and says which wish it answers."""
    hold = await started(world)
    run_id = hold.given.run_id
    assert (await runs.pause(world.s, run_id)).run.status is Status.RUNNING
    await hold.fact("run.paused", revision=1)
    paused = await world.run(run_id)
    assert (paused.status, paused.phase, paused.answered) == (Status.PAUSED, None, 1)
    await runs.resume(world.s, run_id)
    await hold.fact("run.resumed", revision=2)
    resumed = await world.run(run_id)
    assert (resumed.status, resumed.phase, resumed.answered) == (Status.RUNNING, Phase.WORKING, 2)


async def test_a_fact_answers_no_later_wish(world: World) -> None:
    """Paused by the first wish, while the second wish is not answered."""
    hold = await started(world)
    await runs.pause(world.s, hold.given.run_id)
    await runs.resume(world.s, hold.given.run_id)
    await hold.fact("run.paused", revision=1)
    run = await world.run(hold.given.run_id)
    assert (run.status, run.desired, run.answered, run.revision) == (Status.PAUSED, Desired.RUN, 1, 2)
    await hold.fact("run.paused", revision=99)
    assert (await world.run(hold.given.run_id)).answered == 2, "nothing beyond what was wished is answered"


async def test_a_fact_that_is_so_already_is_written_down(world: World) -> None:
    """Resumed while running answers the wish and changes no status."""
    hold = await started(world)
    await runs.pause(world.s, hold.given.run_id)
    await runs.resume(world.s, hold.given.run_id)
    await hold.fact("run.resumed", revision=2)
    run = await world.run(hold.given.run_id)
    assert (run.status, run.answered) == (Status.RUNNING, 2)


async def test_a_stop_shows_while_frozen(world: World) -> None:
    """Paused before the stop reached it, then thawed to die: the phase stays stopping."""
    hold = await started(world)
    await runs.pause(world.s, hold.given.run_id)
    await runs.stop(world.s, hold.given.run_id)
    for fact in ("run.paused", "run.resumed"):
        await hold.fact(fact, revision=1)
        assert (await world.run(hold.given.run_id)).phase is Phase.STOPPING


async def test_paused_and_resumed_in_one_call(world: World) -> None:
    """Two changes, two events, though the row ends where it began."""
    hold = await started(world)
    one = hold.part("journal", new_event("run.paused"), new_event("run.resumed"), new_event("run.paused"))
    await hold.record(one)
    assert (await world.types(hold.given.run_id))[-3:] == ["run.paused", "run.resumed", "run.paused"]
    assert (await world.run(hold.given.run_id)).status is Status.PAUSED


async def test_usage_and_cost_are_sums(world: World) -> None:
    """Over all attempts, field by field."""
    hold = await started(world, retry={"attempts": 2, "backoff_s": 0})
    counted = new_event("usage", {"input_tokens": 3, "output_tokens": 5})
    await hold.record(hold.part("out", counted, new_event("cost", {"usd": 0.5}), counted))
    await hold.end(Status.FAILED, Reason.NETWORK)
    again = await (await world.register()).start()
    await again.record(
        again.part("out", new_event("usage", {"cache_read_tokens": 1}), new_event("cost", {"usd": 0.25}))
    )
    run = await world.run(hold.given.run_id)
    assert run.usage == Usage(input_tokens=6, output_tokens=10, cache_read_tokens=1)
    assert run.cost_usd == 0.75


async def retried(world: World, hold: Held, reason: Reason, **outcome: Any) -> RecordAnswer:
    """End an attempt so that its policy tries again."""
    return await hold.end(Status.FAILED, reason, **outcome)


async def test_automatic_retry(world: World) -> None:
    """RUNNING -> QUEUED with hold `not_before`, never a terminal status; then a new attempt with a new name."""
    hold = await started(world, retry={"attempts": 3, "backoff_s": 10})
    answer = await retried(world, hold, Reason.NETWORK, exit_code=1)
    assert (answer.status, answer.ended) == (Status.QUEUED, True)
    run = await world.run(hold.given.run_id)
    assert (run.attempt, run.hold, run.hold_until, run.worker_id) == (2, Hold.NOT_BEFORE, START + 10_000, None)
    assert (run.reason, run.exit_code, run.ended_at, run.phase) == (None, None, None, None)
    kind, payload = await world.last(run.id)
    assert (kind, payload["reason"], payload["next_attempt"], payload["delay_s"]) == ("run.retried", "network", 2, 10)
    worker = await world.register()
    assert await worker.claim() == []
    world.clock.advance(10)
    await worker.heartbeat()
    second = await worker.start()
    assert (second.given.attempt, second.given.uid != hold.given.uid) == (2, True)
    assert second.given.offsets == Offsets()
    assert [event.attempt for event in await world.events(run.id)][-2:] == [2, 2]
    await retried(world, second, Reason.NETWORK)
    assert (await world.run(run.id)).hold_until == START + 10_000 + 20_000
    world.clock.advance(20)
    await worker.heartbeat()
    await retried(world, await worker.start(), Reason.NETWORK)
    assert (await world.run(run.id)).status is Status.FAILED


@pytest.mark.parametrize(
    ("fields", "reason", "outcome"),
    [
        ({"retry": {"attempts": 1}}, Reason.NETWORK, {}),
        ({"retry": {"attempts": 3}}, Reason.BAD_CONFIG, {}),
        ({"retry": {"attempts": 3, "reasons": ["signal"]}}, Reason.NETWORK, {}),
        ({"retry": {"attempts": 3}}, Reason.WORKER_LOST, {"final": True}),
        ({"on_lost": "retry"}, Reason.WORKER_LOST, {"final": True}),
        ({"on_lost": "wait"}, Reason.WORKER_LOST, {}),
    ],
)
async def test_failures_that_are_final(
    world: World, fields: dict[str, Any], reason: Reason, outcome: dict[str, Any]
) -> None:
    """No attempt left, a reason that helps nobody, a reason not asked for, or an agent that may live elsewhere."""
    hold = await started(world, **fields)
    assert (await retried(world, hold, reason, **outcome)).status is Status.FAILED


async def test_a_shim_that_ended_itself_is_tried_again(world: World) -> None:
    """`on_lost: retry` holds too where the worker comes back in time to say what happened."""
    hold = await started(world, on_lost="retry")
    assert (await retried(world, hold, Reason.WORKER_LOST)).status is Status.QUEUED


async def test_a_wished_stop_is_not_retried(world: World) -> None:
    """Whatever the end was called."""
    hold = await started(world, retry={"attempts": 3})
    await runs.stop(world.s, hold.given.run_id)
    assert (await retried(world, hold, Reason.NETWORK)).status is Status.FAILED


async def test_a_wished_pause_outlives_the_attempt(world: World) -> None:
    """The next attempt is held until somebody resumes."""
    hold = await started(world, retry={"attempts": 2, "backoff_s": 0})
    await runs.pause(world.s, hold.given.run_id)
    await hold.fact("run.paused", revision=1)
    await retried(world, hold, Reason.SHIM_LOST)
    run = await world.run(hold.given.run_id)
    assert (run.status, run.hold, run.answered) == (Status.QUEUED, Hold.OPERATOR, run.revision)


async def test_late_output_of_an_earlier_attempt(world: World) -> None:
    """Stored with its own number, flagged, while the next attempt runs on."""
    hold = await started(world, retry={"attempts": 2, "backoff_s": 0})
    await retried(world, hold, Reason.NETWORK)
    second = await (await world.register()).start()
    answer = await hold.record(hold.part("out", new_event("log")), late=True)
    last = (await world.events(hold.given.run_id))[-1]
    assert (last.attempt, last.late, answer.ended) == (1, True, True)
    assert (await second.say()).offsets.out == 10


async def test_a_record_for_no_run(world: World) -> None:
    """Not found."""
    hold = await started(world)
    with pytest.raises(RunNotFound):
        await events.record(world.s, msgspec.structs.replace(hold.request(), run_id=4711))


@pytest.mark.parametrize("type", [kind for kind in EventType if not kind.startswith("run.") and kind not in
                                  (EventType.INPUT_DELIVERED, EventType.USAGE, EventType.COST)])  # fmt: skip
async def test_every_other_type_is_stored_as_it_is(world: World, type: str) -> None:
    """Payload, level and time of the event, byte for byte."""
    hold = await started(world)
    event = NewEvent(type=type, payload=msgspec.Raw(b'{"a" : 1.50}'), level="debug", ts=5)
    await hold.record(hold.part("out", event))
    stored = (await world.events(hold.given.run_id))[-1]
    assert (stored.type, stored.level, stored.ts, bytes(stored.payload)) == (type, "debug", 5, b'{"a" : 1.50}')
