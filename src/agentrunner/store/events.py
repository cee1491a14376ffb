"""The SQL of events."""

from collections.abc import Sequence

import msgspec

from agentrunner.domain.event import Event, NewEvent, SurfaceEvent
from agentrunner.store.base import Row as Stored
from agentrunner.store.base import Tx

_COLUMNS = "id, run_id, seq, attempt, ts, type, level, payload, late, extra"
_STORED = "run_id, seq, attempt, ts, type, level, payload, late, producer, client_seq, extra"

Row = tuple[object, ...]
"""An event as it is stored."""


def row(event: NewEvent, at: tuple[int, int, int], ts: int, *, late: bool = False) -> Row:
    """What is stored of an event; `at` is its run, seq and attempt."""
    payload = bytes(event.payload).decode()
    extra = event.extra if isinstance(event, SurfaceEvent) else None
    return (*at, ts, event.type, event.level, payload, int(late), event.producer, event.client_seq, extra)


async def insert(tx: Tx, rows: Sequence[Row]) -> None:
    """Store events; their `seq` come from the run's counter in the same transaction."""
    if rows:
        await tx.insert("events", _STORED, rows)


async def insert_one(tx: Tx, row: Row) -> int:
    """Store one event; answers its id."""
    marks = ", ".join("?" * len(row))
    stored = await tx.one(f"INSERT INTO events ({_STORED}) VALUES ({marks}) RETURNING id", *row)
    assert stored is not None
    return int(stored[0])


async def page(tx: Tx, run_id: int, after: int, limit: int, types: Sequence[str] = ()) -> list[Event]:
    """The events of a run behind `seq` `after`, in order; `types` narrows them."""
    narrow = f"AND type IN ({', '.join('?' * len(types))})" if types else ""
    sql = f"SELECT {_COLUMNS} FROM events WHERE run_id = ? AND seq > ? {narrow} ORDER BY seq LIMIT {int(limit)}"
    return [_event(row) for row in await tx.all(sql, run_id, after, *types)]


async def last(tx: Tx, run_id: int, count: int) -> list[Event]:
    """The last `count` events of a run, in order."""
    sql = f"SELECT {_COLUMNS} FROM events WHERE run_id = ? ORDER BY seq DESC LIMIT {int(count)}"
    return [_event(row) for row in await tx.all(sql, run_id)][::-1]


async def seq_at(tx: Tx, run_id: int, event_id: int, last_seq: int) -> int:
    """The `seq` of a run's last event with an id up to `event_id`; 0 where that is before the first that is there.

    Within a run ids rise with `seq`, so an id that is not of this run is found by halving, with no index of its own.
    """
    row = await tx.one("SELECT run_id, seq FROM events WHERE id = ?", event_id)
    if row is not None and row[0] == run_id:
        return int(row[1])
    at, low, high = 0, 0, last_seq
    sql = "SELECT seq, id FROM events WHERE run_id = ? AND seq <= ? ORDER BY seq DESC LIMIT 1"
    while low < high:
        middle = (low + high + 1) // 2
        found = await tx.one(sql, run_id, middle)
        if found is None:
            low = middle
        elif found[1] <= event_id:
            at = low = middle
        else:
            high = found[0] - 1
    return at


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
        extra=row[9],
    )
