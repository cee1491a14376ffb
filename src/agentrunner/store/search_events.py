"""The SQL of looking through one run's events: what may contain a text, and what was printed."""

from collections.abc import Sequence
from typing import NamedTuple

from agentrunner.store.base import Tx

_LIKE = {"sqlite": "LIKE", "postgres": "ILIKE"}
_ESCAPED = "%\\u00%"
"""Where a writer has escaped what needs no escape, anything may be hidden."""


class Candidate(NamedTuple):
    """An event that may contain what is sought."""

    seq: int
    type: str
    payload: str


class Printed(NamedTuple):
    """A `log` event."""

    seq: int
    attempt: int
    payload: str


async def candidates(tx: Tx, run_id: int, span: tuple[int, int], part: str, limit: int) -> Sequence[Candidate]:
    """The first events of a run behind `span[0]` up to `span[1]` whose type or payload has a text, in any case."""
    like = f"{_LIKE[tx.dialect.name]} ? ESCAPE '!'"
    pattern = "%" + "".join(f"!{each}" if each in "!%_" else each for each in part) + "%"
    sql = f"""SELECT seq, type, payload FROM events WHERE run_id = ? AND seq > ? AND seq <= ?
              AND (payload {like} OR type {like} OR payload LIKE ? ESCAPE '!') ORDER BY seq LIMIT {int(limit)}"""
    rows = await tx.all(sql, run_id, *span, pattern, pattern, _ESCAPED)
    return [Candidate(row[0], row[1], row[2]) for row in rows]


async def printed(tx: Tx, run_id: int, span: tuple[int, int], limit: int) -> Sequence[Printed]:
    """The first `log` events of a run behind `span[0]` up to `span[1]`."""
    sql = f"""SELECT seq, attempt, payload FROM events WHERE run_id = ? AND seq > ? AND seq <= ? AND type = 'log'
              ORDER BY seq LIMIT {int(limit)}"""
    return [Printed(row[0], row[1], row[2]) for row in await tx.all(sql, run_id, *span)]
