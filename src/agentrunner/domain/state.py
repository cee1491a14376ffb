"""The state machine of a run: one table, and the closed lists beside it.

Status says where a run is; hold, phase and reason say why. A terminal status is final.
"""

from enum import StrEnum
from typing import Literal, NamedTuple


class Status(StrEnum):
    """Where a run is; everything finer is hold, phase or reason."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"

    @property
    def is_terminal(self) -> bool:
        """True where no change can follow."""
        return self in TERMINAL


TERMINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.STOPPED})
ACTIVE = frozenset({Status.RUNNING, Status.PAUSED})


class Cause(StrEnum):
    """What makes a status change; each has one event type (`event_type`)."""

    CREATED = "created"
    REPORTED = "reported"
    CLAIMED = "claimed"
    PAUSED = "paused"
    RESUMED = "resumed"
    RETRIED = "retried"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def event_type(self) -> str:
        """The type of the one event of such a change; a run that another program reports is created like any other."""
        return "run.created" if self is Cause.REPORTED else f"run.{self}"


TRANSITIONS: dict[tuple[Status | None, Cause], Status] = {
    (None, Cause.CREATED): Status.QUEUED,
    (None, Cause.REPORTED): Status.RUNNING,
    (Status.QUEUED, Cause.CLAIMED): Status.RUNNING,
    (Status.QUEUED, Cause.STOPPED): Status.STOPPED,
    (Status.QUEUED, Cause.FAILED): Status.FAILED,
    (Status.RUNNING, Cause.PAUSED): Status.PAUSED,
    (Status.RUNNING, Cause.RETRIED): Status.QUEUED,
    (Status.RUNNING, Cause.COMPLETED): Status.COMPLETED,
    (Status.RUNNING, Cause.FAILED): Status.FAILED,
    (Status.RUNNING, Cause.STOPPED): Status.STOPPED,
    (Status.PAUSED, Cause.RESUMED): Status.RUNNING,
    (Status.PAUSED, Cause.RETRIED): Status.QUEUED,
    (Status.PAUSED, Cause.COMPLETED): Status.COMPLETED,
    (Status.PAUSED, Cause.FAILED): Status.FAILED,
    (Status.PAUSED, Cause.STOPPED): Status.STOPPED,
}


def next_status(status: Status | None, cause: Cause) -> Status | None:
    """The status after `cause`, or None where the table has no such change."""
    return TRANSITIONS.get((status, cause))


def sources(cause: Cause) -> tuple[Status, ...]:
    """The statuses that `cause` may start from, for the guard of an UPDATE."""
    return tuple(source for (source, known) in TRANSITIONS if known is cause and source is not None)


class Desired(StrEnum):
    """What a person wishes for a run; the last wish wins, stop is final."""

    RUN = "run"
    PAUSE = "pause"
    STOP = "stop"


class Hold(StrEnum):
    """Why a queued run does not start."""

    NOT_BEFORE = "not_before"
    CAPACITY = "capacity"
    OPERATOR = "operator"
    BUDGET = "budget"
    PROVIDER_LIMIT = "provider_limit"
    DEPENDENCY = "dependency"


class Phase(StrEnum):
    """Where a running run is."""

    PREPARING = "preparing"
    STARTING = "starting"
    WORKING = "working"
    AWAITING_DECISION = "awaiting_decision"
    AWAITING_INPUT = "awaiting_input"
    STALLED = "stalled"
    STOPPING = "stopping"
    UNREACHABLE = "unreachable"


class OnLost(StrEnum):
    """What happens to a run whose worker is not heard of for a lease."""

    WAIT = "wait"
    FAIL = "fail"
    RETRY = "retry"


StreamName = Literal["out", "err", "journal"]
STREAMS: tuple[StreamName, ...] = ("out", "err", "journal")


class Reason(StrEnum):
    """Why a run ended."""

    EXIT_NONZERO = "exit_nonzero"
    SIGNAL = "signal"
    SPAWN_ERROR = "spawn_error"
    BACKEND_MISSING = "backend_missing"
    BACKEND_UNSUPPORTED = "backend_unsupported"
    BAD_CONFIG = "bad_config"
    AUTH = "auth"
    QUOTA = "quota"
    RATE_LIMITED = "rate_limited"
    PROVIDER_ERROR = "provider_error"
    NETWORK = "network"
    MODEL_UNAVAILABLE = "model_unavailable"
    CONTEXT_OVERFLOW = "context_overflow"
    UNPARSEABLE_OUTPUT = "unparseable_output"
    WALL_TIMEOUT = "wall_timeout"
    IDLE_TIMEOUT = "idle_timeout"
    START_TIMEOUT = "start_timeout"
    QUEUE_EXPIRED = "queue_expired"
    OOM_KILLED = "oom_killed"
    LIMIT_EXCEEDED = "limit_exceeded"
    BUDGET_EXCEEDED = "budget_exceeded"
    WORKER_LOST = "worker_lost"
    SHIM_LOST = "shim_lost"
    HOST_REBOOTED = "host_rebooted"
    WORKSPACE_ERROR = "workspace_error"
    STOPPED_BY_USER = "stopped_by_user"


class ReasonRule(NamedTuple):
    """What follows from a reason: may the same run help when tried again, and what should a person do."""

    retryable: bool
    what_to_do: str


REASONS: dict[Reason, ReasonRule] = {
    Reason.EXIT_NONZERO: ReasonRule(True, "Read the last lines of the output: the program itself reported a failure."),
    Reason.SIGNAL: ReasonRule(True, "Something outside killed the program; see the host's log, then retry."),
    Reason.SPAWN_ERROR: ReasonRule(False, "Correct the command, its directory or its size, then run it again."),
    Reason.BACKEND_MISSING: ReasonRule(False, "Install the program on the worker; `agentrunner doctor` checks."),
    Reason.BACKEND_UNSUPPORTED: ReasonRule(False, "Choose a backend or a program version that can do this."),
    Reason.BAD_CONFIG: ReasonRule(False, "Correct the run's options, then run it again."),
    Reason.AUTH: ReasonRule(False, "The provider refused the credentials: give the run a valid key, then retry."),
    Reason.QUOTA: ReasonRule(False, "The provider's quota is used up: raise it or use another account, then retry."),
    Reason.RATE_LIMITED: ReasonRule(True, "The provider limits the rate: retry later or run fewer at once."),
    Reason.PROVIDER_ERROR: ReasonRule(True, "The provider failed on its side; retry in a few minutes."),
    Reason.NETWORK: ReasonRule(True, "The provider could not be reached: check address and network, then retry."),
    Reason.MODEL_UNAVAILABLE: ReasonRule(False, "The provider does not offer this model: choose another `model`."),
    Reason.CONTEXT_OVERFLOW: ReasonRule(False, "The conversation outgrew the model: split the work."),
    Reason.UNPARSEABLE_OUTPUT: ReasonRule(True, "The program ended without its result: see its output and version."),
    Reason.WALL_TIMEOUT: ReasonRule(False, "The run used up `limits.wall_s`: raise it or give the run less to do."),
    Reason.IDLE_TIMEOUT: ReasonRule(True, "No output for `limits.idle_s`: the program hangs, or raise the limit."),
    Reason.START_TIMEOUT: ReasonRule(True, "No output within `limits.start_s`: check that the program starts."),
    Reason.QUEUE_EXPIRED: ReasonRule(False, "No worker took the run in time: start a worker that has its backend."),
    Reason.OOM_KILLED: ReasonRule(False, "The run needed more memory than it had: raise `limits.memory_mb`."),
    Reason.LIMIT_EXCEEDED: ReasonRule(False, "The run went over a limit: see its `limit` event, then raise it."),
    Reason.BUDGET_EXCEEDED: ReasonRule(False, "The run used up its budget: raise it, then retry."),
    Reason.WORKER_LOST: ReasonRule(True, "The worker went away and its runs with it: bring it back, then retry."),
    Reason.SHIM_LOST: ReasonRule(True, "The run's own supervisor was killed, so its processes were ended; retry."),
    Reason.HOST_REBOOTED: ReasonRule(True, "The worker's host restarted under the run; retry."),
    Reason.WORKSPACE_ERROR: ReasonRule(False, "The project's directory is missing or not usable on the worker."),
    Reason.STOPPED_BY_USER: ReasonRule(False, "Somebody stopped the run; nothing is wrong."),
}
