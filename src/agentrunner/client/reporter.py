"""`Reporter`: a program that runs elsewhere tells a server what it does, as a run like any other.

Everything said is appended to a spool on disk first and sent from a background thread: the program is never held up,
a server may be away or be killed, the program may die, and still every event arrives once and in order.
"""

import atexit
import os
import sys
import tempfile
import threading
import time
import uuid
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from agentrunner.client import saying
from agentrunner.client.courier import Courier
from agentrunner.client.delivery import END_TYPES, log
from agentrunner.client.http import Http
from agentrunner.client.masking import Mask, secrets_of
from agentrunner.client.places import Place
from agentrunner.client.saying import Level, Tool
from agentrunner.client.spool import Head, Lock, Writer, make, remove, root_of, size
from agentrunner.client.wanted import Wanted, refuse_unknown
from agentrunner.domain.errors import AgentRunnerError

_MB = 1024 * 1024
_RESERVE_BYTES = 256 * 1024
"""Room behind the cap for how the run ends."""


@dataclass(frozen=True, slots=True)
class ReporterOptions:
    """How a reporter works. `spool_mb` bounds what one reporter keeps that is not delivered, `spools_mb` what all do.

    `flush_s` is the longest that the end of the program waits for the server. `is_strict` lets reporting raise instead
    of warn. `secrets` are masked beside those of the environment. Spools are kept in `reports` below `state_dir`, else
    below `$XDG_STATE_HOME/agentrunner`.
    """

    spool_mb: float = 64
    spools_mb: float = 512
    flush_s: float = 5.0
    is_strict: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)
    state_dir: str | os.PathLike[str] | None = None
    data_dir: str | os.PathLike[str] | None = None


