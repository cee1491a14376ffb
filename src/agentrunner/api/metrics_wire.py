"""The wire forms of the Agent Metrics surface: what its clients send and read, and how it writes figures for people."""

import math
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from agentrunner.domain.agent import Agent, AgentVersion, NewVersion
from agentrunner.domain.duration import MAX_DURATION_MS, go_duration, parse_duration
from agentrunner.domain.errors import InvalidField
from agentrunner.domain.finished import Finished, ending_of, word_of
from agentrunner.domain.instant import MAX_INSTANT, parse_rfc3339, rfc3339
from agentrunner.domain.rollup import MICRO
from agentrunner.domain.run import Run
from agentrunner.engine.finished import Told
from agentrunner.engine.overview import Overview, Total
from agentrunner.store.reported import Reported

_PLAIN = r"^[^\x00]*$"
_Name = Annotated[str, Meta(max_length=200, pattern=_PLAIN)]
_Text = Annotated[str, Meta(max_length=1000, pattern=_PLAIN)]
_Word = Annotated[str, Meta(max_length=500, pattern=_PLAIN)]
_Words = Annotated[list[_Name], Meta(max_length=100)]
_Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_Cost = Annotated[float, Meta(ge=0, le=1e9)]
_SECONDS = MAX_DURATION_MS // 1000
_DURATION = {
    "pattern": "^(|[0-9]{1,9}(\\.[0-9]{1,9})?|([0-9]{1,5}(\\.[0-9]{1,9})?(ns|us|ms|s|m|h)){1,4}"
    "|PT([0-9]{1,5}H)?([0-9]{1,5}M)?[0-9]{1,5}(\\.[0-9]{1,9})?S)$"
}
"""What the document says of a duration: less than is taken, as a pattern knows no sum that must stay in bounds."""
_Taken = Annotated[str, Meta(max_length=100, extra_json_schema=_DURATION)] | Annotated[float, Meta(ge=0, le=_SECONDS)]
_ACTIONS = {"failed": "failed run", "timeout": "timed out", "running": "started run", "pending": "queued run"}


class MetricsNewAgent(msgspec.Struct, frozen=True, kw_only=True):
    """An agent to register; `name` repeats the one in the address."""

    name: _Name | None = None
    project: _Text | None = None


class MetricsAgent(msgspec.Struct, frozen=True, kw_only=True):
    """An agent; `id` has 24 hexadecimal digits."""

    id: str
    name: str
    project: str
    created_at: str
    updated_at: str


class MetricsNewVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version to add to an agent."""

    version: Annotated[str, Meta(min_length=1, max_length=200, pattern=_PLAIN)]
    cluster: _Text | None = None
    tools: _Words | None = None
    models: _Words | None = None
    deployment: _Text | None = None


class MetricsVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version of an agent."""

    id: str
    agent_id: str
    version: str
    cluster: str
    tools: tuple[str, ...]
    models: tuple[str, ...]
    deployment: str
    created_at: str
    updated_at: str


class MetricsNewRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is over. `time_taken` is a Go duration (`5m30s`), an ISO 8601 one, or seconds; `cost` in dollars."""

    created: Annotated[str, Meta(max_length=100)] | None = None
    status: _Name | None = None
    time_taken: _Taken | None = None
    initiator: _Word | None = None
    tools: _Words | None = None
    cost: _Cost | None = None
    models: _Words | None = None
    id: _Int64 | None = None
    task_id: _Int64 | None = None


class MetricsNewRuns(MetricsNewRun, frozen=True, kw_only=True):
    """One run, or with `runs` up to 10,000, of which all are taken or none."""

    runs: Annotated[list[MetricsNewRun], Meta(max_length=10_000)] | None = None


class MetricsRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run. `id` is the reporter's, of a run without one ours; `run_id` is ours, by which `/v1/runs` knows it."""

    id: int
    run_id: int
    agent_id: str
    version_id: str
    version: str
    created: str
    status: str
    time_taken: str
    initiator: str
    tools: list[str]
    cost: float
    models: list[str]
    task_id: int
    recorded_at: str


