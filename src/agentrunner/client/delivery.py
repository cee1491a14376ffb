"""Delivery of one spool: the run is created once, its events are sent in order, and what became of them is noted.

Everything may be sent twice and is stored once, so it can stop anywhere and be taken up by anybody.
"""

import logging
import random
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from agentrunner.client import run_calls
from agentrunner.client.http import Http
from agentrunner.client.request import Request
from agentrunner.client.spool import Batch, Head, Reader
from agentrunner.config import BadSetting
from agentrunner.domain.errors import (
    AgentRunnerError,
    InvalidRequest,
    NameTaken,
    RunNotFound,
    ServerUnreachable,
    TooManyRequests,
    Unavailable,
)
from agentrunner.domain.run import RunView

log = logging.getLogger("agentrunner.reporter")

LAST_SEQ = 2**53 - 1
"""The `client_seq` of what is said for a reporter that died: whoever says it, it is said once."""
END_TYPES = frozenset({"run.completed", "run.failed", "run.error"})
ENDS = tuple(b'{"type":"%b"' % name.encode() for name in END_TYPES)
"""How the lines begin that end a run."""


class Delivery:
    """Sends one spool over one connection, which is made anew after every error. Used by one thread."""

    def __init__(self, path: Path, connect: Callable[[Head], Http]) -> None:
        self.path = path
        self.reader = Reader(path)
        self.sent_bytes = 0
        self.refused = 0
        self._connect = connect
        self._http: Http | None = None

    def close(self) -> None:
        """Close the connection; more than once is harmless."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def step(self) -> bool:
        """Send the next batch; False where there is none.

        Raises AgentRunnerError, BadSetting or OSError where it cannot go on now.
        """
        if self.reader.note.run_id is None:
            self._create()
        batch = self.reader.batch()
        if batch is None:
            return False
        self._send(batch.lines)
        self.reader.advance(batch, is_ended=_has_end(batch))
        self.sent_bytes += sum(map(len, batch.lines)) + len(batch.lines)
        return True

    def bury(self) -> None:
        """Say that the program died where its run has no end yet; all else has to be delivered. Raises as `step`."""
        head, note = self.reader.head, self.reader.note
        if not head.is_owner or note.is_ended:
            return
        payload = {"message": f"The reporting program (pid {head.pid}) died without ending its run."}
        died = {"type": "run.error", "payload": payload, "level": "error"}
        self._send([msgspec.json.encode({**died, "producer": head.producer, "client_seq": LAST_SEQ})])

    @property
    def http(self) -> Http:
        """The connection. Raises as `step`."""
        if self._http is None:
            self._http = self._connect(self.reader.head)
        return self._http

    def _create(self) -> None:
        head = self.reader.head
        assert head.run is not None
        try:
            answer = self.http.send(Request("POST", "/v1/runs", body=msgspec.json.encode(head.run), key=head.key))
            run_id = answer.decoded(RunView).id
        except NameTaken as error:
            # Created before, so long ago that the server has forgotten the key; or by another reporter of this name.
            run_id = error.extra.get("run_id", 0)
            if not run_id:
                raise
        self.reader.created(run_id)

    def _send(self, lines: list[bytes]) -> None:
        """Send lines; one that the server will never take is left out, as is all for a run that is gone."""
        run_id = self.reader.note.run_id
        assert run_id is not None
        try:
            self.http.call(run_calls.report_lines(run_id, b"\n".join(lines)))
        except RunNotFound:
            self._refuse(lines, f"Run {run_id} is gone")
        except InvalidRequest as error:
            if not _is_final(error):
                raise
            if len(lines) == 1:
                self._refuse(lines, error.detail)
                return
            self._send(lines[: len(lines) // 2])
            self._send(lines[len(lines) // 2 :])

    def _refuse(self, lines: list[bytes], why: str) -> None:
        self.refused += len(lines)
        log.warning("%d reported events are refused by the server: %s", len(lines), why)


def _has_end(batch: Batch) -> bool:
    return any(line.startswith(ENDS) for line in batch.lines)


def _is_final(error: InvalidRequest) -> bool:
    """Whether it was our server that refused it; a proxy's refusal says nothing of the events but their size."""
    return "request_id" in error.extra or error.status == 413


WAITS = (AgentRunnerError, BadSetting, OSError)
"""What may be over by itself or by somebody's hand: a server away, a token that is missing, a disk that is full."""


def is_for_a_person(error: Exception) -> bool:
    """Whether waiting alone will not help."""
    return not isinstance(error, ServerUnreachable | Unavailable | TooManyRequests)


class Backoff:
    """When to try again: soon, then ever less often, never at the same time as everybody else."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._pause = 0.05
        self._until = 0.0

    def failed(self) -> None:
        """It did not work."""
        self._until = time.monotonic() + self._pause * (0.5 + 0.5 * random.random())
        self._pause = min(self._pause * 2, self._longest_s)

    def worked(self) -> None:
        """It did."""
        self._pause, self._until = 0.05, 0.0

    @property
    def left_s(self) -> float:
        """Seconds until the next try."""
        return max(0.0, self._until - time.monotonic())
