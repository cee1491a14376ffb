"""How reporters see runs: names, the three words, errors, and the words of their events."""

from typing import Any

import msgspec
import pytest

from agentrunner.domain.event import Event
from agentrunner.domain.report import OURS, Report, Said, extra_of, message_of, with_word, word_of
from agentrunner.domain.run import Run
from agentrunner.domain.state import Reason, Status
from domain.stored import run as stored_run


def _report(said: Said | None = None, **fields: Any) -> Report:
    return Report(run=msgspec.structs.replace(stored_run(), **fields), said=said)


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        (Status.QUEUED, "running"),
        (Status.RUNNING, "running"),
        (Status.PAUSED, "running"),
        (Status.COMPLETED, "completed"),
        (Status.FAILED, "error"),
        (Status.STOPPED, "error"),
    ],
)
def test_three_words_for_six_statuses(status: Status, shown: str) -> None:
    """What the words cannot tell is in the metadata, unless the run's own already says something there."""
    found = _report(status=status, metadata={"a": 1})
    assert found.status == shown
    told = status in (Status.RUNNING, Status.COMPLETED, Status.FAILED)
    assert found.metadata == ({"a": 1} if told else {"state": status.value, "a": 1})
    assert _report(status=status, metadata={"state": "mine"}).metadata == {"state": "mine"}


def test_a_programs_own_word() -> None:
    """It is shown while the run goes on; the end is the server's to say."""
    said = Said(status="blocked")
    assert _report(said, status=Status.RUNNING).status == "blocked"
    assert _report(said, status=Status.COMPLETED).status == "completed"
    assert _report(Said(status="completed"), status=Status.RUNNING).status == "running"


def test_errors() -> None:
    """What was said, else the run's message, else its reason."""
    failed = {"status": Status.FAILED, "reason": Reason.WALL_TIMEOUT}
    assert _report(Said(error="said"), message="kept", **failed).error == "said"
    assert _report(Said(), message="kept", **failed).error == "kept"
    assert _report(message=None, **failed).error == "wall_timeout"
    assert _report(Said(), message=None, **failed).error is None
    assert _report(status=Status.STOPPED, message=None).error == "stopped"
    assert _report(status=Status.COMPLETED, message="done").error is None


def test_names() -> None:
    """A run without a name of its own is called by its id, in a form that nobody may choose."""
    assert _report(external_id="mine").name == "mine"
    assert OURS.match(_report(external_id=None).name)
    assert not any(OURS.match(name) for name in ("ar-", "ar-0", "ar-1x", "ar-1\n", "1", "AR-1", "xar-1"))


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"message": "m", "error": "e"}, "m"),
        ({"message": "", "error": "e"}, "e"),
        ({"error": {"code": 5}}, '{"code":5}'),
        ({"message": 5}, "5"),
        ({"message": "a\x00b"}, "a\N{REPLACEMENT CHARACTER}b"),
        ({"message": "x" * 20_000}, "x" * 10_000),
        ({}, None),
        ("text", None),
        (None, None),
    ],
    ids=repr,
)
def test_messages(payload: Any, message: str | None) -> None:
    """`message`, else `error`; bounded, and always text that any database keeps."""
    assert message_of(payload) == message


def _event(type: str, seq: int = 2, extra: str | None = None) -> Event:
    payload = msgspec.Raw(b"{}")
    return Event(id=9, run_id=1, seq=seq, attempt=1, ts=1, type=type, level="info", payload=payload, extra=extra)


def _run(backend: str) -> Run:
    return msgspec.structs.replace(stored_run(), backend=backend)


def test_words_of_events() -> None:
    """A reporter finds its own word, no event that it did not send, and ends in the words it knows."""
    kept = with_word('{"agentId":"a"}', "error")
    assert extra_of(_event("run.failed", extra=kept)).agent_id == "a"
    assert word_of(_event("run.failed", extra=kept), _run("external")) == "error"
    assert word_of(_event("run.failed"), _run("external")) == "run.failed"
    assert word_of(_event("run.created", seq=1), _run("external")) is None
    assert word_of(_event("run.created", seq=1), _run("command")) == "run.created"
    assert word_of(_event("run.stopped"), _run("command")) == "run.error"
