"""Telemetry finds its run, is stored once, counts once, and ends what it began."""

import asyncio
from typing import Any

import msgspec
import pytest

from agentrunner.domain.event import NewEvent, new_event
from agentrunner.domain.run import NewRun, Run, Usage
from agentrunner.domain.span import Span
from agentrunner.domain.state import Status
from agentrunner.domain.telemetry import LogRecord, SpanRecord
from agentrunner.engine import events, runs, telemetry
from agentrunner.engine.telemetry import IDLE_MS, MOST_NEW, SETTLE_MS, Taken
from agentrunner.store import runs as stored_runs
from agentrunner.store import spans as stored_spans
from agentrunner.store.base import Tx
from engine.world import START, World

TRACE = "a" * 32
CLAUDE = {"service.name": "claude-code", "service.version": "2.1.197"}
TOKENS = {"input_tokens": 800, "output_tokens": 50, "cache_read_tokens": 200, "cache_creation_tokens": 7}


def log(name: str, at: int = 0, resource: dict[str, Any] | None = None, **attributes: Any) -> LogRecord:
    """A log record of Claude Code, `at` milliseconds after the start."""
    given = {each.replace("__", "."): value for each, value in attributes.items()}
    return LogRecord(
        resource=CLAUDE if resource is None else resource,
        scope="",
        name=name,
        nanos=(START + at) * 1_000_000,
        attributes=given,
        trace_id="",
        span_id="",
    )


def span(number: int, parent: int = 0, failed: bool = False, trace: str = TRACE, **attributes: Any) -> SpanRecord:
    """A span of 100 ms of some program."""
    return SpanRecord(
        resource={"service.name": "shop"},
        scope="",
        name=f"span {number}",
        nanos=(START - 900) * 1_000_000,
        attributes={each.replace("__", "."): value for each, value in attributes.items()},
        trace_id=trace,
        span_id=f"{number:016x}",
        parent_id=f"{parent:016x}" if parent else "",
        start_nanos=(START - 1000) * 1_000_000,
        failed=failed,
    )


CHAT = {"gen_ai__operation__name": "chat", "gen_ai__usage__input_tokens": 100, "gen_ai__usage__output_tokens": 10}


async def by_external_id(world: World, external_id: str) -> Run:
    """A run that has to be there."""
    run = await world.s.db.read(stored_runs.by_external_id, external_id)
    assert run is not None, external_id
    return run


async def types(world: World, run: Run) -> list[str]:
    """The types of a run's events in order."""
    return [event.type for event in await events.page(world.s, run.id, 0, 1000)]


async def spans(world: World, run: Run) -> dict[str, Span]:
    """A run's spans by id."""
    return {each.span_id: each for each in await world.s.db.read(stored_spans.page, run.id, 0, 1000)}


async def expire_after(world: World, ms: int) -> None:
    """Let time pass, then look what is over."""
    world.clock.advance(ms / 1000)
    await telemetry.expire(world.s)


async def test_a_conversation_becomes_a_run(world: World) -> None:
    """Its title, agent and version come from the resource, its usage and cost from one record each, in our words."""
    records = [
        log("claude_code.user_prompt", session__id="s1", prompt="Write."),
        log("claude_code.api_request", 5, session__id="s1", cost_usd=0.25, model="opus", **TOKENS),
        log("claude_code.tool_result", 40, session__id="s1", tool_name="Bash", tool_use_id="t1", success="false",
            duration_ms="30", error="no"),
    ]  # fmt: skip
    assert await telemetry.take(world.s, records) == Taken(accepted=3, rejected=0, fresh=7)
    run = await by_external_id(world, "s1")
    assert (run.backend, run.status, run.agent, run.agent_version) == ("external", Status.RUNNING, "claude", "2.1.197")
    assert (run.title, run.goal) == ("claude-code session s1", "Write.")
    assert run.usage == Usage(input_tokens=800, cache_read_tokens=200, cache_write_tokens=7, output_tokens=50)
    assert run.cost_usd == 0.25
    assert await types(world, run) == [
        *("run.created", "turn.started", "message", "telemetry.log", "usage", "cost", "tool.called", "tool.result"),
    ]
    call = (await spans(world, run))["t1"]
    assert (call.name, call.kind, call.status) == ("Bash", "tool", "error")
    # Its end lies in the clock's future, and nothing has happened there.
    assert (call.started_at, call.ended_at) == (START, START)


