"""Runs that programs report under names of their own, on both databases."""

import asyncio
from typing import Any

import msgspec
import pytest

from agentrunner.domain.errors import (
    BackendUnsupported,
    IdempotencyMismatch,
    InvalidField,
    InvalidRequest,
    InvalidTransition,
    RunNotFound,
)
from agentrunner.domain.event import NewEvent, SurfaceEvent
from agentrunner.domain.finished import AHEAD_MS
from agentrunner.domain.report import Amendment, NewReport, Report
from agentrunner.domain.run import NewRun
from agentrunner.domain.state import Reason, Status
from agentrunner.engine import events, reports, runs
from agentrunner.store import reported, spans
from agentrunner.store.reported import Reported
from engine.world import START, World


def said(type: str, payload: Any = None, **more: Any) -> SurfaceEvent:
    """An event as the surface hands it over."""
    return SurfaceEvent(type=type, payload=msgspec.Raw(msgspec.json.encode(payload or {})), **more)


async def seen(world: World, name: str) -> Report:
    """The run of a name, which has to be there."""
    report = await reports.get(world.s, name)
    assert report is not None
    return report


async def test_begin(world: World) -> None:
    """What is left away is chosen; what is said is kept, an unknown status word for word."""
    plain = await reports.begin(world.s, NewReport())
    assert plain.name.startswith("run-")
    assert (plain.run.title, plain.status, plain.run.backend) == (f"Run {plain.name}", "running", "external")
    told = await reports.begin(world.s, NewReport(name="a b", title="t", started_at=5, status="blocked"))
    assert (told.run.title, told.run.started_at, told.status) == ("t", 5, "blocked")
    assert await seen(world, "a b") == told
    assert told.run.status is Status.RUNNING


async def test_a_clock_that_is_ahead(world: World) -> None:
    """A run of next year begins now; else it would end then, whatever ends it."""
    near, far = START + AHEAD_MS, START + AHEAD_MS + 1
    assert (await reports.begin(world.s, NewReport(name="n", started_at=near))).run.started_at == near
    assert (await reports.begin(world.s, NewReport(name="f", started_at=far))).run.started_at == START
    await reports.tell(world.s, "f", [said("run.completed")])
    assert (await seen(world, "f")).run.ended_at == START


async def test_begin_and_end_at_once(world: World) -> None:
    """A run that is over when it is first heard of has its one ending event."""
    report = await reports.begin(world.s, NewReport(name="n", status="completed"))
    assert report.run.status is Status.COMPLETED
    assert await world.types(report.run.id) == ["run.created", "run.completed"]


async def test_begin_again(world: World) -> None:
    """The same name again amends a run that goes on, and leaves one that has ended as it ended."""
    first = await reports.begin(world.s, NewReport(name="n"))
    again = await reports.begin(world.s, NewReport(name="n", title="better"))
    assert (again.run.id, again.run.title) == (first.run.id, "better")
    await reports.tell(world.s, "n", [said("run.completed")])
    over = await seen(world, "n")
    assert await reports.begin(world.s, NewReport(name="n", title="worse", status="running", started_at=1)) == over


async def test_a_key_begins_once(world: World) -> None:
    """The same key answers the same run; with another request it is refused."""
    first = await reports.begin(world.s, NewReport(title="t"), "key")
    assert (await reports.begin(world.s, NewReport(title="t"), "key")).run.id == first.run.id
    with pytest.raises(IdempotencyMismatch):
        await reports.begin(world.s, NewReport(title="u"), "key")


async def test_telling_begins(world: World) -> None:
    """A run is there with the first event told of it, and everything of it in one transaction."""
    done = await reports.tell(world.s, "n", [said("a", {"x": 1}), said("b", ts=7)])
    report = await seen(world, "n")
    assert await world.types(report.run.id) == ["run.created", "a", "b"]
    last = (await world.events(report.run.id))[-1]
    assert done == (2, last.id, 7)


async def test_many_begin_the_same_at_once(world: World) -> None:
    """Whoever comes second finds what the first has begun; no event is lost."""
    await asyncio.gather(*(reports.tell(world.s, "n", [said("t", {"i": i})]) for i in range(20)))
    report = await seen(world, "n")
    told = [msgspec.json.decode(event.payload)["i"] for event in await world.events(report.run.id) if event.seq > 1]
    assert sorted(told) == list(range(20))


