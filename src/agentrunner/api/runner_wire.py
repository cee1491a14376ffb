"""The wire forms of the Runs API surface: what its clients send and read, and the words they know events by."""

from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from agentrunner.api.query import MAX_ID
from agentrunner.domain.event import Event, EventType
from agentrunner.domain.instant import optional_rfc3339, rfc3339
from agentrunner.domain.project import Project, ProjectName
from agentrunner.domain.run import Run
from agentrunner.domain.state import Desired, Status

DEMO = "demo"
"""The backend of runs that name none: a simulation."""
RUN_TYPE = "run_type"
"""The label that keeps a run's type."""
RunType = Literal["agent", "workflow", "pipeline", "task"]
DEFAULT_TYPE: RunType = "agent"
_TYPES = ("agent", "workflow", "pipeline", "task")
_WORDS = {
    EventType.RUN_PAUSED.value: "RUN_PAUSE",
    EventType.RUN_RESUMED.value: "RUN_RESUME",
    EventType.RUN_STOPPED.value: "RUN_STOP",
    EventType.INPUT_RECEIVED.value: "DIRECTIVE",
    EventType.THINKING.value: "AGENT_THINKING",
}
_BARE = ("RUN_PAUSE", "RUN_RESUME", "RUN_STOP")
"""The words that tell everything there is to tell."""
Path = Annotated[str, Meta(min_length=1, max_length=4096, pattern=r"^/[^\x00]*$(?!\n)")]


class RunnerNewProject(msgspec.Struct, frozen=True, kw_only=True):
    """A project to create; `local_path` (or `path`) is absolute, on the worker's host."""

    name: ProjectName
    local_path: Path | None = None
    path: Path | None = None


class RunnerProjectQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The same as query parameters; what the body says too, the body decides."""

    name: str | None = None
    local_path: str | None = None


class RunnerProject(msgspec.Struct, frozen=True, kw_only=True):
    """A project. `local_path` is empty for one whose runs each get a fresh directory."""

    id: int
    name: str
    local_path: str
    created_at: str


class RunnerNewRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run to create. `options.backend` chooses what executes it, the simulation `demo` where it is left out; the
    other options are that backend's, and `options.timeout_seconds` ends the run. `run_metadata` is `metadata`.
    """

    project_id: Annotated[int, Meta(ge=-MAX_ID, le=MAX_ID)]
    goal: Annotated[str, Meta(max_length=1_000_000)]
    name: Annotated[str, Meta(max_length=500)] | None = None
    run_type: RunType | None = None
    options: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    run_metadata: dict[str, Any] | None = None


class RunnerRunQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The same as query parameters; what the body says too, the body decides."""

    project_id: int | None = None
    goal: str | None = None
    name: str | None = None
    run_type: RunType | None = None


class RunnerRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run. `current_iteration` counts the agent's turns; `simulated` is true where nothing is done in truth.

    One that a person holds back in the queue is PAUSED here.
    """

    id: int
    project_id: int
    name: str
    goal: str
    run_type: str
    status: str
    current_iteration: int
    options: dict[str, Any] | None
    metadata: dict[str, Any] | None
    run_metadata: dict[str, Any] | None
    created_at: str
    started_at: str | None
    ended_at: str | None
    backend: str
    simulated: bool
    reason: str | None
    message: str | None


class RunnerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event. `id` is what `after_id` and `Last-Event-ID` take; `seq` counts the events of the run."""

    id: int
    run_id: int
    type: str
    payload: str
    created_at: str
    level: str
    seq: int


class RunnerDirective(msgspec.Struct, frozen=True, kw_only=True):
    """Text for a run's agent."""

    text: Annotated[str, Meta(min_length=1, max_length=1_000_000, pattern=r"^[^\x00]*$")]


