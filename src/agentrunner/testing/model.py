"""A model that plays a script, behind the Anthropic Messages API on loopback, for agents under test and for demos."""

import json
import socket
import sys
import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from agentrunner.domain.run import Usage
from agentrunner.testing.messages import (
    Answer,
    Middle,
    Pause,
    answers_before,
    error_body,
    events,
    first_prompt,
    frame,
    whole,
)
from agentrunner.testing.turn import Fault, Turn, turn_of

MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_REQUESTS = 10_000


@dataclass(frozen=True, slots=True)
class Request:
    """A request that the model got. `number` is the answer asked for, counted from 0; None where none was."""

    method: str
    path: str
    body: dict[str, Any] = field(default_factory=dict)
    number: int | None = None


class ScriptedModel:
    """A local HTTP server that plays `turns`, one answer per turn; a context manager, also inside `async` code.

    Which turn comes is read from the conversation in the request (how many answers it holds), not from the server's
    memory, so retries and resumed sessions are deterministic; only faults with `times` are counted. A conversation
    longer than its script is answered 400. `scripts` plays other turns for conversations whose first prompt contains
    the key, so that one model serves many agents. Requests that offer no tools while the script does more than talk
    are the agent's own side questions; they get a one-word answer.

    `requests` holds what was asked (the last 10,000), `usage` the sum of what complete answers claimed to use.
    """

    def __init__(
        self,
        turns: Sequence[Turn | dict[str, Any]] = (),
        *,
        scripts: Mapping[str, Sequence[Turn | dict[str, Any]]] | None = None,
        fault: Fault | None = None,
    ) -> None:
        """`fault` meets every request before its turn does."""
        self.requests: deque[Request] = deque(maxlen=MAX_REQUESTS)
        self.usage = Usage()
        self._turns = [turn_of(turn) for turn in turns]
        self._scripts = {key: [turn_of(turn) for turn in script] for key, script in (scripts or {}).items()}
        self._fault = fault
        self._failures: Counter[str] = Counter()
        self._reached: dict[str, threading.Event] = {}
        self._opened: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._mishap: BaseException | None = None
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Listen on a free port of 127.0.0.1."""
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="scripted-model")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop every connection and end every thread; raises RuntimeError where the model itself has failed."""
        self._closing.set()
        with self._lock:
            for gate in self._opened.values():
                gate.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.drop_connections()
            self._server.server_close()
            self._thread.join()
        if self._mishap is not None and error is None:
            raise RuntimeError("The scripted model itself failed while it answered.") from self._mishap

    @property
    def url(self) -> str:
        """The base address, such as `http://127.0.0.1:43521`."""
        if self._server is None:
            raise RuntimeError("The model is not running: use `with ScriptedModel(…) as model:`.")
        return f"http://127.0.0.1:{self._server.server_port}"

    def environment(self) -> dict[str, str]:
        """The variables that make Claude Code and Anthropic's SDKs talk to this model, with few and fast retries."""
        return {
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": "scripted-key",
            "CLAUDE_CODE_MAX_RETRIES": "2",
            "NO_PROXY": "127.0.0.1",
        }

    def reached(self, gate: str, timeout: float = 10.0) -> bool:
        """True once an answer waits at `gate`; False where none does within `timeout` seconds."""
        return self._event(self._reached, gate).wait(timeout)

    def open(self, gate: str) -> None:
        """Let answers pass `gate`, now and later."""
        self._event(self._opened, gate).set()

    def _event(self, events: dict[str, threading.Event], gate: str) -> threading.Event:
        with self._lock:
            return events.setdefault(gate, threading.Event())

    def _pass(self, gate: str) -> None:
        self._event(self._reached, gate).set()
        self._event(self._opened, gate).wait()

    def _count(self, usage: Usage) -> None:
        with self._lock:
            self.usage = self.usage.plus(usage)

    def _due(self, fault: Fault | None, key: str) -> Fault | None:
        if fault is None:
            return None
        with self._lock:
            self._failures[key] += 1
            return fault if fault.times is None or self._failures[key] <= fault.times else None

    def _answer(self, body: dict[str, Any]) -> tuple[Answer, Fault | None]:
        """The answer to a request and the fault that comes instead of it."""
        prompt = first_prompt(body)
        key = next((key for key in self._scripts if key in prompt), "")
        turns = self._scripts.get(key, self._turns)
        number = answers_before(body)
        model = str(body.get("model", "scripted"))
        fault = self._due(self._fault, "every")
        if any(turn.tools for turn in turns) and not body.get("tools"):
            return Answer(Turn(text="Scripted."), number, model), fault
        if number >= len(turns):
            message = f"The script has {len(turns)} turns; the conversation asks for one more."
            return Answer(Turn(), number, model), fault or Fault(status=400, message=message)
        turn = turns[number]
        return Answer(turn, number, model), fault or self._due(turn.fault, f"{key}/{number}")


