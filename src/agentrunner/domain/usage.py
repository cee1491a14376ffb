"""Usage as programs report it that run elsewhere: for a span or for the whole run, often several times.

Of each span the last report counts; a report for the whole run stands for all of them. What cannot be true (tokens
outside 0 to 50 million, cost outside 0 to 10,000 dollars) is unknown, not zero.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from agentrunner.domain.event import NewEvent

USAGE_REPORT = "usage.report"
MAX_TOKENS = 50_000_000
MAX_COST_USD = 10_000.0
MAX_REPORTS = 20_000
"""How many reports of a run are kept; further ones are only events."""
_MAX_TEXT = 500


class UsageReport(msgspec.Struct, frozen=True, kw_only=True):
    """One report; None where something is not known. `span_id` is empty for the whole run.

    `seq` is that of the event that brought it: a later one counts more.
    """

    report_id: str
    seq: int = 0
    span_id: str = ""
    model: str | None = None
    source: str | None = None
    confidence: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cost_usd: float | None = None

    @property
    def total(self) -> int:
        """All tokens: what was said, else input and output."""
        return self.total_tokens or (self.input_tokens or 0) + (self.output_tokens or 0)


class UsageSum(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens and dollars; `cost_usd` is None where no cost is known at all."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cost_usd: float | None = None
    model: str | None = None
    source: str | None = None
    confidence: str | None = None


class RunUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What a run used in all, and by span."""

    totals: UsageSum = UsageSum()
    by_span: dict[str, UsageSum] = {}


def read(event: NewEvent, seq: int) -> UsageReport | None:
    """What an event reports, None where it says nothing that can be understood. `seq` names a report without an id."""
    if event.type != USAGE_REPORT:
        return None
    try:
        payload = msgspec.json.decode(event.payload)
    except msgspec.DecodeError:
        return None
    if not isinstance(payload, dict):
        return None
    return UsageReport(
        report_id=_text(payload, "reportId", "report_id") or f"#{seq}",
        seq=seq,
        span_id=_text(payload, "spanId", "span_id") or "",
        model=_text(payload, "model"),
        source=_text(payload, "source"),
        confidence=_confidence(payload),
        input_tokens=_tokens(payload, "inputTokens", "input_tokens"),
        output_tokens=_tokens(payload, "outputTokens", "output_tokens"),
        total_tokens=_tokens(payload, "totalTokens", "total_tokens"),
        cost_usd=_cost(payload, "costUsd", "cost_usd"),
    )


def _text(payload: Mapping[str, Any], *names: str) -> str | None:
    for name in names:
        value = payload.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and (text := str(value).replace("\x00", "")):
            return text[:_MAX_TEXT]
    return None


def _confidence(payload: Mapping[str, Any]) -> str | None:
    """JSON text: a word to some reporters, a number to others, and each gets back what it sent."""
    value = payload.get("confidence")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return msgspec.json.encode(value[:_MAX_TEXT].replace("\x00", "") if isinstance(value, str) else value).decode()


def _number(payload: Mapping[str, Any], names: Sequence[str], most: float) -> float | int | None:
    value = next((payload[name] for name in names if payload.get(name) is not None), None)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value <= most else None


def _tokens(payload: Mapping[str, Any], *names: str) -> int | None:
    value = _number(payload, names, MAX_TOKENS)
    return None if value is None else round(value)


def _cost(payload: Mapping[str, Any], *names: str) -> float | None:
    value = _number(payload, names, MAX_COST_USD)
    return None if value is None else float(value)


def total(reports: Sequence[UsageReport]) -> RunUsage:
    """What reports say together, whatever their order."""
    latest: dict[str, UsageReport] = {}
    for report in sorted(reports, key=lambda each: each.seq):
        latest[report.span_id] = report
    whole = latest.pop("", None)
    by_span = {span_id: _sum_of(report) for span_id, report in latest.items()}
    return RunUsage(totals=_sum_of(whole) if whole else _added(list(by_span.values())), by_span=by_span)


def _sum_of(report: UsageReport) -> UsageSum:
    return UsageSum(
        input_tokens=report.input_tokens or 0,
        output_tokens=report.output_tokens or 0,
        total_tokens=report.total,
        cost_usd=report.cost_usd,
        model=report.model,
        source=report.source,
        confidence=report.confidence,
    )


def _added(sums: Sequence[UsageSum]) -> UsageSum:
    costs = [each.cost_usd for each in sums if each.cost_usd is not None]
    return UsageSum(
        input_tokens=sum(each.input_tokens for each in sums),
        output_tokens=sum(each.output_tokens for each in sums),
        total_tokens=sum(each.total_tokens for each in sums),
        cost_usd=sum(costs) if costs else None,
    )
