"""Runs: one piece of work given to an agent."""

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from agentrunner.domain.instant import optional_rfc3339, rfc3339
from agentrunner.domain.project import DEFAULT_PROJECT
from agentrunner.domain.retry import RetryPolicy
from agentrunner.domain.state import Desired, Hold, OnLost, Phase, Reason, Status

Label = Annotated[str, Meta(max_length=200)]
LabelName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$(?!\n)")]
BackendName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}$(?!\n)")]
SecretName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$(?!\n)")]

MAX_BATCH = 1000
"""How many runs one request may create."""
MASK = "***"
"""What a secret is answered as."""
_SECRET_WORD = re.compile(r"(?i)(KEY|TOKEN|SECRET|PASSWORD)")


class Limits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a run may use: seconds (`wall_s`, `idle_s`, `start_s`), memory in MiB, CPUs, processes, output in MiB.

    Paused time does not count. None: no limit.
    """

    wall_s: Annotated[float, Meta(gt=0, le=31_536_000)] | None = None
    idle_s: Annotated[float, Meta(gt=0, le=31_536_000)] | None = None
    start_s: Annotated[float, Meta(gt=0, le=86_400)] | None = None
    memory_mb: Annotated[int, Meta(ge=4, le=16_777_216)] | None = None
    cpu: Annotated[float, Meta(gt=0, le=4096)] | None = None
    pids: Annotated[int, Meta(ge=1, le=4_194_304)] | None = None
    output_mb: Annotated[float, Meta(gt=0, le=1_048_576)] | None = None


RESOURCE_LIMITS = ("memory_mb", "cpu", "pids")
"""The limits that only some hosts can enforce."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of a run over all its attempts; `input_tokens` excludes the cached ones."""

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0

    def plus(self, other: "Usage") -> "Usage":
        """The sum."""
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )


class NewRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request to create a run. `goal` may be empty where the backend's options say everything.

    `agent_version` names the version that the run counts for, else its settings decide. `priority`: higher first.
    `secrets`: environment variables that are never stored with the run nor answered.
    """

    goal: Annotated[str, Meta(max_length=1_000_000)] = ""
    backend: BackendName
    title: Annotated[str, Meta(max_length=500)] | None = None
    project: str = DEFAULT_PROJECT
    agent: Annotated[str, Meta(max_length=200)] | None = None
    agent_version: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    external_id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    options: dict[str, Any] = {}
    limits: Limits = Limits()
    priority: Annotated[int, Meta(ge=-1000, le=1000)] = 0
    labels: dict[LabelName, Label] = {}
    metadata: dict[str, Any] = {}
    on_lost: OnLost = OnLost.WAIT
    retry: RetryPolicy = RetryPolicy()
    secrets: dict[SecretName, Annotated[str, Meta(max_length=65_536)]] = {}


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run as stored; instants in milliseconds.

    `revision` numbers the wishes for it and `answered` is the last that became a fact; `epoch` numbers the owners:
    every write of a worker carries the epoch it was given. `turns` counts what the current attempt has begun to do.
    """

    id: int
    external_id: str | None
    title: str
    goal: str
    project_id: int
    project: str
    backend: str
    agent: str | None
    agent_version: str | None
    status: Status
    phase: Phase | None
    phase_since: int | None
    hold: Hold | None
    hold_until: int | None
    reason: Reason | None
    message: str | None
    desired: Desired
    revision: int
    answered: int
    attempt: int
    epoch: int
    worker_id: str | None
    priority: int
    exit_code: int | None
    signal: int | None
    options: dict[str, Any]
    limits: Limits
    retry: RetryPolicy
    on_lost: OnLost
    has_secrets: bool
    usage: Usage
    cost_usd: float | None
    last_seq: int
    retry_of: int | None
    created_at: int
    queued_at: int
    started_at: int | None
    ended_at: int | None
    labels: dict[str, str]
    metadata: dict[str, Any]
    turns: int = 0


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """A run on the wire."""

    id: int
    external_id: str | None
    title: str
    goal: str
    project: str
    backend: str
    agent: str | None
    agent_version: str | None
    status: Status
    phase: Phase | None
    phase_since: str | None
    hold: Hold | None
    hold_until: str | None
    reason: Reason | None
    message: str | None
    desired: Desired
    attempt: int
    worker: str | None
    priority: int
    exit_code: int | None
    signal: int | None
    options: dict[str, Any]
    limits: Limits
    retry: RetryPolicy
    on_lost: OnLost
    usage: Usage
    cost_usd: float | None
    turns: int
    last_seq: int
    retry_of: int | None
    created_at: str
    started_at: str | None
    ended_at: str | None
    labels: dict[str, str]
    metadata: dict[str, Any]


def view(run: Run) -> RunView:
    """The wire form of a run."""
    return RunView(
        id=run.id,
        external_id=run.external_id,
        title=run.title,
        goal=run.goal,
        project=run.project,
        backend=run.backend,
        agent=run.agent,
        agent_version=run.agent_version,
        status=run.status,
        phase=run.phase,
        phase_since=optional_rfc3339(run.phase_since),
        hold=run.hold,
        hold_until=optional_rfc3339(run.hold_until),
        reason=run.reason,
        message=run.message,
        desired=run.desired,
        attempt=run.attempt,
        worker=run.worker_id,
        priority=run.priority,
        exit_code=run.exit_code,
        signal=run.signal,
        options=run.options,
        limits=run.limits,
        retry=run.retry,
        on_lost=run.on_lost,
        usage=run.usage,
        cost_usd=run.cost_usd,
        turns=run.turns,
        last_seq=run.last_seq,
        retry_of=run.retry_of,
        created_at=rfc3339(run.created_at),
        started_at=optional_rfc3339(run.started_at),
        ended_at=optional_rfc3339(run.ended_at),
        labels=run.labels,
        metadata=run.metadata,
    )


def title_of(request: NewRun) -> str:
    """The title asked for, else the goal's first line, else the command, else the backend's name; 200 characters."""
    if request.title:
        return request.title
    argv = request.options.get("argv")
    command = " ".join(str(part) for part in argv) if isinstance(argv, list) else ""
    for text in (request.goal, command, request.backend):
        if line := text.strip().partition("\n")[0]:
            return line if len(line) <= 200 else line[:199] + "…"
    return request.backend


def looks_secret(name: str) -> bool:
    """True for a variable named like a key, token, secret or password."""
    return bool(_SECRET_WORD.search(name))


def split_secrets(options: dict[str, Any], secrets: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """`options` with the values of secret-looking `env` entries masked, and all secrets by variable name."""
    env = options.get("env")
    if not isinstance(env, dict):
        return options, dict(secrets)
    found = {name: str(value) for name, value in env.items() if looks_secret(name) and value is not None}
    if not found:
        return options, dict(secrets)
    masked = {name: MASK if name in found else value for name, value in env.items()}
    return {**options, "env": masked}, {**found, **secrets}
