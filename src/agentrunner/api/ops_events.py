"""Events on the Agent Ops surface: told one by one or several at once, read in pages, followed live.

The cursor is an event's `id`, which rises within a run; a stream says where it begins before its first event, so a
reader that is cut and comes back has every event once.
"""

import re
from collections.abc import Awaitable, Sequence
from urllib.parse import quote

import msgspec

from agentrunner.api import ops_wire, query
from agentrunner.api.auth import permit
from agentrunner.api.call import Call, check_utf8
from agentrunner.api.context import Context
from agentrunner.api.events import BODY_BYTES, MOST_EVENTS
from agentrunner.api.feed import Framing, Subscriber
from agentrunner.api.ops import KEY_HEADER, NAME, answer_page, number, said
from agentrunner.api.ops_wire import OpsEvent, OpsNewEvent, OpsTold
from agentrunner.api.pages import gather
from agentrunner.api.routes import Raw
from agentrunner.api.runs import checked_key
from agentrunner.api.stream import EVENT_STREAM, follow_past_end, send
from agentrunner.domain.errors import Forbidden, InvalidField, RunNotFound
from agentrunner.domain.event import Event
from agentrunner.domain.report import NewReport, Report, name_of, word_of
from agentrunner.domain.run import Run
from agentrunner.domain.token import Scope
from agentrunner.engine import events, reports

