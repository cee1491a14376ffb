"""Whatever a program hands to its reporter is sayable, within bounds, without its secrets."""

import base64
import json
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.api.events import ReportedEvent
from agentrunner.client import saying
from agentrunner.client.masking import Mask, secrets_of

SECRET = 'pa"ss/wörd+9\\x&'


class Bad:
    """An object that cannot even describe itself."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


def circle() -> list[Any]:
    """A list that contains itself."""
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    "payload", [object(), {"a": {1, 2}}, "\ud800", float("nan"), 2**80, b"\xff", circle(), Bad(), {1: {2: 3}}, None]
)
@pytest.mark.parametrize("type", ["log", "", "1", "Ünsinn mit Raum", "x" * 500, "a\nb"])
def test_everything_is_an_event_that_a_server_takes(payload: Any, type: str) -> None:
    """By the server's own definition of one; on one line."""
    line = saying.encode(type, saying.payload_of(payload), "no such level", ("p", 1, 5))
    assert b"\n" not in line
    event = msgspec.json.decode(line, type=ReportedEvent)
    assert (event.producer, event.client_seq, event.ts, event.level) == ("p", 1, 5, "info")


def test_what_is_too_large_is_cut_and_says_so() -> None:
    """A megabyte is the most."""
    found = json.loads(saying.payload_of({"text": "ä" * 2_000_000}))
    assert found["truncated"] is True
    assert found["bytes"] > 4_000_000
    assert len(found["head"]) < 100_000


def test_an_error_is_told_with_its_traceback_and_bounded() -> None:
    """The end of a long one, which is where it happened."""
    try:
        raise ValueError("x" * 50_000)
    except ValueError as error:
        told = saying.failure(error)
    assert told["message"].startswith("ValueError: xxx")
    assert len(told["message"]) == 10_000
    assert len(told["traceback"]) == 32_000


def test_a_good_end() -> None:
    """Leaving by `sys.exit()` with nothing or 0 is success."""
    assert saying.is_good_end(SystemExit())
    assert saying.is_good_end(SystemExit(0))
    assert not saying.is_good_end(SystemExit("bad"))
    assert not saying.is_good_end(KeyboardInterrupt())


def test_tokens_are_counted_in_known_kinds_only() -> None:
    """A slip is told at once."""
    with pytest.raises(TypeError, match="no count 'tokens'"):
        saying.check_tokens({"tokens": 1})
    with pytest.raises(TypeError, match="whole number"):
        saying.check_tokens({"input_tokens": -1})


FORMS = [
    SECRET,
    json.dumps(SECRET),
    json.dumps(json.dumps(SECRET, ensure_ascii=False)),
    quote(SECRET, safe=""),
    SECRET.encode().hex(),
    *(base64.b64encode(b"a" * before + SECRET.encode() + b"zz").decode() for before in range(3)),
]


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_masked_in_every_usual_form(form: str) -> None:
    """In the JSON that is stored, however the program has written it; what is around it stays."""
    mask = Mask(secrets_of({"MY_PASSWORD": SECRET, "HOME": "/home/somebody"}))
    found = mask.json(saying.payload_of({"text": f"before {form} after /home/somebody", "n": 1}))
    text = json.loads(found)["text"]
    assert "***" in text
    assert text.startswith("before ")
    assert text.endswith(" after /home/somebody")
    for middle in (SECRET[3:9], SECRET.encode()[4:12].hex()):
        assert middle not in text


def test_short_values_are_no_secrets() -> None:
    """They would mask ordinary text."""
    assert Mask(secrets_of({"A_KEY": "1234567", "B_KEY": ""})).json(b'"1234567"') == b'"1234567"'


@given(st.text(min_size=1), st.recursive(st.text() | st.integers() | st.none(), st.lists))
def test_masked_json_is_json(secret: str, payload: Any) -> None:
    """Whatever the secret is, a number or a piece of syntax."""
    mask = Mask([secret, "12345678", '","a":"b', '": "x": "'])
    json.loads(mask.json(saying.payload_of({"n": 12345678, "p": payload, "a": "b", "c": secret})))