async def test_plain_and_changing_events_agree(world: World) -> None:
    """An event is stored alike by the short way and by the long one."""
    event = said("note", {"x": 1}, level="warn", ts=9, extra='{"agentId":"a"}')
    await reports.begin(world.s, NewReport(name="n"))
    await reports.tell(world.s, "n", [event])
    await reports.tell(world.s, "n", [event], "key")
    run = (await seen(world, "n")).run
    short, long = (await world.events(run.id))[1:]
    assert msgspec.structs.replace(short, id=0, seq=0) == msgspec.structs.replace(long, id=0, seq=0)
    assert (short.level, short.extra) == ("warn", '{"agentId":"a"}')


async def test_a_key_tells_once(world: World) -> None:
    """A repeat answers the same event and stores nothing; other events under the key are refused."""
    first = await reports.tell(world.s, "n", [said("run.completed")], "key")
    assert await reports.tell(world.s, "n", [said("run.completed")], "key") == first
    assert (await seen(world, "n")).run.last_seq == 2
    with pytest.raises(IdempotencyMismatch):
        await reports.tell(world.s, "n", [said("other")], "key")


@pytest.mark.parametrize(
    ("type", "status", "shown", "reason"),
    [
        ("run.completed", Status.COMPLETED, "completed", None),
        ("run.error", Status.FAILED, "error", Reason.EXIT_NONZERO),
        ("error", Status.FAILED, "error", Reason.EXIT_NONZERO),
        ("run.failed", Status.FAILED, "error", Reason.EXIT_NONZERO),
        ("run.stopped", Status.STOPPED, "error", Reason.STOPPED_BY_USER),
    ],
)
async def test_ends(world: World, type: str, status: Status, shown: str, reason: Reason | None) -> None:
    """Each end ends, under the server's own type, with the reporter's word kept beside it."""
    await reports.tell(world.s, "n", [said(type, {"message": "m"})])
    report = await seen(world, "n")
    assert (report.run.status, report.status, report.run.reason) == (status, shown, reason)
    assert report.error == (None if status is Status.COMPLETED else "m")
    last = (await world.events(report.run.id))[-1]
    assert last.type == f"run.{status.lower()}"
    assert (last.extra is None) == (last.type == type)


async def test_after_the_end(world: World) -> None:
    """What comes late is kept flagged and changes nothing: neither status nor spans nor usage."""
    await reports.tell(world.s, "n", [said("run.completed")])
    before = await seen(world, "n")
    late = [said("run.error"), said("span.start", {"spanId": "s"}), said("usage.report", {"inputTokens": 5})]
    await reports.tell(world.s, "n", late)
    after = await seen(world, "n")
    assert msgspec.structs.replace(after.run, last_seq=before.run.last_seq) == before.run
    assert [event.late for event in await world.events(after.run.id)] == [False, False, True, True, True]
    assert await world.s.db.read(spans.page, after.run.id, 0, 10) == []


async def test_words_of_the_server(world: World) -> None:
    """A reporter's `run.paused` is kept under another name: its own timeline never says what is not so."""
    await reports.tell(world.s, "n", [said("run.started"), said("run.paused"), said("run.created")])
    report = await seen(world, "n")
    assert await world.types(report.run.id) == ["run.created", "run.started", "reported.paused", "reported.created"]
    assert report.run.status is Status.RUNNING


async def test_amend(world: World) -> None:
    """Each field by itself; metadata is replaced whole; nothing said changes nothing."""
    await reports.begin(world.s, NewReport(name="n"))
    await reports.amend(world.s, "n", Amendment(metadata={"a": 1, "b": 2}))
    report = await reports.amend(world.s, "n", Amendment(metadata={"a": 3}, title="t", error="careful"))
    assert (report.metadata, report.run.title, report.error, report.status) == ({"a": 3}, "t", "careful", "running")
    assert await reports.amend(world.s, "n", Amendment()) == report
    assert (await reports.amend(world.s, "n", Amendment(error=""))).error is None
    assert (await reports.amend(world.s, "n", Amendment(status="archived"))).status == "archived"
    with pytest.raises(RunNotFound):
        await reports.amend(world.s, "nobody", Amendment(title="t"))


async def test_amend_to_the_end(world: World) -> None:
    """A status that ends has its event; the same again is as good as said, another is refused."""
    await reports.begin(world.s, NewReport(name="n"))
    report = await reports.amend(world.s, "n", Amendment(status="error", error="broken"))
    assert (report.status, report.error, report.run.message) == ("error", "broken", "broken")
    assert (await reports.amend(world.s, "n", Amendment(status="error", error="worse"))).error == "worse"
    for status in ("running", "completed"):
        with pytest.raises(InvalidTransition):
            await reports.amend(world.s, "n", Amendment(status=status))
    assert await world.types(report.run.id) == ["run.created", "run.failed"]


