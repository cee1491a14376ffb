"""Events over HTTP: what reporters send and what people read; payloads pass through as the JSON text they are."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from agentrunner.api import query
from agentrunner.api.call import Call, check_utf8
from agentrunner.api.context import Context
from agentrunner.api.routes import Raw
from agentrunner.domain.errors import InvalidField, UnsupportedMediaType
from agentrunner.domain.event import EventType, EventView, NewEvent, view
from agentrunner.domain.instant import MAX_INSTANT, parse_rfc3339
from agentrunner.domain.token import Scope
from agentrunner.engine import events, retention

MOST_EVENTS = 10_000
BODY_BYTES = 8 * 1024 * 1024
PAGE_BYTES = 4 * 1024 * 1024
_READ = 100

Seq = Annotated[int, Meta(ge=0, le=query.MAX_ID)]
After = Annotated[int, Meta(ge=0, le=query.MAX_ID, description="The `seq` behind which to begin.")]
Instant = Annotated[int, Meta(ge=0, le=MAX_INSTANT, description="Milliseconds since 1970 UTC.")]
_NDJSON = {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-lines"}
_READ_BY_US = {EventType.RUN_COMPLETED.value, EventType.RUN_FAILED.value, events.RUN_ERROR}
"""Types whose payload is not only kept: a number in it may be larger than can be read."""
_encoder = msgspec.json.Encoder()


class ReportedEvent(NewEvent, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event that a reporter sends. `ts` is RFC 3339 or milliseconds; left away it is the time of storing.

    `producer` and `client_seq` go together and name the event once and for all: sent twice it is stored once.
    """

    type: Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[A-Za-z][A-Za-z0-9_.:/-]*$(?!\n)")]
    ts: Instant | Annotated[str, Meta(max_length=40)] | None = None  # type: ignore[assignment]
    producer: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")] | None = None
    client_seq: Annotated[int, Meta(ge=0, le=query.MAX_ID)] | None = None


Reported = ReportedEvent | Annotated[list[ReportedEvent], Meta(max_length=MOST_EVENTS)]
_lines = msgspec.json.Decoder(ReportedEvent)
_reports: "msgspec.json.Decoder[Any]" = msgspec.json.Decoder(Reported)


class Ingested(msgspec.Struct, frozen=True, kw_only=True):
    """How many events were new, how many were known already, and the run's last `seq`."""

    accepted: int
    duplicates: int
    last_seq: int


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events in order. `next_cursor` goes into `after` for the next page; null where this was the last one yet.

    `pruned_before` is there where events behind `after` are gone, their retention being over: the first `seq` that is
    kept.
    """

    items: list[EventView]
    next_cursor: int | None
    pruned_before: int | None = None


class EventsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which events. `types` separates several by commas; `limit` is the most, a page of large ones may have fewer."""

    after: After = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 200
    types: Annotated[str, Meta(max_length=1000)] = ""


async def ingest(context: Context, call: Call, text: str) -> None:
    """`POST /v1/runs/{run_id}/events`."""
    run_id = query.run_id(text)
    query.check(call.scope["query_string"], (), ())
    reported = await _reported(call)
    done = await events.ingest(context.services, run_id, reported)
    context.figures.reported.inc(done.accepted)
    await call.json(Ingested(accepted=done.accepted, duplicates=done.duplicates, last_seq=done.last_seq), 201)


async def _reported(call: Call) -> Sequence[NewEvent]:
    kind = call.media_type()
    if kind not in _DECODERS:
        raise UnsupportedMediaType(f"Events are taken as application/json or application/x-ndjson, not {kind[:100]!r}.")
    content = await call.body(BODY_BYTES)
    with call.decoding():
        found = _DECODERS[kind](content)
        for event in found:
            if event.type in _READ_BY_US:
                msgspec.json.decode(event.payload)
    return [_with_instant(event) if isinstance(event.ts, str) else event for event in found]


def _decode(content: bytes) -> list[ReportedEvent]:
    check_utf8(content)
    decoded = _reports.decode(content)
    return decoded if isinstance(decoded, list) else [decoded]


def _decode_lines(content: bytes) -> list[ReportedEvent]:
    check_utf8(content)
    if content.count(b"\n") > MOST_EVENTS:
        lines = sum(1 for line in content.splitlines() if line.strip())
        if lines > MOST_EVENTS:
            raise InvalidField(f"The body has {lines} events; send at most {MOST_EVENTS} at once.")
    try:
        return _lines.decode_lines(content)
    except msgspec.DecodeError:
        _name_line(content)
        raise


_DECODERS = {"": _decode, "application/json": _decode, **dict.fromkeys(_NDJSON, _decode_lines)}


def _name_line(content: bytes) -> None:
    """Raise InvalidField for the first line that cannot be read, by its number."""
    for number, line in enumerate(content.split(b"\n"), 1):
        try:
            if line.strip():
                _lines.decode(line)
        except msgspec.DecodeError as error:
            raise InvalidField(f"Line {number}: {error}.") from error


def _with_instant(event: ReportedEvent) -> NewEvent:
    try:
        ms = parse_rfc3339(str(event.ts))
    except (ValueError, OverflowError) as error:
        raise InvalidField(f"`ts`: {event.ts!r} is neither RFC 3339 nor milliseconds since 1970.") from error
    if not 0 <= ms <= MAX_INSTANT:
        raise InvalidField(f"`ts`: {event.ts!r} is not between the years 1970 and 9999.")
    return msgspec.structs.replace(event, ts=ms)


async def page(context: Context, call: Call, text: str) -> None:
    """`GET /v1/runs/{run_id}/events`."""
    run_id = query.run_id(text)
    asked = query.decode(call.scope["query_string"], EventsQuery)
    types = [name for name in re.split(r"\s*,\s*", asked.types.strip()) if name]
    if len(types) > 50:
        raise InvalidField("`types`: name at most 50 types.")
    items: list[bytes] = []
    after, size, more, first = asked.after, 0, True, 0
    while more and len(items) < asked.limit and size < PAGE_BYTES:
        wanted = min(_READ, asked.limit - len(items))
        found = await events.page(context.services, run_id, after, wanted + 1, types)
        more = len(found) > wanted
        for event in found[:wanted]:
            items.append(_encoder.encode(view(event)))
            size += len(items[-1])
            after = event.seq
            first = first or event.seq
            if size >= PAGE_BYTES:
                more = more or event is not found[-1]
                break
    following = b"%d" % after if more else b"null"
    pruned = b"" if first == asked.after + 1 else await _pruned(context, run_id, asked.after)
    await call.answer(b'{"items":[%b],"next_cursor":%b%b}' % (b",".join(items), following, pruned))


async def _pruned(context: Context, run_id: int, after: int) -> bytes:
    """What a page says of events that are gone; nothing where none is, and `types` alone left some out."""
    first = await retention.pruned_before(context.services, run_id, after)
    return b"" if first is None else b',"pruned_before":%d' % first


ROUTES = [
    Raw(
        "POST",
        "/v1/runs/{run_id}/events",
        Scope.REPORT,
        ingest,
        "Report events: one, an array or lines of them; all are stored or none",
        bodies={"application/json": Reported, "application/x-ndjson": ReportedEvent},
        answers={201: Ingested},
    ),
    Raw(
        "GET",
        "/v1/runs/{run_id}/events",
        Scope.READ,
        page,
        "The events of a run behind a cursor, in order",
        query=EventsQuery,
        answers={200: EventPage},
    ),
]