class _Server(ThreadingHTTPServer):
    """One thread per connection, all joined when it closes."""

    daemon_threads = False
    block_on_close = True

    def __init__(self, model: ScriptedModel) -> None:
        self.model = model
        self._connections: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Exchange)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._connections.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        """Wake every thread that waits for its client."""
        with self._guard:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        # A client that goes away is nobody's fault; anything else is a mistake of this module.
        if not isinstance(error, OSError):
            self.model._mishap = error


class _Exchange(BaseHTTPRequestHandler):
    """One connection of a client."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        return

    def do_HEAD(self) -> None:
        """Clients warm their connection up with it."""
        self.server.model.requests.append(Request("HEAD", self.path))
        self._headers(200, {"Content-Length": "0"})

    def do_GET(self) -> None:
        """There is nothing to read here."""
        self.server.model.requests.append(Request("GET", self.path))
        self._fail(Fault(status=404, message=f"{self.path} is not scripted."))

    def do_POST(self) -> None:
        """An answer of the model, or the number of tokens in a request."""
        body = self._body()
        if body is None:
            self.close_connection = True
            return self._fail(Fault(status=400, message="The body is not a JSON object with a Content-Length."))
        path = self.path.partition("?")[0].rstrip("/")
        if path.endswith("/v1/messages/count_tokens"):
            self.server.model.requests.append(Request("POST", self.path, body))
            return self._json(200, {"input_tokens": len(json.dumps(body)) // 4})
        if path.endswith("/v1/messages"):
            return self._converse(body)
        self.server.model.requests.append(Request("POST", self.path, body))
        return self._fail(Fault(status=404, message=f"{path} is not scripted."))

    def _converse(self, body: dict[str, Any]) -> None:
        model = self.server.model
        answer, fault = model._answer(body)
        model.requests.append(Request("POST", self.path, body, answer.number))
        if fault is not None and fault.kind == "status":
            return self._fail(fault)
        if fault is not None and fault.kind == "hang":
            self.close_connection = True
            model._closing.wait()
            return None
        if body.get("stream"):
            return self._stream(answer, cut=fault is not None)
        if fault is not None:
            self.close_connection = True
            return None
        model._count(answer.usage)
        return self._json(200, whole(answer))

    def _stream(self, answer: Answer, *, cut: bool) -> None:
        self._headers(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        for event in events(answer):
            if isinstance(event, Middle):
                if answer.turn.gate:
                    self.server.model._pass(answer.turn.gate)
                if cut:
                    self.close_connection = True
                    return
            elif isinstance(event, Pause):
                self.server.model._closing.wait(event.seconds)
            else:
                data = frame(event)
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.server.model._count(answer.usage)
        self.wfile.write(b"0\r\n\r\n")

    def _body(self) -> dict[str, Any] | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            return None
        try:
            body = json.loads(self.rfile.read(int(length)))
        except ValueError:
            return None
        return body if isinstance(body, dict) else None

    def _fail(self, fault: Fault) -> None:
        extra = {} if fault.retry_after_s is None else {"Retry-After": f"{fault.retry_after_s:g}"}
        self._json(fault.status, error_body(fault), extra)

    def _json(self, status: int, value: Any, extra: Mapping[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(data)), **(extra or {})}
        self._headers(status, headers)
        self.wfile.write(data)

    def _headers(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status, "Scripted")
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("request-id", "req_scripted")
        self.end_headers()
