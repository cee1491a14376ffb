"""What nobody should send: clear answers, bounded memory, and never a 500."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentrunner.testing import ScriptedAgent
from e2e.processes import Process
from e2e.product import Product, product

MIB = 1 << 20
HUGE = 100 * MIB
ROOM = 48 * MIB
"""How much more memory than before a process may ever have held; a twentieth of what a copy or two would take."""


@pytest.fixture(scope="module")
def served() -> Iterator[Product]:
    """Server and worker, ready."""
    with product(grace_s=2) as made:
        made.start("server")
        made.start("worker")
        made.wait_ready()
        yield made


def peak_bytes(process: Process | None) -> int:
    """The most memory that a process has ever held."""
    assert process is not None
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


@pytest.fixture
def bounded(served: Product) -> Iterator[Product]:
    """The same; server and worker may not have grown meanwhile, nor been replaced."""
    parts = [served.part("server"), served.part("worker")]
    before = [peak_bytes(part) for part in parts]
    yield served
    assert [served.part("server"), served.part("worker")] == parts
    grown = [(peak_bytes(part) - peak) // MIB for part, peak in zip(parts, before, strict=True)]
    assert max(grown) < ROOM // MIB, f"server and worker grew by {grown} MiB"


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """A clear refusal: the status, a problem document with a stable code and a sentence to act on."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    found = answer.json()
    assert found["code"] == code, found
    assert len(found["detail"]) > 15
    assert found["request_id"]
    return dict(found)


def test_a_line_of_100_mb(bounded: Product) -> None:
    """It is cut at one MiB, flagged and counted, and what comes behind it is there."""
    agent = ScriptedAgent().emit("before").flood(HUGE, line=0).emit("").emit("after")
    run_id = bounded.create("script", options=agent.options())
    assert bounded.wait(run_id, timeout=60)["status"] == "COMPLETED"
    lines = bounded.lines(run_id)
    assert [len(line) for line in lines] == [len("before"), MIB, len("after")]
    (cut,) = [event["payload"] for event in bounded.events(run_id) if event["type"] == "output.truncated"]
    assert cut["cut_bytes"] == HUGE - MIB


def test_bytes_that_are_no_text(bounded: Product) -> None:
    """Invalid UTF-8 shows as escapes, NUL as itself, and the raw bytes stay in the spool."""
    run_id = bounded.create("command", options={"argv": ["printf", r"a\xff\xfeb\nc\000d\n\xc3\xa9\n\xed\xa0\x80"]})
    assert bounded.wait(run_id)["status"] == "COMPLETED"
    assert bounded.lines(run_id) == [r"a\xff\xfeb", "c\0d", "é", r"\xed\xa0\x80"]
    spools = [spool.read_bytes() for spool in bounded.data_dir.glob("runs/*/*/out")]
    assert b"a\xff\xfeb\nc\0d\n\xc3\xa9\n\xed\xa0\x80" in spools


def _hundred_megabytes() -> Iterator[bytes]:
    block = b'"' + b"x" * (MIB - 1)
    return iter([block] * (HUGE // MIB))


@pytest.mark.parametrize("path", ["/v1/runs", "/v1/runs/1/events", "/v1/runs/1/inputs", "/v1/projects"])
@pytest.mark.parametrize("says_length", [True, False], ids=["announced", "chunked"])
def test_a_body_of_100_mb(bounded: Product, path: str, says_length: bool) -> None:
    """It is refused without being read into memory."""
    headers = {"content-type": "application/json"} | ({"content-length": str(HUGE)} if says_length else {})
    answer = bounded.client.post(path, content=_hundred_megabytes(), headers=headers)
    problem(answer, 413, "body_too_large")


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize(
    ("method", "path", "around"),
    [
        ("POST", "/v1/runs", '{"backend": "command", "goal": "", "metadata": {"deep": %s}}'),
        ("POST", "/v1/runs", '{"backend": "command", "goal": "", "options": {"argv": ["true"], "deep": %s}}'),
        ("POST", "/v1/runs", '{"runs": %s}'),
        ("POST", "/v1/runs", "%s"),
        ("POST", "/v1/runs/1/events", '{"type": "a.b", "payload": %s}'),
        ("POST", "/v1/runs/1/inputs", '{"text": %s}'),
        ("POST", "/v1/projects", '{"name": %s}'),
    ],
)
def test_json_of_100_000_levels(bounded: Product, method: str, path: str, around: str, opening: str) -> None:
    """Depth is refused, not followed."""
    closing = "]" if opening == "[" else "}"
    deep = opening * 100_000 + "1" + closing * 100_000
    answer = bounded.client.request(
        method, path, content=around % deep, headers={"content-type": "application/json"}, timeout=20
    )
    assert answer.status_code in {400, 404, 409, 413, 422}, answer.text
    problem(answer, answer.status_code, answer.json()["code"])


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/runs?cursor=nonsense", "invalid_cursor"),
        ("/v1/runs?cursor=%00%ff", "invalid_field"),
        ("/v1/runs?cursor=" + "A" * 90, "invalid_cursor"),
        ("/v1/runs?cursor=" + "A" * 10_000, None),
        ("/v1/runs?limit=0", "invalid_field"),
        ("/v1/runs?limit=1000000000000000000000", "invalid_field"),
        ("/v1/runs?status=SLEEPING", "invalid_field"),
        ("/v1/runs?label=x", "invalid_field"),
        ("/v1/runs?nonsense=1", None),
    ],
)
def test_questions_that_make_no_sense(bounded: Product, path: str, code: str | None) -> None:
    """A bad cursor, limit or filter is named as such."""
    answer = bounded.client.get(path)
    assert 400 <= answer.status_code < 500 or (code is None and answer.status_code == 200), answer.text
    if code is not None:
        problem(answer, answer.status_code, code)


