"""The SQL of runs by the names that their reporters gave them."""

from typing import NamedTuple

from agentrunner.store.base import Tx

_ADVANCE = """UPDATE runs SET last_seq = last_seq + ?
              WHERE external_id = ? AND status IN ('QUEUED', 'RUNNING', 'PAUSED')
              RETURNING id, last_seq, attempt"""


class Advanced(NamedTuple):
    """A run that has made room for events: its id, its last `seq` then, and its attempt."""

    run_id: int
    last_seq: int
    attempt: int


async def advance(tx: Tx, name: str, count: int) -> Advanced | None:
    """Make room for `count` events of the run that its reporter calls so; None where it is over or unknown."""
    row = await tx.one(_ADVANCE, count, name)
    return None if row is None else Advanced(row[0], row[1], row[2])
