"""No secret is left in a line, in whatever form a program prints it."""

import base64
import json
import random
import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrunner.process.redaction import MASK, SHORTEST, Redactor
from agentrunner.process.spool import LOOK_AHEAD, MAX_LINE, Framer
from process.encodings import Case, cases, found, telling

_TEXT = st.characters(exclude_categories=["Cs"], exclude_characters="\n\r*")
SECRETS = st.text(_TEXT, min_size=12, max_size=40).filter(lambda text: len(text.strip()) >= 12)
AROUND = st.binary(max_size=30)


@given(SECRETS, AROUND, AROUND)
def test_as_it_is(secret: str, before: bytes, after: bytes) -> None:
    """Whatever stands around it."""
    raw = secret.encode()
    assert raw not in Redactor([secret]).redact(before + raw + after) or raw in MASK


@given(SECRETS)
def test_escaped(secret: str) -> None:
    """In JSON, with and without escapes beyond ASCII, and in URLs, upper and lower case."""
    redactor = Redactor([secret])
    for form in (
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe=""),
    ):
        assert redactor.redact(b"<" + form.encode() + b">") == b"<***>"


@given(SECRETS, AROUND, AROUND)
def test_base64_at_every_alignment(secret: str, before: bytes, after: bytes) -> None:
    """All characters that the secret alone decides are masked, standard and URL-safe."""
    raw = secret.encode()
    redactor = Redactor([secret])
    for encode, decode in ((base64.b64encode, base64.b64decode), (base64.urlsafe_b64encode, base64.urlsafe_b64decode)):
        masked = redactor.redact(encode(before + raw + after))
        assert MASK in masked
        for part in masked.split(MASK):
            for shift in range(4):
                whole = part[shift:][: len(part[shift:]) // 4 * 4].rstrip(b"=")
                whole = whole[: len(whole) // 4 * 4]
                assert raw not in decode(whole)


@given(st.lists(SECRETS, min_size=2, max_size=4))
def test_line_by_line(parts: list[str]) -> None:
    """A secret of several lines, printed in lines or escaped into one."""
    redactor = Redactor(["\n".join(parts)])
    for part in parts:
        assert redactor.redact(part.encode()) == MASK
    printed = redactor.redact(json.dumps("\r\n".join(parts)).encode())
    assert all(json.dumps(part)[1:-1].encode() not in printed for part in parts)


def test_a_short_secret_is_counted_not_masked() -> None:
    """It would mask ordinary text."""
    redactor = Redactor(["x" * (SHORTEST - 1), "", "long enough"])
    assert (redactor.ignored, redactor.redact(b"xxxxxxx long enough")) == (1, b"xxxxxxx ***")


@given(SECRETS, st.integers(0, 60), st.lists(st.integers(0, 2 * MAX_LINE), max_size=4), st.integers(1, 6))
def test_a_cut_never_falls_into_a_secret(secret: str, back: int, cuts: list[int], times: int) -> None:
    """However the bytes come, and with secrets one behind the other across the cut."""
    raw = secret.encode()
    redactor = Redactor([secret])
    text = b"." * (MAX_LINE - back) + raw * times + b"." * LOOK_AHEAD + b"\n"
    framer = Framer(0, None, redactor.safe_cut)
    lines, read = [], 0
    for cut in sorted({*(min(cut, len(text)) for cut in cuts), len(text)}):
        lines += framer.feed(text[read:cut])
        read = cut
    kept = redactor.redact(lines[0].data)
    assert kept.strip(b".").replace(MASK, b"") == b""
    assert len(lines[0].data) + lines[1].cut == len(text) - 1


def test_a_cut_between_overlapping_matches() -> None:
    """Found from the beginning of the line, as they are masked."""
    redactor = Redactor(["abababab"])
    line = b"ab" * 16
    for at in range(1, 32):
        cut = redactor.safe_cut(line, at)
        assert cut == at // 8 * 8


def _drawn(seed: int) -> list[Case]:
    rng = random.Random(seed)
    return list(cases(lambda: "".join(rng.choices(string.ascii_letters + string.digits, k=24))))


PAIRS = list(zip(_drawn(1), _drawn(2), strict=True))


@pytest.mark.parametrize(("case", "other"), PAIRS, ids=[case.name for case, _ in PAIRS])
def test_every_form_split_at_every_byte(case: Case, other: Case) -> None:
    """Of a secret in any form nothing is left that would tell it from another, wherever the bytes were split."""
    redactor, tells, whole = Redactor([case.secret]), telling(case, other), case.printed + b"\n"
    assert tells
    assert found(tells, whole)
    for split in range(len(whole)):
        framer = Framer(0, None, redactor.safe_cut)
        lines = [*framer.feed(whole[:split]), *framer.feed(whole[split:])]
        kept = [redactor.redact(line.data) for line in lines]
        assert not any(found(tells, line) for line in kept), kept
        assert any(MASK in line for line in kept)


def test_text_is_left_alone() -> None:
    """What is no secret is the same bytes, and of many secrets each is masked where it stands."""
    text = bytes(range(256)) * 3 + b"\n" + b"plain words\n" * 50
    redactor = Redactor([case.secret for case in _drawn(1)])
    assert redactor.redact(text) == text
    assert Redactor(["first-secret", "second-secret"]).redact(b"a first-secret, second-secret.") == b"a ***, ***."


def test_a_long_secret_is_bounded() -> None:
    """A secret of 64 KiB is masked as it is, in JSON and in base64, without an automaton of a hundred forms of it."""
    secret = "".join(random.Random(5).choices(string.ascii_letters + '"\\/', k=65_536))
    redactor = Redactor([secret])
    for form in (secret, json.dumps(secret)[1:-1]):
        assert redactor.redact(f"<{form}>".encode()) == b"<***>"
    coded = base64.b64encode(secret.encode()).rstrip(b"=")
    assert redactor.redact(b"<" + coded + b">") == b"<***" + coded[-1:] + b">"
