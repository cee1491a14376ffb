"""The SQL of events."""

from collections.abc import Sequence

import msgspec

from agentrunner.domain.event import Event, NewEvent
from agentrunner.store.base import Row as Stored
from agentrunner.store.base import Tx

_COLUMNS = "id, run_id, seq, attempt, ts, type, level, payload, late"
_STORED = "run_id, seq, attempt, ts, type, level, payload, late, producer, client_seq"

Row = tuple[object, ...]
"""An event as it is stored."""


def row(event: NewEvent, at: tuple[int, int, int], ts: int, *, late: bool = False) -> Row:
    """What is stored of an event; `at` is its run, seq and attempt."""
    payload = bytes(event.payload).decode()
    return (*at, ts, event.type, event.level, payload, int(late), event.producer, event.client_seq)


async def insert(tx: Tx, rows: Sequence[Row]) -> None:
    """Store events; their `seq` come from the run's counter in the same transaction."""
    if rows:
        await tx.insert("events", _STORED, rows)


async def page(tx: Tx, run_id: int, after: int, limit: int, types: Sequence[str] = ()) -> list[Event]:
    """The events of a run behind `seq` `after`, in order; `types` narrows them."""
    narrow = f"AND type IN ({', '.join('?' * len(types))})" if types else ""
    sql = f"SELECT {_COLUMNS} FROM events WHERE run_id = ? AND seq > ? {narrow} ORDER BY seq LIMIT {int(limit)}"
    return [_event(row) for row in await tx.all(sql, run_id, after, *types)]


async def last(tx: Tx, run_id: int, count: int) -> list[Event]:
    """The last `count` events of a run, in order."""
    sql = f"SELECT {_COLUMNS} FROM events WHERE run_id = ? ORDER BY seq DESC LIMIT {int(count)}"
    return [_event(row) for row in await tx.all(sql, run_id)][::-1]


async def known(tx: Tx, run_id: int, producer: str, client_seqs: Sequence[int]) -> dict[int, int]:
    """Which of a producer's events are stored already: client_seq -> seq."""
    marks = ", ".join("?" * len(client_seqs))
    sql = f"SELECT client_seq, seq FROM events WHERE run_id = ? AND producer = ? AND client_seq IN ({marks})"
    return {row[0]: row[1] for row in await tx.all(sql, run_id, producer, *client_seqs)}


def _event(row: Stored) -> Event:
    return Event(
        id=row[0],
        run_id=row[1],
        seq=row[2],
        attempt=row[3],
        ts=row[4],
        type=row[5],
        level=row[6],
        payload=msgspec.Raw(row[7].encode()),
        late=bool(row[8]),
    )
