"""The structs of the worker protocol as they travel."""

import msgspec
import pytest

from agentrunner.domain.control import ClaimRequest, Offsets, Outcome, Part, RecordRequest, States
from agentrunner.domain.event import new_event
from agentrunner.domain.state import Status


def test_a_record_request_survives_the_wire() -> None:
    """Bytes in, the same struct out; a part says `from` and `to`."""
    part = Part(stream="out", start=0, end=5, events=[new_event("log", {"lines": ["a"]})], state=msgspec.Raw(b"[1]"))
    outcome = Outcome(status=Status.COMPLETED, exit_code=0, sizes=Offsets(out=5))
    sent = RecordRequest(worker_id="w", epoch=1, run_id=2, attempt=1, uid="u", parts=[part], outcome=outcome)
    text = msgspec.json.encode(sent)
    assert b'"from":0,"to":5' in text
    back = msgspec.json.decode(text, type=RecordRequest)
    assert msgspec.json.encode(back) == text
    assert (back.parts[0].start, back.parts[0].end, back.outcome) == (0, 5, outcome)


def test_states_travel_as_they_are() -> None:
    """The server never looks into a parser's state."""
    text = msgspec.json.encode(States(out=msgspec.Raw(b'{"a": 1}')))
    assert text == b'{"out":{"a": 1},"err":null,"journal":null}'


@pytest.mark.parametrize("change", [{"slots": 0}, {"slots": 1001}, {"wait_s": -1}, {"wait_s": 31}])
def test_bounds_of_a_claim(change: dict[str, int]) -> None:
    """A worker asks for a sane number of runs and waits a sane time."""
    body = {"worker_id": "w", "epoch": 1, "claim_id": "c", "slots": 1, **change}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(body, ClaimRequest)


def test_streams_are_a_closed_list() -> None:
    """Out, err, journal."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"stream": "log", "from": 0, "to": 1}, Part)
