"""The SQL of usage reports."""

from agentrunner.domain.usage import MAX_REPORTS, UsageReport
from agentrunner.store.base import Tx
from agentrunner.store.columns import decode

_COLUMNS = UsageReport.__struct_fields__
_NAMES = ", ".join(_COLUMNS)
_INSERT = f"""INSERT INTO usage_reports (run_id, {_NAMES}) VALUES (?, {", ".join("?" * len(_COLUMNS))})
              ON CONFLICT (run_id, report_id) DO NOTHING"""
_LATEST = f"""
    SELECT {", ".join("u." + name for name in _COLUMNS)} FROM usage_reports u
    WHERE u.run_id = ? AND u.seq = (SELECT max(v.seq) FROM usage_reports v
                                    WHERE v.run_id = u.run_id AND v.span_id = u.span_id)
    ORDER BY u.seq LIMIT {MAX_REPORTS}
"""


async def insert(tx: Tx, run_id: int, report: UsageReport) -> bool:
    """Store a report; False where one with its id is there."""
    return await tx.run(_INSERT, run_id, *(getattr(report, name) for name in _COLUMNS)) > 0


async def count(tx: Tx, run_id: int, most: int) -> int:
    """How many reports a run has, counted up to `most`."""
    sql = f"SELECT count(*) FROM (SELECT 1 FROM usage_reports WHERE run_id = ? LIMIT {int(most)}) AS found"
    row = await tx.one(sql, run_id)
    assert row is not None
    return int(row[0])


async def last(tx: Tx, run_id: int, span_id: str, below: int) -> UsageReport | None:
    """The last report of a span (or of the whole run, which is the empty name) below a `seq`."""
    sql = f"""SELECT {_NAMES} FROM usage_reports WHERE run_id = ? AND span_id = ? AND seq < ?
              ORDER BY seq DESC LIMIT 1"""
    row = await tx.one(sql, run_id, span_id, below)
    return None if row is None else decode(row, UsageReport, {})


async def latest(tx: Tx, run_id: int) -> list[UsageReport]:
    """The last report of each span of a run, and of the whole run."""
    return [decode(row, UsageReport, {}) for row in await tx.all(_LATEST, run_id)]
