"""Use cases of usage that other programs report: it counts for its run in the transaction that stores the report."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from agentrunner.domain.run import Run
from agentrunner.domain.usage import MAX_REPORTS, RunUsage, UsageReport, UsageSum, total
from agentrunner.engine.change import Change
from agentrunner.store import usage
from agentrunner.store.base import Tx

_NANO = 1_000_000_000
"""Costs are added up as whole billionths of a dollar: of ten thousand reports none leaves a rounding behind."""


async def count(tx: Tx, change: Change, report: UsageReport) -> None:
    """Store a report and let the run's usage and cost follow; one that is known already changes nothing.

    Only the difference to what counted before is added, so what the run was told in other ways stays.
    """
    run_id = change.run.id
    if await usage.count(tx, run_id, MAX_REPORTS) >= MAX_REPORTS or not await usage.insert(tx, run_id, report):
        return
    whole = await usage.last(tx, run_id, "", report.seq)
    if report.span_id and whole is not None:
        return
    if report.span_id:
        counted = [await usage.last(tx, run_id, report.span_id, report.seq)]
    else:
        counted = [whole] if whole is not None else [each for each in await usage.latest(tx, run_id) if each.span_id]
    _replace(change, [each for each in counted if each is not None], report)


class _Counted(NamedTuple):
    """What a report adds to its run. Tokens of which only the total is known count as input."""

    input_tokens: int
    output_tokens: int
    nano_usd: int


def _counted(report: UsageReport) -> _Counted:
    output = report.output_tokens or 0
    return _Counted(max(report.input_tokens or 0, report.total - output), output, _nano(report.cost_usd))


def _nano(usd: float | None) -> int:
    return round((usd or 0.0) * _NANO)


def _replace(change: Change, before: Sequence[UsageReport], after: UsageReport) -> None:
    """Count one report instead of others."""
    run, new, old = change.run, _counted(after), [_counted(each) for each in before]
    used = msgspec.structs.replace(
        run.usage,
        input_tokens=max(0, run.usage.input_tokens + new.input_tokens - sum(each.input_tokens for each in old)),
        output_tokens=max(0, run.usage.output_tokens + new.output_tokens - sum(each.output_tokens for each in old)),
    )
    change.set(usage=used)
    if after.cost_usd is not None or any(each.cost_usd is not None for each in before):
        nano = max(0, _nano(run.cost_usd) + new.nano_usd - sum(each.nano_usd for each in old))
        change.set(cost_usd=None if not nano and after.cost_usd is None else nano / _NANO)


async def of(tx: Tx, run: Run) -> RunUsage:
    """What a run used, as reported; of one of which nothing was reported what was counted, with no spans."""
    if reports := await usage.latest(tx, run.id):
        return total(reports)
    used = run.usage
    taken = used.input_tokens + used.cache_read_tokens + used.cache_write_tokens
    return RunUsage(
        totals=UsageSum(
            input_tokens=taken,
            output_tokens=used.output_tokens,
            total_tokens=taken + used.output_tokens,
            cost_usd=run.cost_usd,
        )
    )