async def test_twice_is_once(world: World) -> None:
    """The same records again, alone or beside new ones, add nothing."""
    first = [log("claude_code.api_request", session__id="s1", **TOKENS), span(1, session__id="s1")]
    assert (await telemetry.take(world.s, first)).fresh == 3
    assert await telemetry.take(world.s, first) == Taken(accepted=2, rejected=0, fresh=0)
    more = [*first, log("claude_code.user_prompt", 1, session__id="s1")]
    assert (await telemetry.take(world.s, more)).fresh == 1
    assert (await by_external_id(world, "s1")).usage.input_tokens == 800


@pytest.mark.parametrize("named", ["id", "external_id"])
async def test_run_id_joins_a_run_that_is_there(world: World, named: str) -> None:
    """By its number or by the id that a client chose; the session makes no other run."""
    (run,) = await runs.create(world.s, [NewRun(backend="external", external_id="mine")])
    resource = {**CLAUDE, "run.id": str(run.id) if named == "id" else "mine"}
    record = log("claude_code.api_request", resource=resource, session__id="s1", **TOKENS)
    await telemetry.take(world.s, [record])
    assert (await runs.get(world.s, run.id)).usage.input_tokens == 800
    assert await world.s.db.read(stored_runs.by_external_id, "s1") is None
    await expire_after(world, IDLE_MS + 1)
    assert (await runs.get(world.s, run.id)).status is Status.RUNNING, "who began it ends it"


async def test_run_id_that_names_nothing(world: World) -> None:
    """A name names a new run; a number may be another server's id, so the session decides."""
    for name in ("r77", "4711"):
        resource = {**CLAUDE, "run.id": name}
        await telemetry.take(world.s, [log("claude_code.user_prompt", resource=resource, session__id=f"of-{name}")])
    assert (await by_external_id(world, "r77")).title == "claude-code run r77"
    assert (await by_external_id(world, "of-4711")).id
    await expire_after(world, IDLE_MS + 1)
    assert (await by_external_id(world, "r77")).status is Status.STOPPED


async def test_of_a_supervised_run_telemetry_is_only_shown(world: World) -> None:
    """No usage, no cost, no second span of a call that its own output has told, no change of status."""
    created = await world.create()
    await (await world.register()).start()
    own = new_event("tool.called", {"call_id": "t1", "name": "Own"})
    await events.ingest(world.s, created.id, [own])
    before = await runs.get(world.s, created.id)
    resource = {**CLAUDE, "run.id": str(created.id)}
    records: list[LogRecord | SpanRecord] = [
        log("claude_code.api_request", resource=resource, session__id="s1", cost_usd=1.0, **TOKENS),
        msgspec.structs.replace(
            span(1, gen_ai__operation__name="execute_tool", gen_ai__tool__call__id="t1"), resource=resource
        ),
        msgspec.structs.replace(span(2, **CHAT), resource=resource),
    ]
    await telemetry.take(world.s, records)
    run = await runs.get(world.s, created.id)
    assert (run.usage, run.cost_usd, run.status) == (before.usage, before.cost_usd, before.status)
    assert (await types(world, run))[-3:] == ["telemetry.log", "telemetry.span", "telemetry.span"]
    found = await spans(world, run)
    assert (found["t1"].name, found["t1"].ended_at) == ("Own", None)
    assert found[f"{2:016x}"].kind == "llm"
    await expire_after(world, IDLE_MS + 1)
    assert (await runs.get(world.s, created.id)).status is Status.RUNNING


async def test_secrets_of_a_run_stay_hidden(world: World) -> None:
    """A secret of the run that its program sends is masked in events and spans, as text and as a number."""
    request = NewRun(backend="command", secrets={"TOKEN": "hunter2-hunter2", "PIN": "1234567890"})
    (run,) = await runs.create(world.s, [request])
    resource = {"run.id": str(run.id)}
    texts = log("x", resource=resource, text="a hunter2-hunter2 b")
    number = log("x", resource=resource, pin=1234567890)
    worn = msgspec.structs.replace(span(1, text="hunter2-hunter2", pin=1234567890), resource=resource)
    await telemetry.take(world.s, [texts, number, worn])
    found = [bytes(event.payload) for event in await events.page(world.s, run.id, 1, 10)]
    assert len(found) == 3
    assert b'"a *** b"' in found[0]
    assert found[1:] == [b'{"redacted":true}'] * 2
    assert (await spans(world, run))[worn.span_id].attrs == {"redacted": True}


