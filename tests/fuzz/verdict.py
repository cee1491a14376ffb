"""What an answer and a log have to be, whatever was asked."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from agentrunner.domain import errors
from fuzz.shot import Shot
from fuzz.wire import Answer, Outcome

NO_ANSWER = "neither an answer nor an end"
PROBLEM = "application/problem+json"
_FIELDS = {"type", "title", "status", "code", "detail", "request_id"}
_INSIDE = re.compile(rb"Traceback|File [\\]?[\"]|sqlite3|site-packages|0x[0-9a-f]{9,}| object at ")
_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")
_EXTRA = {"bad_config"}


def _codes(kind: type[errors.AgentRunnerError]) -> Iterator[str]:
    yield kind.code
    for inner in kind.__subclasses__():
        yield from _codes(inner)


CODES = frozenset(_codes(errors.AgentRunnerError)) | _EXTRA


def judge(shot: Shot, outcome: Outcome) -> list[str]:
    """What is wrong with what came back; empty where nothing is."""
    found = [wrong for answer in outcome.answers for wrong in judge_answer(answer)]
    if outcome.timed_out and shot.ending == "read" and not shot.lasting:
        found.append(NO_ANSWER)
    if outcome.garbage:
        found.append(f"bytes that are no answer: {outcome.garbage[:80]!r}")
    if len(outcome.answers) > shot.answers + 1:
        found.append(f"{len(outcome.answers)} answers to at most {shot.answers} requests")
    return found


def judge_answer(answer: Answer) -> Iterator[str]:
    """What is wrong with an answer."""
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
        yield from judge_problem(answer)


def judge_problem(answer: Answer) -> Iterator[str]:
    """What is wrong with a refusal."""
    if answer.headers.get("content-type") != PROBLEM:
        yield f"status {answer.status} as {answer.headers.get('content-type')}"
        return
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
    if inside := _INSIDE.search(answer.body):
        yield f"shows the inside: {inside[0]!r}"


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