@pytest.mark.parametrize("after", ["abc", "-1", "1.5", "99999999999999999999999", "%00"])
def test_a_bad_place_in_a_timeline(bounded: Product, after: str) -> None:
    """A cursor that is no number is refused, on pages and on streams."""
    run_id = bounded.create("command", options={"argv": ["true"]})
    for path in (f"/v1/runs/{run_id}/events", f"/v1/runs/{run_id}/stream"):
        answer = bounded.client.get(f"{path}?after={after}")
        assert answer.status_code in {400, 422}, (path, answer.text)
        problem(answer, answer.status_code, answer.json()["code"])


@pytest.mark.parametrize("run_id", ["987654321", "9223372036854775807"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/events"),
        ("GET", "/stream"),
        ("GET", "/explain"),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/stop"),
        ("POST", "/retry"),
    ],
)
def test_a_run_that_is_not_there(bounded: Product, method: str, path: str, run_id: str) -> None:
    """Every route says 404 and which run."""
    found = problem(bounded.client.request(method, f"/v1/runs/{run_id}{path}"), 404, "run_not_found")
    assert run_id in found["detail"]


@pytest.mark.parametrize("run_id", ["0", "-1", "x", "1.5", "99999999999999999999999999", "%00", "..%2f..%2fetc"])
def test_an_id_that_is_none(bounded: Product, run_id: str) -> None:
    """What cannot be an id is refused as clearly as an unknown one."""
    for path in ("", "/events", "/stream", "/explain"):
        answer = bounded.client.get(f"/v1/runs/{run_id}{path}")
        assert answer.status_code in {400, 404, 422}, answer.text
        problem(answer, answer.status_code, answer.json()["code"])


def test_the_wrong_state(bounded: Product) -> None:
    """What a run's status does not allow is a 409 that says the status; stopping what is stopped is no mistake."""
    run_id = bounded.create("command", options={"argv": ["true"]})
    bounded.wait(run_id)
    for wish in ("pause", "resume", "stop"):
        found = problem(bounded.wish(run_id, wish), 409, "invalid_transition")
        assert found["current"] == "COMPLETED"
    running = bounded.create("command", options={"argv": ["sleep", "600"]})
    bounded.wait(running, "RUNNING")
    problem(bounded.wish(running, "resume"), 409, "invalid_transition")
    problem(bounded.wish(running, "retry"), 409, "invalid_transition")
    bounded.wish(running, "stop")
    problem(bounded.wish(running, "pause"), 409, "invalid_transition")
    bounded.wait(running, "STOPPED")
    assert bounded.wish(running, "stop").status_code == 200
    answer = bounded.ask("POST", f"/v1/runs/{running}/inputs", json={"text": "hello"})
    assert answer.status_code == 409


RUN = {"backend": "command", "goal": "", "options": {"argv": ["true"]}}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"null", 422),
        (b"[]", 422),
        (b'"\xff"', 400),
        (b"\xef\xbb\xbf{}", 400),
        (json.dumps(RUN | {"goal": "\0"}).encode(), 422),
        (json.dumps(RUN | {"goal": "\ud800"}).encode(), 400),
        (json.dumps(RUN | {"backend": "nonsense"}).encode(), 400),
        (json.dumps(RUN | {"project": "nonsense"}).encode(), 404),
        (json.dumps(RUN | {"nonsense": 1}).encode(), 422),
        (json.dumps(RUN | {"options": {}}).encode(), 400),
        (json.dumps(RUN | {"options": {"argv": ["\0"]}}).encode(), 422),
        (json.dumps(RUN | {"priority": 10**30}).encode(), 422),
        (json.dumps(RUN | {"limits": {"wall_s": -1}}).encode(), 422),
        (b'{"backend": "command", "limits": {"wall_s": 1e999}}', 400),
        (json.dumps({"runs": []}).encode(), 422),
        (json.dumps({"runs": [RUN] * 1001}).encode(), 422),
    ],
)
def test_runs_that_cannot_be(bounded: Product, body: bytes, status: int) -> None:
    """A body that is no run is refused, with a code; `status` is its family, 400 and 422 being near."""
    answer = bounded.client.post("/v1/runs", content=body, headers={"content-type": "application/json"})
    near = {400, 409, 422} if status != 404 else {404}
    assert answer.status_code in near, answer.text
    problem(answer, answer.status_code, answer.json()["code"])


def test_no_key_no_entry(bounded: Product) -> None:
    """Without a token nothing opens, whatever is asked."""
    transport = httpx.HTTPTransport(uds=str(bounded.data_dir / "agentrunner.sock"))
    with httpx.Client(base_url="http://agentrunner", transport=transport) as stranger:
        for path in ("/v1/runs", "/v1/runs/1", "/v1/runs/1/events", "/v1/stream", "/v1/workers", "/metrics"):
            problem(stranger.get(path), 401, "unauthorized")
        problem(stranger.post("/v1/control/register", json={}), 401, "unauthorized")
        assert stranger.get("/health").status_code == 200
