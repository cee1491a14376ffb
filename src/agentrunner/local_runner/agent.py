"""Agents as callers see them: what is asked for, and what is known. Plain data with document 004's names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class AgentStatus(StrEnum):
    """Where an agent is. `thinking` is `running` whose newest JSON message is a thought."""

    IDLE = "idle"
    INITIALIZING = "initializing"
    RUNNING = "running"
    THINKING = "thinking"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    TERMINATED = "terminated"

    @property
    def is_terminal(self) -> bool:
        """True once nothing of the agent can run any more; such a status is final."""
        return self in {AgentStatus.COMPLETED, AgentStatus.FAILED, AgentStatus.TERMINATED}


class AgentSignal(StrEnum):
    """`interrupt` (SIGINT) and `terminate` (SIGTERM) go to the agent's program; the others act on its whole tree."""

    INTERRUPT = "interrupt"
    TERMINATE = "terminate"
    KILL = "kill"
    FORCE_PAUSE = "force_pause"
    RESUME = "resume"


class PauseMode(StrEnum):
    """`cooperative`: the agent was told on stdin, and it is its word; `forced`: the kernel holds the whole tree."""

    COOPERATIVE = "cooperative"
    FORCED = "forced"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceLimits:
    """What an agent's whole tree may use; crossing one ends it. Refused at spawn where this host cannot enforce it."""

    max_memory_mb: int | None = None
    max_cpu_percent: float | None = None
    max_runtime_secs: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """What to start. `environment` is added to an allow-list of the runner's own; `agents` describes sub-agents."""

    name: str = ""
    model_backend: str = "claude"
    task: str = ""
    context: str | None = None
    system_prompt: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    model: str | None = None
    tool_level: str | None = None
    agents: Mapping[str, Any] | str | None = None
    limits: ResourceLimits = field(default_factory=ResourceLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachInfo:
    """Where somebody else may attach to an agent; a local runner opens no port, so its agents have none."""

    connect_url: str
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentInfo:
    """What is known of an agent, at one moment; times are UTC. `reason` says why it ended, where it did not just exit.

    `checked_at` is when a health check last found it alive.
    """

    id: str
    name: str
    status: AgentStatus
    model_backend: str
    started_at: datetime
    task: str
    paused_at: datetime | None = None
    pause_mode: PauseMode | None = None
    attach_info: AttachInfo | None = None
    ended_at: datetime | None = None
    checked_at: datetime | None = None
    pid: int | None = None
    exit_code: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitStatus:
    """How an agent ended. `code` is None where a signal ended it; `leftover` counts processes it had left behind.

    `step` is what made it end: `interrupt`, `terminate` or `kill`; None where it ended by itself.
    """

    code: int | None
    success: bool
    signal: int | None = None
    step: str | None = None
    leftover: int = 0