async def test_a_trace_is_a_run_of_its_own(world: World) -> None:
    """Without a conversation the trace is the run; its root span ends it, a while later, as it ended itself."""
    await telemetry.take(world.s, [span(2, 1, **CHAT)])
    run = await by_external_id(world, f"trace:{TRACE}")
    await telemetry.take(world.s, [span(3, 1), span(1, gen_ai__operation__name="invoke_agent")])
    await expire_after(world, SETTLE_MS - 1)
    assert (await runs.get(world.s, run.id)).status is Status.RUNNING
    await expire_after(world, 2)
    run = await runs.get(world.s, run.id)
    assert (run.status, run.started_at, run.ended_at) == (Status.COMPLETED, START - 1000, START - 900)
    assert run.usage == Usage(input_tokens=100, output_tokens=10)
    assert {each.kind for each in (await spans(world, run)).values()} == {"llm", "span", "agent"}
    assert (await types(world, run))[-1] == "run.completed"


async def test_a_root_span_that_failed(world: World) -> None:
    """Its run has failed, with a reason."""
    await telemetry.take(world.s, [span(1, failed=True, **CHAT)])
    await expire_after(world, SETTLE_MS)
    run = await by_external_id(world, f"trace:{TRACE}")
    assert (run.status, run.reason) == (Status.FAILED, "exit_nonzero")


async def test_a_conversation_ends_by_silence(world: World) -> None:
    """STOPPED where nothing tells how it ended: that counts neither as success nor as failure; at its last record."""
    await telemetry.take(world.s, [log("claude_code.user_prompt", -5000, session__id="s1")])
    await expire_after(world, IDLE_MS - 1)
    await telemetry.take(world.s, [log("claude_code.user_prompt", -1000, session__id="s1")])
    await expire_after(world, 2)
    assert (await by_external_id(world, "s1")).status is Status.RUNNING
    await expire_after(world, IDLE_MS)
    run = await by_external_id(world, "s1")
    assert (run.status, run.ended_at) == (Status.STOPPED, START - 1000)
    assert "silent" in (run.message or "")


@pytest.mark.parametrize(
    ("last", "status"), [("claude_code.api_error", "FAILED"), ("claude_code.api_request", "COMPLETED")]
)
async def test_what_was_told_last_decides(world: World, last: str, status: str) -> None:
    """Claude Code's root span says nothing of a request that was refused; its log does."""
    root = msgspec.structs.replace(span(1, session__id="s1", span__type="interaction"), resource=CLAUDE)
    attributes = {"error": "401 no", "status_code": "401"} if last.endswith("error") else TOKENS
    await telemetry.take(world.s, [root, log(last, session__id="s1", **attributes)])
    await expire_after(world, IDLE_MS)
    run = await by_external_id(world, "s1")
    assert run.status == status
    assert (run.message == "401 no") == (status == "FAILED")


async def test_a_conversation_that_goes_on_after_its_end(world: World) -> None:
    """A terminal status is final: what is newer is another run, what is older is kept as late, and neither twice."""
    await telemetry.take(world.s, [log("claude_code.api_request", session__id="s1", **TOKENS)])
    await expire_after(world, IDLE_MS)
    first = await by_external_id(world, "s1")
    older = log("claude_code.api_request", -10, session__id="s1", **TOKENS)
    newer = log("claude_code.api_request", IDLE_MS, session__id="s1", **TOKENS)
    for _ in range(2):
        await telemetry.take(world.s, [older])
    for _ in range(2):
        await telemetry.take(world.s, [newer])
    second = await by_external_id(world, f"s1#{first.id}")
    assert (second.status, second.usage.input_tokens) == (Status.RUNNING, 800)
    kept = await runs.get(world.s, first.id)
    assert (kept.status, kept.usage.input_tokens) == (Status.STOPPED, 800)
    assert [event.late for event in await events.page(world.s, first.id, 0, 100)][-2:] == [True, True]


async def test_a_reporter_may_end_it_itself(world: World) -> None:
    """`run.completed` ends a run that telemetry began; silence then changes nothing."""
    await telemetry.take(world.s, [log("claude_code.user_prompt", session__id="s1")])
    run = await by_external_id(world, "s1")
    await events.ingest(world.s, run.id, [new_event("run.completed")])
    await expire_after(world, IDLE_MS)
    assert (await runs.get(world.s, run.id)).status is Status.COMPLETED