MOST_PAGE = 1000
_LINES = {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-lines"}
_event = msgspec.json.Decoder(OpsNewEvent)
_several = msgspec.json.Decoder(list[OpsNewEvent])
_encoder = msgspec.json.Encoder()


class OpsEventsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which events: the first `limit` behind the one with the id `after`."""

    limit: int = 500
    after: str = "0"


class OpsStreamQuery(msgspec.Struct, frozen=True, kw_only=True):
    """`after`: the id of the event behind which to begin; `Last-Event-ID` wins. Without both it begins now."""

    after: str = ""


async def tell(context: Context, call: Call, name: str) -> None:
    """`POST /api/runs/{run_id}/events`."""
    key = checked_key(call.header(b"idempotency-key"))
    content = await call.body(BODY_BYTES)
    with call.decoding():
        check_utf8(content)
        found, is_one = _decoded(call, content)
        told = [ops_wire.told(event) for event in found]
    if not told:
        raise InvalidField("The body has no event; send one, or several as an array or in lines.")
    done = await reports.tell(context.services, name, told, key)
    context.figures.reported.inc(done.stored)
    if not is_one:
        await call.json(OpsTold(accepted=done.stored, last_id=str(done.event_id)), 201)
        return
    (event,) = told
    shown = Event(
        id=done.event_id,
        run_id=0,
        seq=0,
        attempt=0,
        ts=done.ts,
        type=event.type,
        level=event.level,
        payload=event.payload,
        extra=event.extra,
    )
    await call.answer(ops_wire.event(shown, name, event.type), 201)


def _decoded(call: Call, content: bytes) -> tuple[Sequence[OpsNewEvent], bool]:
    """The events of a body, and whether it is a single one."""
    if call.media_type() in _LINES:
        lines = [line for line in content.split(b"\n") if line.strip()]
        _check_count(len(lines))
        return [_event.decode(line) for line in lines], False
    if content.lstrip()[:1] != b"[":
        return [_event.decode(content)], True
    several = _several.decode(content)
    _check_count(len(several))
    return several, False


def _check_count(count: int) -> None:
    if count > MOST_EVENTS:
        raise InvalidField(f"The body has {count} events; send at most {MOST_EVENTS} at once.")


async def page(context: Context, call: Call, name: str) -> None:
    """`GET /api/runs/{run_id}/events`: at most `limit` events and 4 MiB of them; Link names the rest."""
    asked = said(call)
    limit = number(asked.get("limit"), 500, "limit", MOST_PAGE)
    report = await reports.get(context.services, name)
    if report is None:
        await call.answer(b"[]")
        return
    run = report.run
    after = await events.seq_at(context.services, run.id, cursor(asked.get("after", "")) or 0)

    def show(event: Event) -> bytes | None:
        word = word_of(event, run)
        return None if word is None else ops_wire.event(event, name, word)

    def read(seen: Sequence[Event], count: int) -> Awaitable[list[Event]]:
        return events.page(context.services, run.id, seen[-1].seq if seen else after, count)

    items, seen = await gather(read, show, limit)
    link = f"/api/runs/{quote(name)}/events?limit={limit}&after={seen[-1].id}" if seen else ""
    await answer_page(call, b"[%b]" % b",".join(items), link)


def cursor(text: str) -> int | None:
    """The event id that a client named; 0 for what is no number, None where it named none."""
    if not text:
        return None
    digits = re.match(r"\s*([0-9]+)", text)
    return 0 if digits is None else min(int(digits[1][:19]), query.MAX_ID)


def _frame(event: Event, run: Run) -> bytes:
    word = word_of(event, run)
    if word is None:
        return b""
    data = ops_wire.event(event, name_of(run), word)
    if b"\n" in data or b"\r" in data:
        data = data.replace(b"\r", b" ").replace(b"\n", b" ")
    return b"id: %d\ndata: %b\n\n" % (event.id, data)


FRAMING = Framing(
    name="ops",
    event=_frame,
    pruned=lambda _: b"",
    end=lambda _: b"",
    heartbeat=b": heartbeat\n\n",
)


async def follow(context: Context, call: Call, name: str) -> None:
    """`GET /api/runs/{run_id}/stream`."""
    asked = cursor(call.header(b"last-event-id") or "")
    if asked is None:
        asked = cursor(said(call).get("after", ""))
    report = await reports.get(context.services, name) or await _begun(context, call, name)
    run = report.run
    after = run.last_seq if asked is None else await events.seq_at(context.services, run.id, asked)
    begins = await _id_at(context, run, after)
    subscriber = Subscriber(after, call.exchange)
    with context.feeds.subscribe(run, subscriber, FRAMING) as feed:
        # An `id:` without data is an event to nobody, but it is what a browser sends when it comes back.
        hello = b": connected\nid: %d\n\n" % begins
        await send(context, call, follow_past_end(context, feed, subscriber), subscriber, hello)


async def _begun(context: Context, call: Call, name: str) -> Report:
    """A run that is followed before anything is told of it is begun by that, for those who may report."""
    try:
        permit(call, Scope.REPORT, context.services)
    except Forbidden as error:
        raise RunNotFound from error
    return await reports.begin(context.services, NewReport(name=name))


async def _id_at(context: Context, run: Run, seq: int) -> int:
    """The id of the event `seq` of a run, 0 before the first."""
    found = await events.page(context.services, run.id, seq - 1, 1) if seq > 0 else []
    return found[0].id if found else 0


ROUTES = [
    Raw(
        "POST",
        "/api/runs/{run_id}/events",
        Scope.REPORT,
        tell,
        "Agent Ops: tell of a run: one event, an array or lines of them",
        bodies={"application/json": OpsNewEvent | list[OpsNewEvent], "application/x-ndjson": OpsNewEvent},
        answers={201: OpsEvent | OpsTold},
        header=KEY_HEADER,
        parameter=NAME,
    ),
    Raw(
        "GET",
        "/api/runs/{run_id}/events",
        Scope.READ,
        page,
        "Agent Ops: the events of a run behind a cursor",
        query=OpsEventsQuery,
        answers={200: list[OpsEvent]},
        parameter=NAME,
    ),
    Raw(
        "GET",
        "/api/runs/{run_id}/stream",
        Scope.READ,
        follow,
        "Agent Ops: a run's events as they come",
        query=OpsStreamQuery,
        answers={200: None},
        answer_type=EVENT_STREAM,
        parameter=NAME,
    ),
]