class Reporter:
    """Reports this program as a run of backend `external`. Use it in a `with` block: that ends the run truthfully.

    It never raises into the program (unless `is_strict`), never waits for the server except to flush at the end, keeps
    memory and disk bounded, and masks the values of variables named like a key, token, secret or password. Any thread
    may use it; a forked child reports to the same run. What a server did not get is delivered by the next reporter, or
    by `agentrunner report --flush`.
    """

    def __init__(
        self,
        title: str | None = None,
        *,
        server: str | None = None,
        token: str | None = None,
        run_id: int | None = None,
        options: ReporterOptions | None = None,
        **run: Any,
    ) -> None:
        """`run_id` joins a run that is there; `run` are fields of `NewRun` (`goal`, `agent`, `project`, `labels`, …).

        Raises TypeError for a field that there is not; with `is_strict` also InvalidField, BadSetting and OSError.
        """
        refuse_unknown(run)
        self.options = options or ReporterOptions()
        self._place = Place.of(server, token, self.options.data_dir, is_strict=self.options.is_strict)
        self._mask = Mask([*secrets_of(os.environ), *self.options.secrets, self._place.token or ""])
        producer = uuid.uuid4().hex
        self._head = Head(
            producer=producer,
            server_url=self._place.server_url,
            data_dir=self._place.data_dir,
            pid=os.getpid(),
            key=f"report-{producer}",
            is_owner=run_id is None,
            run=None if run_id is not None else self._request({"title": title, **run}, producer),
            run_id=run_id,
        )
        self._reset()
        _live.add(self)
        with self._guard():
            self._open()

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._seq = 0
        self._dropped = 0
        self._is_ended = False
        self._is_closed = False
        self._writer: Writer | None = None
        self._spool_lock: Lock | None = None
        self._path: Path | None = None
        self._courier: Courier | None = None

    def _request(self, fields: dict[str, Any], producer: str) -> dict[str, Any]:
        """The request that creates the run; what no run can have is left out, unless we are strict."""
        shown = msgspec.json.decode(self._mask.json(saying.payload_of(saying.without_none(**fields))))
        goal, given = shown.pop("goal", ""), {"backend": "external", "external_id": f"report-{producer}"}
        try:
            new = Wanted(goal, {**given, **shown}).request()
        except (AgentRunnerError, TypeError) as error:
            if self.options.is_strict:
                raise
            log.warning("the run is reported without its fields: %s", error)
            new = Wanted("", given).request()
        return dict(msgspec.to_builtins(new))

    def _open(self) -> None:
        """Begin a spool, in a directory of its own where the usual one cannot be written. Raises OSError."""
        try:
            root = root_of(self._place.state_dir(self.options.state_dir))
            self._open_in(root)
        except OSError as error:
            log.warning("what is not sent in time will be lost: %s", error)
            self._open_in(Path(tempfile.mkdtemp(prefix="agentrunner-reports-")))

    def _open_in(self, root: Path) -> None:
        room = max(0, int(self.options.spools_mb * _MB) - size(root))
        self._path, self._spool_lock = make(root, self._head)
        self._writer = Writer(self._path, min(int(self.options.spool_mb * _MB), room))
        self._courier = Courier(self._path, self._writer, self._connect)

    def _connect(self, head: Head) -> Http:
        return Http(self._place.target(head), most_tries=1)

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Nothing that goes wrong in here is the program's matter, unless it wants to know."""
        try:
            yield
        except Exception as error:
            if self.options.is_strict:
                raise
            log.warning("not reported: %s: %s", type(error).__name__, error)

    @property
    def run_id(self) -> int | None:
        """The run's id; None until the server has given it."""
        return self._head.run_id if self._courier is None else self._courier.run_id

    def wait_run_id(self, timeout: float = 5.0) -> int | None:
        """The run's id, waited for; None where the server does not give it in time."""
        if self._courier is not None:
            self._courier.wait(lambda: self.run_id is not None, timeout)
        return self.run_id

    def event(self, type: str, payload: Any = None, *, level: Level = "info") -> None:
        """Say anything: a dotted type (`task.progress`) and a payload that JSON can hold."""
        say = self._end if type in END_TYPES else self._say
        say(type, {} if payload is None else payload, level)

    def log(self, *texts: object, level: Level = "info", stream: str = "stdout") -> None:
        """Lines of text, as `print` takes them."""
        text = " ".join(map(str, texts))
        self._say("log", {"stream": stream, "lines": text.splitlines() or [""]}, level)

    def message(self, text: str, role: str = "assistant") -> None:
        """What the agent says."""
        self._say("message", {"role": role, "text": text})

    @contextmanager
    def tool(self, name: str, /, **given: Any) -> Iterator[Tool]:
        """A use of a tool: `tool.called` now, `tool.result` behind the block, with what `set` was told or the error."""
        tool = Tool(uuid.uuid4().hex, name)
        self._say("tool.called", tool.called(given))
        try:
            yield tool
        except BaseException as error:
            self._say("tool.result", tool.failed(error), "error")
            raise
        self._say("tool.result", tool.returned())

    @contextmanager
    def span(self, name: str, kind: str = "span", **attrs: Any) -> Iterator[None]:
        """A stretch of the run with a name; it may contain others."""
        span_id = uuid.uuid4().hex
        self._say("span.start", {"spanId": span_id, "name": name, "kind": kind, "attrs": attrs})
        status = "error"
        try:
            yield
            status = "ok"
        finally:
            self._say("span.end", {"spanId": span_id, "status": status})

    def metric(self, name: str, value: float, unit: str | None = None, **labels: Any) -> None:
        """A figure at this moment."""
        self._say("metric", saying.without_none(name=name, value=value, unit=unit, labels=labels or None))

    def usage(self, *, cost_usd: float | None = None, model: str | None = None, **tokens: int) -> None:
        """Tokens and dollars used since the last call: they are added up.

        `tokens` are `input_tokens` (without the cached), `output_tokens`, `cache_read_tokens`, `cache_write_tokens`.
        Raises TypeError for others.
        """
        saying.check_tokens(tokens)
        if tokens:
            self._say("usage", saying.without_none(**tokens, model=model))
        if cost_usd is not None:
            self._say("cost", saying.without_none(usd=float(cost_usd), model=model))

    def complete(self, message: str | None = None, **more: Any) -> None:
        """The run has done its work. Only the first end counts."""
        self._end("run.completed", saying.without_none(message=message, **more))

    def fail(self, error: BaseException | str, **more: Any) -> None:
        """The run has failed, with the traceback where `error` is an exception. Only the first end counts."""
        self._end("run.error", {**saying.failure(error), **more}, "error")

    def _end(self, type: str, payload: Any, level: Level = "info") -> None:
        with self._lock:
            if not self._is_ended:
                self._is_ended = True
                self._say(type, payload, level, reserve=_RESERVE_BYTES)

    def _say(self, type: str, payload: Any, level: Level = "info", *, reserve: int = 0) -> None:
        with self._guard(), self._lock:
            if self._is_closed:
                return
            if self._courier is None:
                self._is_closed = True
                self._open()
                self._is_closed = False
            assert self._courier is not None
            assert self._writer is not None
            if self._dropped and (reserve or self._writer.has_much_room):
                more = {"events": self._dropped}
                self._dropped = 0 if self._append("output.dropped", more, "warning", reserve) else self._dropped
            if self._dropped or not self._append(type, payload, level, reserve):
                self._drop()
            self._courier.wake()

    def _drop(self) -> None:
        self._dropped += 1
        if self._dropped == 1:
            log.warning("events are dropped: the spool is full or cannot be written")

    def _append(self, type: str, payload: Any, level: Level, reserve: int) -> bool:
        assert self._writer is not None
        self._seq += 1
        body = self._mask.json(saying.payload_of(payload))
        line = saying.encode(type, body, level, (self._head.producer, self._seq, time.time_ns() // 1_000_000))
        return self._writer.append(line, reserve)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until the server has everything said so far, `flush_s` at most; answers whether it has."""
        courier, writer = self._courier, self._writer
        if courier is None or writer is None:
            return False
        written = writer.written
        return courier.wait(lambda: courier.has(written), self.options.flush_s if timeout is None else timeout)

    def close(self) -> bool:
        """Send what is left, waiting `flush_s` at most; answers whether the server has all. The rest is kept.

        The run goes on where nobody has ended it and another reports to it; else it is told to have failed. More than
        once is harmless.
        """
        with self._lock:
            if self._is_closed:
                return self._path is None
            if self._head.is_owner and not self._is_ended:
                self.fail("The program ended without saying how its run did.")
            self._is_closed = True
        _live.discard(self)
        if self._courier is None:
            return False
        is_done = False
        with self._guard():
            is_done = self.flush()
            self._let_go(is_done)
        return is_done

    def _let_go(self, is_done: bool) -> None:
        assert self._courier is not None
        assert self._writer is not None
        self._writer.close()
        # A thread that is held by a request keeps the lock until the process ends: nobody may send beside it.
        if not self._courier.stop(1.0 if is_done else 0.2) or self._path is None or self._spool_lock is None:
            return
        if is_done:
            remove(self._path)
            self._path = None
        self._spool_lock.release()

    def __enter__(self) -> "Reporter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if not self._head.is_owner:
            if error is not None and not saying.is_good_end(error):
                self.event("error", saying.failure(error), level="error")
        elif error is None or saying.is_good_end(error):
            self.complete()
        else:
            self.fail(error)
        self.close()

    def _in_child(self) -> None:
        """After a fork: what is open is the parent's; the next word begins a spool of our own, of the same run."""
        writer, lock, run_id, is_closed = self._writer, self._spool_lock, self.run_id, self._is_closed
        self._reset()
        for held in (writer, lock):
            if isinstance(held, Writer):
                held.close()
            elif held is not None:
                held.release()
        self._is_closed = is_closed
        more = {"producer": uuid.uuid4().hex, "pid": os.getpid(), "is_owner": False}
        # Without the id the child asks for the same run under the same key.
        joined = {} if run_id is None else {"run_id": run_id, "run": None}
        self._head = msgspec.structs.replace(self._head, **more, **joined)


_live: "weakref.WeakSet[Reporter]" = weakref.WeakSet()


def _close_all() -> None:
    error = getattr(sys, "last_value", None)
    for reporter in list(_live):
        with suppress(Exception):
            if isinstance(error, BaseException) and reporter._head.is_owner:
                reporter.fail(error)
            reporter.close()


def _fork_all() -> None:
    for reporter in list(_live):
        with suppress(Exception):
            reporter._in_child()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_fork_all)
