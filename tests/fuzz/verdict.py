"""What an answer and a log have to be, whatever was asked."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote

from agentrunner.api import refusals
from agentrunner.api.refusals import METRICS, NATIVE, OPS, RUNNER, Refusal
from agentrunner.domain import errors
from fuzz.shot import Shot
from fuzz.wire import Answer, Outcome

NO_ANSWER = "neither an answer nor an end"
_FIELDS = {"type", "title", "status", "code", "detail", "request_id"}
_INSIDE = re.compile(rb"Traceback|File [\\]?[\"]|sqlite3|site-packages|0x[0-9a-f]{9,}| object at ")
_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")
_EXTRA = {"bad_config"}
_REQUEST = re.compile(rb"^[A-Z]+ ([^\s?#]+)(?:[?#]\S*)? HTTP/1\.1\r\n")
_REQUESTS = re.compile(rb"(?<![A-Za-z-])[A-Za-z-]+ {1,9}(?:https?://[^/\s]*)?([^\s?#]*)")


def _codes(kind: type[errors.AgentRunnerError]) -> Iterator[str]:
    yield kind.code
    for inner in kind.__subclasses__():
        yield from _codes(inner)


CODES = frozenset(_codes(errors.AgentRunnerError)) | _EXTRA


def judge(shot: Shot, outcome: Outcome) -> list[str]:
    """What is wrong with what came back; empty where nothing is."""
    possible = possible_refusals(shot)
    found = [wrong for answer in outcome.answers for wrong in judge_answer(answer, possible)]
    if outcome.timed_out and shot.ending == "read" and not shot.lasting:
        found.append(NO_ANSWER)
    if outcome.garbage:
        found.append(f"bytes that are no answer: {outcome.garbage[:80]!r}")
    if len(outcome.answers) > shot.answers + 1:
        found.append(f"{len(outcome.answers)} answers to at most {shot.answers} requests")
    return found


def possible_refusals(shot: Shot) -> tuple[Refusal, ...]:
    """How its requests may be refused: one whole request as its path says, others also as what cannot be read."""
    whole = _REQUEST.match(shot.content)
    if whole is not None and shot.kind in ("values", "doors", "telemetry", "ndjson", "protocol"):
        return (refusals.of(unquote(whole[1].decode("latin-1"))),)
    paths = {unquote(path.decode("latin-1")) for path in _REQUESTS.findall(shot.content)}
    return (NATIVE, *(each for each in (OPS, METRICS, RUNNER) if each in map(refusals.of, paths)))


def judge_answer(answer: Answer, possible: Sequence[Refusal] = (NATIVE,)) -> Iterator[str]:
    """What is wrong with an answer to a request that may be refused in these forms."""
    if answer.status >= 500:
        yield f"status {answer.status}: {answer.body[:300]!r}"
    if answer.status < 200:
        return
    if "x-request-id" not in answer.headers:
        yield f"status {answer.status} without a request id"
    if "x-injected" in answer.headers:
        yield "a header of the request became one of the answer"
    if answer.headers.get("x-content-type-options", "nosniff") != "nosniff":
        yield "a content type that may be guessed"
    if 400 <= answer.status and answer.body:
        yield from judge_refusal(answer, possible)


def judge_refusal(answer: Answer, possible: Sequence[Refusal]) -> Iterator[str]:
    """What is wrong with a refusal, in the form that its content type and then its fields say."""
    if inside := _INSIDE.search(answer.body):
        yield f"shows the inside: {inside[0]!r}"
    kind = answer.headers.get("content-type", "")
    fitting = [each for each in possible if each.kind.decode() == kind]
    if not fitting:
        yield f"status {answer.status} as {kind}"
    elif fitting[0] is NATIVE:
        yield from judge_problem(answer)
    elif fitting[0] is METRICS:
        yield from judge_line(answer)
    elif RUNNER in fitting and (len(fitting) == 1 or b'"detail"' in answer.body):
        yield from judge_detail(answer)
    else:
        yield from judge_error(answer)


def judge_line(answer: Answer) -> Iterator[str]:
    """What is wrong with a line of text."""
    text = answer.body.removesuffix(b"\n")
    if text == answer.body or len(text) < 10:
        yield f"no line that says something: {answer.body[:200]!r}"
    elif _CONTROL.search(text) or b"\n" in text:
        yield f"more than one line: {answer.body[:200]!r}"


def judge_error(answer: Answer) -> Iterator[str]:
    """What is wrong with `{"error": TEXT}`."""
    found = _object(answer.body)
    if found.keys() != {"error"} or not isinstance(found["error"], str) or len(found["error"]) < 9:
        yield f"no error that says something: {answer.body[:200]!r}"


def judge_detail(answer: Answer) -> Iterator[str]:
    """What is wrong with `{"detail": TEXT or [{loc, msg, type}], "code", "request_id"}`."""
    found = _object(answer.body)
    detail = found.get("detail")
    texts = [each.get("msg") for each in detail] if isinstance(detail, list) else [detail]
    if not texts or not all(isinstance(text, str) and len(text) > 8 for text in texts):
        yield f"no detail that says something: {answer.body[:200]!r}"
    if (answer.status == 422) != isinstance(detail, list):
        yield f"status {answer.status} with a detail of another form: {answer.body[:200]!r}"
    if found.get("code") not in CODES:
        yield f"unknown code {found.get('code')!r}"
    if found.get("request_id") != answer.headers.get("x-request-id"):
        yield "two request ids"


def _object(body: bytes) -> dict[str, Any]:
    try:
        found: Any = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def judge_problem(answer: Answer) -> Iterator[str]:
    """What is wrong with a refusal."""
    try:
        problem: Any = json.loads(answer.body)
    except ValueError:
        yield f"a problem document that is no JSON: {answer.body[:200]!r}"
        return
    if not problem.keys() >= _FIELDS:
        yield f"fields are missing: {sorted(_FIELDS - problem.keys())}"
        return
    if problem["status"] != answer.status:
        yield f"status {answer.status} says {problem['status']}"
    if problem["code"] not in CODES:
        yield f"unknown code {problem['code']!r}"
    if problem["request_id"] != answer.headers.get("x-request-id"):
        yield "two request ids"
    if len(problem["detail"]) < 10:
        yield f"says nothing: {problem['detail']!r}"
    if answer.status == 405 and "allow" not in answer.headers and problem.get("allow"):
        yield "405 without Allow"


def judge_log(log: bytes, secrets: Sequence[str]) -> Iterator[str]:
    """What is wrong with a log: one object a line with time, level and event, no control character, no secret."""
    for line in log.split(b"\n")[:-1]:
        if _CONTROL.search(line):
            yield f"control characters in the log: {line[:200]!r}"
        try:
            entry: Any = json.loads(line)
        except ValueError:
            yield f"a line of the log is no JSON: {line[:300]!r}"
            continue
        if missing := {"ts", "level", "event"} - entry.keys():
            yield f"a line of the log has no {', '.join(sorted(missing))}: {line[:200]!r}"
        if entry.get("level") in ("error", "critical"):
            yield f"logged: {line[:3000].decode(errors='replace')}"
    for secret in secrets:
        if secret.encode() in log:
            yield f"a secret is in the log: {secret[:6]}…"
