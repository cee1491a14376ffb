"""The short form of the drill, and proof that its judges find what is wrong."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from agentrunner.api import metrics, ops, ops_events, otlp, refusals, runner, runner_events, runner_workers
from agentrunner.api.routes import Table
from fuzz import shapes, verdict, wire
from fuzz.drill import Drill
from fuzz.shot import Shot, World
from fuzz.verdict import NO_ANSWER
from fuzz.wire import Answer, Outcome

DRILL = Path(__file__).parent
WORLD = World(
    host="localhost",
    port=1,
    socket_path="/nowhere",
    tokens={scope: f"ar_{scope}" for scope in ("admin", "worker", "read", "report", "metrics")},
    targets=(3, 4),
    kept=(1, 2),
    worker_id="w",
    assignments=({"run_id": 3, "attempt": 1, "uid": "u", "epoch": 1},),
    agents=("0" * 23 + "1",),
)
PROBLEM = {
    "type": "t",
    "title": "t",
    "status": 404,
    "code": "not_found",
    "detail": "There is no such.",
    "request_id": "1",
}
HEADERS = {"content-type": "application/problem+json", "x-request-id": "1"}
GOOD = Answer(404, HEADERS, json.dumps(PROBLEM).encode())


@pytest.mark.timeout(300)
def test_a_short_drill_keeps_every_promise() -> None:
    """Hundreds of tries of every kind: no answer from 500 on, nothing left open, the log in order."""
    done = subprocess.run(
        [sys.executable, DRILL, "--short", "--seed", "7"], capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-4000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    assert (figures["ok"], figures["sent"]) == (True, 600)
    assert len(figures["kinds"]) == len(shapes.KINDS)
    assert {"200", "201", "400", "404", "422"} <= figures["answers"].keys()


def test_a_seed_gives_the_same_bytes() -> None:
    """A try can be repeated; another seed gives others."""
    once, again = ([shapes.draw(seed, number, WORLD) for number in range(300)] for seed in (1, 1))
    assert once == again
    assert once != [shapes.draw(2, number, WORLD) for number in range(300)]


def test_runs_to_be_left_alone_are_left_alone() -> None:
    """No try of the right shape writes to them."""
    written = [shapes.draw(3, number, WORLD).content for number in range(2000)]
    assert [each for each in written if each.startswith((b"POST /v1/runs/1/", b"POST /v1/runs/2/"))] == []


def test_no_route_of_a_surface_is_forgotten() -> None:
    """A good number of tries meets each route, with the right method."""
    modules = (metrics, ops, ops_events, otlp, runner, runner_events, runner_workers)
    routes = [route for module in modules for route in module.ROUTES]
    table, met = Table(routes), set()
    for number in range(4000):
        shot = shapes.draw(4, number, WORLD)
        if shot.kind in ("doors", "telemetry", "streams"):
            method, target = shot.content.decode("latin-1").split(" ", 2)[:2]
            if (found := table.find(target.partition("?")[0])[0].get(method)) is not None:
                met.add((method, found.path))
    assert met == {(route.method, route.path) for route in routes}


SURFACE_REFUSALS = [
    ("/api/runs", "application/json", b'{"error":"not_found"}'),
    ("/api/v1/agents", "text/plain; charset=utf-8", b"404 page not found\n"),
    ("/runs", "application/json", b'{"detail":"Not Found","code":"not_found","request_id":"1"}'),
]


@pytest.mark.parametrize(("path", "kind", "body"), SURFACE_REFUSALS)
def test_a_good_refusal_of_a_surface_is_good(path: str, kind: str, body: bytes) -> None:
    """And no other form of refusal is good there."""
    answer = Answer(404, {"content-type": kind, "x-request-id": "1"}, body)
    shot = Shot("doors", (f"GET {path} HTTP/1.1\r\n\r\n".encode(),))
    assert verdict.judge(shot, Outcome((answer,))) == []
    assert verdict.judge(shot, Outcome((GOOD,))) != []
    for other, _, _ in SURFACE_REFUSALS:
        another = Shot("doors", (f"GET {other} HTTP/1.1\r\n\r\n".encode(),))
        assert (verdict.judge(another, Outcome((answer,))) == []) == (other == path)


@pytest.mark.parametrize(
    ("refusal", "body"),
    [
        (refusals.OPS, b'{"error":"no"}'),
        (refusals.OPS, b'{"error":5}'),
        (refusals.OPS, b'{"error":"not_found","more":1}'),
        (refusals.OPS, b"["),
        (refusals.METRICS, b"404 page not found"),
        (refusals.METRICS, b"404 page\nnot found\n"),
        (refusals.METRICS, b"404 page \x1b[2Jnot found\n"),
        (refusals.METRICS, b"no\n"),
        (refusals.METRICS, b"Traceback (most recent call last)\n"),
        (refusals.RUNNER, b'{"detail":"Not Found","code":"made_up","request_id":"1"}'),
        (refusals.RUNNER, b'{"detail":"Not Found","code":"not_found","request_id":"2"}'),
        (refusals.RUNNER, b'{"detail":[],"code":"not_found","request_id":"1"}'),
        (refusals.RUNNER, b'{"code":"not_found","request_id":"1"}'),
        (refusals.RUNNER, b'{"detail":[{"msg":"is not a number"}],"code":"not_found","request_id":"1"}'),
    ],
)
def test_the_judge_sees_every_kind_of_wrong_refusal(refusal: refusals.Refusal, body: bytes) -> None:
    """Of each surface, in the form that its clients read."""
    answer = Answer(404, {"content-type": refusal.kind.decode(), "x-request-id": "1"}, body)
    assert list(verdict.judge_answer(answer, (refusal,))) != []


def test_a_good_refusal_is_good() -> None:
    """So that the cases below are wrong for one reason each."""
    assert list(verdict.judge_answer(GOOD)) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        pytest.param({"status": 500}, {"status": 500}, id="500"),
        pytest.param({"headers": {**HEADERS, "content-type": "text/plain"}}, {}, id="text"),
        pytest.param({"headers": {"content-type": "application/problem+json"}}, {}, id="no-request-id"),
        pytest.param({"headers": {**HEADERS, "x-injected": "1"}}, {}, id="injected"),
        pytest.param({"headers": {**HEADERS, "x-request-id": "2"}}, {}, id="two-ids"),
        pytest.param({}, {"code": "made_up"}, id="code"),
        pytest.param({}, {"status": 400}, id="status"),
        pytest.param({}, {"detail": "no"}, id="says-nothing"),
        pytest.param({}, {"detail": 'File "x.py", line 3: it broke'}, id="inside"),
        pytest.param({"body": b"{"}, {}, id="no-json"),
        pytest.param({"body": b"{}"}, {}, id="no-fields"),
    ],
)
def test_the_judge_sees_every_kind_of_wrong_answer(changes: dict[str, object], problem: dict[str, object]) -> None:
    """A drill that could not fail would prove nothing."""
    body = json.dumps(PROBLEM | problem).encode()
    answer = dataclasses.replace(GOOD, **{"body": body, **changes})  # type: ignore[arg-type]
    assert list(verdict.judge_answer(answer)) != []


def test_the_judge_sees_what_is_no_answer() -> None:
    """Silence, garbage, and more answers than requests."""
    shot = Shot("x", (b"x",))
    assert verdict.judge(shot, Outcome((), timed_out=True)) == [NO_ANSWER]
    assert verdict.judge(dataclasses.replace(shot, lasting=True), Outcome((), timed_out=True)) == []
    assert verdict.judge(shot, Outcome((GOOD,), garbage=b"?")) != []
    assert verdict.judge(shot, Outcome((GOOD,) * 3)) != []


@pytest.mark.parametrize(
    ("line", "count"),
    [
        (b'{"ts":"1","level":"info","event":"x"}\n', 0),
        (b'{"ts":"1","level":"info","event":"\\u001b[2J"}\n', 0),
        (b'{"ts":"1","level":"info","event":"\x1b[2J"}\n', 2),
        (b"plain text\n", 1),
        (b'{"level":"info","event":"x"}\n', 1),
        (b'{"ts":"1","level":"error","event":"x"}\n', 1),
        (b'{"ts":"1","level":"info","event":"ar_secret-text"}\n', 1),
    ],
)
def test_the_judge_reads_logs(line: bytes, count: int) -> None:
    """One object a line, escaped, without errors and without secrets."""
    assert len(list(verdict.judge_log(line, ["ar_secret-text"]))) == count


def test_answers_are_taken_apart() -> None:
    """Several in one read, with a length, in chunks, without a body, and a stream that goes on."""
    parts = (
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    )
    answers, rest, streaming = wire.take_apart(b"".join(parts), True)
    assert [(answer.status, answer.body) for answer in answers] == [(100, b""), (200, b"ok"), (200, b"ab"), (204, b"")]
    assert (rest, streaming) == (b"", False)
    stream = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\nretry\r\n"
    assert wire.take_apart(stream, False)[2] is True
    assert wire.take_apart(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", False)[0] == []


class Picky(Drill):
    """A drill whose server fails for one byte alone."""

    def __init__(self) -> None:
        """Without a server."""

    def _fire(self, shot: Shot) -> tuple[Outcome, list[str]]:
        wrong = ["status 500: here"] if b"!" in shot.content else ["another thing"]
        return Outcome(()), wrong


def test_what_goes_wrong_is_made_small() -> None:
    """To the bytes that matter."""
    shot = Shot("x", (b"a" * 300 + b"!" + b"b" * 200,))
    assert Picky().smaller(shot, "status 500: there").content == b"!"