async def test_runs_that_are_executed_here(world: World) -> None:
    """They are there under `ar-` and their id; events may be told of them, their fate may not."""
    run = await world.create(goal="g")
    name = f"ar-{run.id}"
    assert (await seen(world, name)).metadata == {"state": "QUEUED"}
    await reports.tell(world.s, name, [said("note"), said("error")])
    assert await world.types(run.id) == ["run.created", "note", "error"]
    with pytest.raises(InvalidRequest):
        await reports.tell(world.s, name, [said("run.completed")])
    with pytest.raises(BackendUnsupported):
        await reports.amend(world.s, name, Amendment(status="completed"))
    await runs.stop(world.s, run.id)
    # Nor is a reporter, who may not read, told of them by changing nothing.
    with pytest.raises(BackendUnsupported):
        await reports.amend(world.s, name, Amendment())
    with pytest.raises(BackendUnsupported):
        await reports.begin(world.s, NewReport(name=name))
    report = await seen(world, name)
    assert (report.status, report.error, report.metadata["state"]) == ("error", "stopped", "STOPPED")


async def test_names(world: World) -> None:
    """A name is text that fits into a path; none may look like the server's own."""
    for name in ("", "a/b", "a\nb", "a\x00", "x" * 201):
        with pytest.raises(InvalidField):
            await reports.tell(world.s, name, [said("t")])
    with pytest.raises(RunNotFound):
        await reports.tell(world.s, "ar-99", [said("t")])
    for name in ("ar-0", "ar-x", "12", "é ü"):
        await reports.tell(world.s, name, [said("t")])
    (native,) = await runs.create(world.s, [NewRun(backend="external", external_id="mine")])
    assert await reports.get(world.s, f"ar-{native.id}") is None
    assert (await seen(world, "mine")).run.id == native.id
    with pytest.raises(InvalidField, match="ar-1"):
        await runs.create(world.s, [NewRun(backend="external", external_id="ar-1")])


async def test_no_old_name_hides_a_run(world: World) -> None:
    """One that a client chose when it still could does not stand for the run that the server calls so."""
    run = await world.create(goal="g")
    request = NewRun(backend="external", external_id=f"ar-{run.id}")
    false = await world.s.db.write(runs.add, world.s, request, world.clock())
    await reports.tell(world.s, f"ar-{run.id}", [said("note")])
    assert (await seen(world, f"ar-{run.id}")).run.id == run.id
    assert await world.types(run.id) == ["run.created", "note"]
    assert await world.types(false.id) == ["run.created"]


async def test_all_or_none(world: World) -> None:
    """One event that cannot be stored keeps the others out, and the run too."""
    with pytest.raises(InvalidField):
        await reports.tell(world.s, "n", [said("fine"), said("x" * 201)])
    assert await reports.get(world.s, "n") is None


async def test_pages(world: World) -> None:
    """The newest first, whoever executes them, each with what its program said."""
    await reports.begin(world.s, NewReport(name="n", status="blocked"))
    await world.create(goal="g")
    await runs.create(world.s, [NewRun(backend="external", external_id="other")])
    found = await reports.page(world.s, None, 10)
    assert [(each.name, each.status) for each in found] == [("other", "running"), ("ar-2", "running"), ("n", "blocked")]
    assert [each.name for each in await reports.page(world.s, 2, 10)] == ["n"]
    assert await reports.page(world.s, 1, 10) == []


async def test_what_another_surface_keeps(world: World) -> None:
    """A run that came in by another surface can be told of; what that one keeps of it stays."""
    (run,) = await runs.create(world.s, [NewRun(backend="external", external_id="m")])
    row = Reported(run_id=run.id, surface="metrics", status="odd", extra={"task_id": 1})
    await world.s.db.write(reported.insert, [row])
    assert (await reports.amend(world.s, "m", Amendment(status="error", error="x"))).status == "error"
    assert await world.s.db.read(reported.get, run.id) == row


async def test_native_reporters_of_the_same_run(world: World) -> None:
    """A run may be told of by both ways: the order is one."""
    await reports.tell(world.s, "n", [said("one")])
    run = (await seen(world, "n")).run
    await events.ingest(world.s, run.id, [NewEvent(type="two"), NewEvent(type="run.failed")])
    assert (await seen(world, "n")).status == "error"
    assert await world.types(run.id) == ["run.created", "one", "two", "run.failed"]