class RunnerWorkers(msgspec.Struct, frozen=True, kw_only=True):
    """The workers as one: whether any is there, and what they have to do.

    `check_interval` is in seconds, though a new run is taken at once; `last_check` is when a worker was last heard;
    `total_processed` counts the runs that have ended.
    """

    running: bool
    check_interval: int
    check_interval_seconds: int
    last_check: str | None
    active_runs: int
    queued_runs: int
    total_processed: int
    workers: int


class RunnerProcessed(msgspec.Struct, frozen=True, kw_only=True):
    """What waking the workers did: how many of the runs that waited were begun meanwhile."""

    message: str = "Processing triggered"
    processed: bool = True
    runs_claimed: int


def project(found: Project) -> RunnerProject:
    """A project."""
    return RunnerProject(
        id=found.id, name=found.name, local_path=found.path or "", created_at=rfc3339(found.created_at)
    )


def run(found: Run) -> RunnerRun:
    """A run."""
    kind = found.labels.get(RUN_TYPE, DEFAULT_TYPE)
    return RunnerRun(
        id=found.id,
        project_id=found.project_id,
        name=found.title,
        goal=found.goal,
        run_type=kind if kind in _TYPES else DEFAULT_TYPE,
        status=status(found),
        current_iteration=found.turns,
        options=_options(found) or None,
        metadata=found.metadata or None,
        run_metadata=found.metadata or None,
        created_at=rfc3339(found.created_at),
        started_at=optional_rfc3339(found.started_at),
        ended_at=optional_rfc3339(found.ended_at),
        backend=found.backend,
        simulated=found.backend == DEMO,
        reason=found.reason,
        message=found.message,
    )


def status(found: Run) -> str:
    """The status; a client that sees QUEUED expects the run to begin, so one that is held back is PAUSED."""
    is_held = found.status is Status.QUEUED and found.desired is Desired.PAUSE
    return Status.PAUSED.value if is_held else found.status.value


def _options(found: Run) -> dict[str, Any]:
    """The options as they were sent: without what was added, with what was taken out."""
    shown = dict(found.options)
    if found.backend != DEMO:
        shown["backend"] = found.backend
    elif shown.get("stdin") == "pipe":
        del shown["stdin"]
    if found.limits.wall_s is not None:
        shown["timeout_seconds"] = found.limits.wall_s
    return shown


class _Said(msgspec.Struct, frozen=True):
    """The fields of a payload that are a text for people."""

    message: str | None = None
    text: str | None = None
    lines: list[str] | None = None


_said: msgspec.json.Decoder[_Said | str] = msgspec.json.Decoder(_Said | str)


def is_shown(found: Event) -> bool:
    """False for what clients have no word for: a run that is claimed is RUNNING here, and RUN_STARTED comes next."""
    return found.type != EventType.RUN_CLAIMED


def event(found: Event, of: Run) -> bytes:
    """An event of a run as JSON."""
    word = word_of(found.type)
    is_first = found.type == EventType.RUN_CREATED
    shown = RunnerEvent(
        id=found.id,
        run_id=found.run_id,
        type=word,
        payload=of.goal if is_first else payload_of(word, bytes(found.payload)),
        created_at=rfc3339(found.ts),
        level=found.level,
        seq=found.seq,
    )
    return msgspec.json.encode(shown)


@lru_cache(maxsize=256)
def word_of(type: str) -> str:
    """An event's type in capitals: `run.paused` -> `RUN_PAUSE` by a table, `tool.called` -> `TOOL_CALLED` by rule."""
    return _WORDS.get(type) or type.upper().replace(".", "_")


def payload_of(word: str, payload: bytes) -> str:
    """A payload as text: its `message`, `text` or `lines`, else its JSON; nothing for an empty one."""
    try:
        said = _said.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        said = _Said()
    if isinstance(said, str):
        return said
    if (text := said.message if said.message is not None else said.text) is not None:
        return text
    if said.lines is not None:
        return "\n".join(said.lines)
    return "" if word in _BARE or payload == b"{}" else payload.decode()