class MetricsCard(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of the dashboard."""

    title: str
    value: str
    change: str
    icon: str
    trend: str
    raw: float | int


class MetricsActivity(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did lately; `duration` in seconds."""

    id: int
    agent: str
    action: str
    status: str
    time: str
    duration: float
    cost: float


class MetricsTotal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A version with the metrics of its finished runs: seconds, per cent, dollars."""

    id: str
    name: str
    project: str
    status: str
    last_seen: str
    version: str
    avg_runtime: float
    success_rate: float
    total_runs: int
    spend: float
    tools: tuple[str, ...]
    models: tuple[str, ...]
    cluster: str


def hex_id(number: int) -> str:
    """An id as this surface writes it."""
    return f"{number:024x}"


def agent(found: Agent) -> MetricsAgent:
    """An agent."""
    return MetricsAgent(
        id=hex_id(found.id),
        name=found.name,
        project=found.project,
        created_at=rfc3339(found.created_at),
        updated_at=rfc3339(found.updated_at),
    )


def new_version(given: MetricsNewVersion) -> NewVersion:
    """What a client says of a version."""
    return NewVersion(
        version=given.version,
        cluster=given.cluster or "",
        tools=tuple(given.tools or ()),
        models=tuple(given.models or ()),
        deployment=given.deployment or "",
    )


def version(found: AgentVersion) -> MetricsVersion:
    """A version."""
    return MetricsVersion(
        id=hex_id(found.id),
        agent_id=hex_id(found.agent_id),
        version=found.version,
        cluster=found.cluster,
        tools=found.tools,
        models=found.models,
        deployment=found.deployment,
        created_at=rfc3339(found.created_at),
        updated_at=rfc3339(found.updated_at),
    )


def finished(given: MetricsNewRun, where: str = "") -> Finished:
    """What a client says of a run; `where` stands before the names of fields in errors. Raises InvalidField.

    A `created` that is no instant is kept as it was said, and the run counts as begun when it was reported.
    """
    names = ("id", "task_id", "initiator", "time_taken", "tools", "models")
    said = {name: value for name in names if (value := getattr(given, name)) is not None}
    created = _instant(given.created)
    if created is None and given.created:
        said["created"] = given.created.replace("\x00", "")
    return Finished(
        status=given.status or "",
        created=created,
        taken_ms=_taken(given.time_taken, where),
        cost_usd=given.cost,
        said=said,
    )


def _instant(text: str | None) -> int | None:
    if not text:
        return None
    try:
        found = parse_rfc3339(text)
    except (ValueError, OverflowError):
        return None
    return found if 0 <= found <= MAX_INSTANT else None


def _taken(value: str | float | None, where: str) -> int | None:
    if value is None or value == "":
        return None
    try:
        return parse_duration(value)
    except ValueError as error:
        raise InvalidField(f"`{where}time_taken`: {error}.") from error


def run(told: Told, agent_id: int, version_id: int) -> MetricsRun:
    """A run of a version."""
    found, row = told
    said = {} if row is None else row.extra
    return MetricsRun(
        id=said.get("id", found.id),
        run_id=found.id,
        agent_id=hex_id(agent_id),
        version_id=hex_id(version_id),
        version=found.agent_version or "",
        created=rfc3339(found.created_at),
        status=status(found, row),
        time_taken=_time_taken(found, said.get("time_taken")),
        initiator=said.get("initiator", ""),
        tools=said.get("tools", []),
        cost=found.cost_usd or 0.0,
        models=said.get("models", []),
        task_id=said.get("task_id", 0),
        recorded_at=rfc3339(said.get("recorded_at", found.created_at)),
    )


def status(found: Run, row: Reported | None) -> str:
    """A run's status: as its program said it, while that is how the run is."""
    if row is not None and (ending_of(row.status) is not None) == found.status.is_terminal:
        return row.status
    return word_of(found.status, found.reason)


def _time_taken(found: Run, said: Any) -> str:
    if isinstance(said, str):
        return said
    ms = _duration_ms(found)
    return "" if ms is None else go_duration(ms)


def _duration_ms(found: Run) -> int | None:
    if found.started_at is None or found.ended_at is None:
        return None
    return max(found.ended_at - found.started_at, 0)


def activity(told: Told) -> MetricsActivity:
    """What a run did lately."""
    found, row = told
    word = word_of(found.status, found.reason)
    return MetricsActivity(
        id=found.id if row is None else row.extra.get("id", found.id),
        agent=found.agent or found.backend,
        action=_ACTIONS.get(word, "completed run" if word == "completed" else "stopped run"),
        status=status(found, row),
        time=rfc3339(found.created_at),
        duration=(_duration_ms(found) or 0) / 1000,
        cost=found.cost_usd or 0.0,
    )


def total(found: Total) -> MetricsTotal:
    """A version with the metrics of its finished runs; runs that somebody stopped are no failures and no successes."""
    sums = found.sums
    judged = sums.completed + sums.failed
    return MetricsTotal(
        id=hex_id(found.version.id),
        name=found.agent.name,
        project=found.agent.project,
        status="active" if found.is_active else "inactive",
        last_seen=rfc3339(found.heard_at),
        version=found.version.version,
        avg_runtime=_mean_s(sums.duration_ms, sums.timed),
        success_rate=round(100 * sums.completed / judged, 4) if judged else 0.0,
        total_runs=sums.runs,
        spend=sums.cost_micro / MICRO,
        tools=found.version.tools,
        models=found.version.models,
        cluster=found.version.cluster,
    )


def _mean_s(duration_ms: int, timed: int) -> float:
    return round(duration_ms / timed / 1000, 6) if timed else 0.0


def cards(found: Overview) -> list[MetricsCard]:
    """The four figures of the dashboard."""
    days, hours = found.days, found.hours
    took, took_before = (_mean_s(each.duration_ms, each.timed) for each in hours)
    faster = (round(took - took_before, 1) if hours.now.timed and hours.before.timed else 0.0) or 0.0
    spent, spent_before = (each.cost_micro / MICRO for each in days)
    more = found.active - found.active_before
    return [
        _card("Active Agents", f"{found.active:,}", f"{more:+,d} from last week", "Bot", more, found.active),
        _card(
            "Total Runs Today",
            f"{days.now.runs:,}",
            f"{_change(days.now.runs, days.before.runs)} from yesterday",
            "Activity",
            days.now.runs - days.before.runs,
            days.now.runs,
        ),
        _card("Avg Response Time", f"{took:,.1f}s", f"{faster:+,.1f}s from last hour", "Clock", faster, took),
        _card(
            "Total Cost Today",
            f"${spent:,.2f}",
            f"{_change(spent, spent_before)} from yesterday",
            "DollarSign",
            spent - spent_before,
            spent,
        ),
    ]


def _card(title: str, value: str, change: str, icon: str, more: float, raw: float) -> MetricsCard:
    trend = "up" if more > 0 else "down" if more < 0 else "neutral"
    return MetricsCard(title=title, value=value, change=change, icon=icon, trend=trend, raw=raw)


def _change(now: float, before: float) -> str:
    """By how many per cent something has changed; against nothing everything is as much more as `+100%` says."""
    if before == 0:
        return "+100%" if now else "+0%"
    share = 100 * (now - before) / before
    return f"{math.trunc(share + math.copysign(0.5, share)):+,d}%"