async def test_spans_of_a_known_trace_join_it(world: World) -> None:
    """A trace belongs to the conversation that one of its spans named, in this request or in one before."""
    await telemetry.take(world.s, [span(1, session__id="s1"), span(2, 1)])
    assert (await telemetry.take(world.s, [span(3, 1)])).accepted == 1
    assert len(await spans(world, await by_external_id(world, "s1"))) == 3


async def test_what_names_no_run_is_rejected(world: World) -> None:
    """Spans of no agent make no run, and one request does not begin hundreds."""
    assert await telemetry.take(world.s, [span(1), log("x", resource={})]) == Taken(0, 2, 0)
    many = [log("claude_code.user_prompt", session__id=f"s{number}") for number in range(MOST_NEW + 5)]
    taken = await telemetry.take(world.s, many)
    assert (taken.accepted, taken.rejected) == (MOST_NEW, 5)


async def test_old_traces_are_forgotten(world: World) -> None:
    """What only joins spans to a conversation is kept for a day."""
    await telemetry.take(world.s, [span(1, session__id="s1")])
    await expire_after(world, telemetry.FORGET_MS + 1)
    assert await world.s.db.read(_names) == ["session:s1"]


async def _names(tx: Tx) -> list[str]:
    return [row[0] for row in await tx.all("SELECT name FROM telemetry ORDER BY name")]


async def test_a_span_tells_more_than_the_log_of_its_call(world: World) -> None:
    """Whichever comes first, the span keeps its times and its place."""
    tool = {"gen_ai__operation__name": "execute_tool", "gen_ai__tool__call__id": "t1", "session__id": "s1"}
    called = log("claude_code.tool_result", session__id="s1", tool_name="Bash", tool_use_id="t1", duration_ms=1)
    for number, batches in enumerate(([[span(2, 1, **tool)], [called]], [[called], [span(2, 1, **tool)]])):
        for batch in batches:
            moved = [msgspec.structs.replace(each, resource={"run.id": f"run-{number}"}) for each in batch]
            await telemetry.take(world.s, moved)
        found = (await spans(world, await by_external_id(world, f"run-{number}")))["t1"]
        assert (found.parent_id, found.started_at, found.ended_at) == (f"{1:016x}", START - 1000, START - 900)


async def test_a_large_request_is_stored_in_pieces(world: World) -> None:
    """More than one transaction takes, and still one run with every span, once."""
    records = [span(number, 1 if number > 1 else 0, session__id="s1") for number in range(1, 2502)]
    assert await telemetry.take(world.s, records) == Taken(2501, 0, 2501)
    run = await by_external_id(world, "s1")
    assert run.last_seq == 2502
    assert (await telemetry.take(world.s, records[:1500])).fresh == 0


async def test_the_same_from_several_at_once(world: World) -> None:
    """Requests that race to begin one run make one; nothing is lost, nothing counts twice."""
    shared = log("claude_code.api_request", session__id="s1", **TOKENS)
    own = [log("claude_code.user_prompt", number, session__id="s1") for number in range(6)]
    taken = await asyncio.gather(*(telemetry.take(world.s, [shared, record]) for record in own))
    assert [each.rejected for each in taken] == [0] * 6
    run = await by_external_id(world, "s1")
    assert (run.usage.input_tokens, run.turns) == (800, 6)
    assert len(await runs.page(world.s, {}, None, 10)) == 1


async def test_what_others_tell_of_the_run_does_not_keep_it_from_ending(world: World) -> None:
    """An `error` whose payload is no object says why all the same, and the runs behind it end too."""
    names = ("text", "list", "nul")
    for name, payload in zip(names, (b'"text"', b"[1]", b'{"message":"a\\u0000b"}'), strict=True):
        await telemetry.take(world.s, [log("claude_code.user_prompt", session__id=name)])
        run = await by_external_id(world, name)
        await events.ingest(world.s, run.id, [NewEvent(type="error", payload=msgspec.Raw(payload))])
    await expire_after(world, IDLE_MS + 1)
    found = [await by_external_id(world, name) for name in names]
    assert [run.status for run in found] == [Status.FAILED] * 3
    assert found[2].message == "a\N{REPLACEMENT CHARACTER}b"


async def test_telemetry_takes_no_name_of_the_servers_own(world: World) -> None:
    """A program that calls itself like run 1 would be shown in its place on the Agent Ops surface."""
    await world.create(goal="g")
    for resource in ({"run.id": "ar-1"}, {"session.id": "ar-1"}, {"run.id": "ar-2"}):
        assert await telemetry.take(world.s, [log("claude_code.user_prompt", 0, resource)]) == Taken(0, 1, 0)
