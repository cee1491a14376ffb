"""The worker protocol: the structs of its six calls (register, claim, heartbeat, wishes, record, decisions).

Outbound only from the worker. Worker-level calls carry the worker's epoch, `record` the run's; a lower one than the
server knows is refused with `stale_epoch`.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from agentrunner.domain.event import NewEvent
from agentrunner.domain.run import Limits
from agentrunner.domain.sample import Taken, Used
from agentrunner.domain.state import Desired, OnLost, Reason, Status, StreamName

PROTOCOL_VERSION = 1
MAX_STATE_BYTES = 64 * 1024
MAX_WAIT_S = 30.0
MAX_SAMPLES = 10_000
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""What a 64-bit column holds."""


class RegisterRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Who the worker is and what its host can do.

    `worker_id` is the UUID of its state directory, `lock_inode` the inode of the lock it holds there: together with
    `machine_id` they tell a restart of this worker from a copy of its directory.
    """

    protocol: int = PROTOCOL_VERSION
    worker_id: str
    machine_id: str
    lock_inode: Count
    boot_id: str
    name: str
    host: str
    version: str
    slots: Annotated[int, Meta(ge=0, le=100_000)]
    backends: list[str]
    limits: dict[str, str | None] = {}
    tree: str = "walk"


class Offsets(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of each stream, counted from its start."""

    out: Count = 0
    err: Count = 0
    journal: Count = 0


NULL = msgspec.Raw(b"null")
"""No state. It is the JSON value itself: a field of type `Raw | None` would decode nothing but null."""


class States(msgspec.Struct, frozen=True, kw_only=True):
    """The parser state stored with each stream's offset; NULL where nothing is stored yet."""

    out: msgspec.Raw = NULL
    err: msgspec.Raw = NULL
    journal: msgspec.Raw = NULL


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a worker needs for one attempt; `boot_id` is that of the host which began it."""

    run_id: Count
    attempt: Count
    uid: str
    epoch: Count
    status: Status
    desired: Desired
    revision: Count
    backend: str
    title: str
    goal: str
    project: str
    project_path: str | None
    options: dict[str, Any]
    secrets: dict[str, str]
    limits: Limits
    on_lost: OnLost
    boot_id: str
    offsets: Offsets = Offsets()
    states: States = States()


class RegisterAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The database's `instance_id`, this worker's new epoch, the lease, and every unfinished attempt it owns."""

    instance_id: str
    epoch: Count
    lease_s: float
    heartbeat_s: float
    runs: list[Assignment]


class ClaimRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for up to `slots` runs, waiting up to `wait_s`; repeating a `claim_id` repeats its answer."""

    worker_id: str
    epoch: Count
    claim_id: str
    slots: Annotated[int, Meta(ge=1, le=1000)]
    wait_s: Annotated[float, Meta(ge=0, le=MAX_WAIT_S)] = MAX_WAIT_S


class ClaimAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The runs that are now this worker's."""

    runs: list[Assignment]


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker found of a backend: where its program is and of which version, or what to do to have it.

    `note` is what everybody must know of it.
    """

    available: bool
    program: Annotated[str, Meta(max_length=4096)] | None = None
    version: Annotated[str, Meta(max_length=200)] | None = None
    advice: Annotated[str, Meta(max_length=2000)] | None = None
    note: Annotated[str, Meta(max_length=2000)] | None = None


class HeartbeatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of life with the number of runs the worker is supervising, and what some of them use now.

    `programs` by backend, where the worker has looked since it last said so.
    """

    worker_id: str
    epoch: Count
    running: Count = 0
    samples: Annotated[list[Taken], Meta(max_length=MAX_SAMPLES)] = []
    programs: Annotated[dict[str, Program], Meta(max_length=100)] | None = None


class HeartbeatAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How long the server goes on believing in this worker."""

    lease_s: float


class WishesRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for wishes newer than the revisions `known` by run id, waiting up to `wait_s`."""

    worker_id: str
    epoch: Count
    known: Annotated[dict[Count, Count], Meta(max_length=10_000)] = {}
    wait_s: Annotated[float, Meta(ge=0, le=MAX_WAIT_S)] = MAX_WAIT_S


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wishes for a run that this worker owns."""

    run_id: Count
    attempt: Count
    epoch: Count
    desired: Desired
    revision: Count


class WishesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Every wish that differs from what the worker knows; level-triggered, so a lost answer costs nothing."""

    wishes: list[Wish]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes `start` to `end` of a stream as events, and the parser's state at `end` (JSON, 64 KiB at most)."""

    stream: StreamName
    start: Count = msgspec.field(name="from")
    end: Count = msgspec.field(name="to")
    events: list[NewEvent] = []
    state: msgspec.Raw = NULL


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended, said by the worker and its backend; accepted only when `sizes` are the stored offsets.

    `final`: no policy tries again, for the agent may live on where this worker cannot reach it.
    """

    status: Status
    reason: Reason | None = None
    exit_code: Annotated[int, Meta(ge=-(2**31), le=2**31)] | None = None
    signal: Annotated[int, Meta(ge=0, le=1024)] | None = None
    message: Annotated[str, Meta(max_length=10_000)] | None = None
    sizes: Offsets
    details: dict[str, Any] = {}
    used: Used | None = None
    final: bool = False


class RecordRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Output and facts of one attempt, in the order their events get, then perhaps its end; all or none.

    Without parts it asks for the stored offsets and states. `late` delivers what is left of an attempt that has
    ended: its events are stored flagged and change nothing.
    """

    worker_id: str
    epoch: Count
    run_id: Count
    attempt: Count
    uid: str
    parts: list[Part] = []
    outcome: Outcome | None = None
    late: bool = False


class RecordAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored now; `ended` is true once the attempt is over, whoever ended it."""

    offsets: Offsets
    states: States
    status: Status
    last_seq: Count
    ended: bool


class DecisionsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for inputs to deliver, other than those `known` by id, waiting up to `wait_s`."""

    worker_id: str
    epoch: Count
    known: Annotated[list[Count], Meta(max_length=1000)] = []
    wait_s: Annotated[float, Meta(ge=0, le=MAX_WAIT_S)] = MAX_WAIT_S


class PendingInput(msgspec.Struct, frozen=True, kw_only=True):
    """Text that is to reach a run's agent once; the id goes with it into the shim's journal."""

    id: Count
    run_id: Count
    attempt: Count
    epoch: Count
    text: str


class DecisionsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Every undelivered input of this worker's runs that it does not know yet."""

    inputs: list[PendingInput]
