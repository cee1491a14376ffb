"""Values that programs stumble over: numbers, texts, nesting, broken encodings; drawn from one random generator."""

import gzip
import json
import random
from typing import Any

NUMBERS = [
    *("0", "-0", "-1", "1", "1.0", "1e0", "-0.0", "0.1", "1e-400", "1e400", "-1e400", "1e308", "NaN", "Infinity"),
    *("-Infinity", str(2**31), str(2**53 + 1), str(2**63 - 1), str(2**63), str(2**64), str(-(2**63) - 1), "9" * 400),
    *("01", "+1", ".5", "5.", "0x10", "1_000", "1e", "--1", "\u0661", "1" + "0" * 4400),
]
"""As they stand in JSON; half of them are none."""
TEXTS = [
    *("", " ", "\x00", "a\x00b", "\n", "\r\nX-Injected: 1", "\x1b[2J\x1b]0;owned\x07", "\x9b31m", "\u202e\u200b"),
    *("\ufeff", "\ufffd", "\ud800", "\udc00x", "\U0001f4a9" * 50, "e\u0301", "%00", "%s%n%x", "${jndi:ldap://x}"),
    *("../../../etc/passwd", "..\\..\\x", "'; DROP TABLE runs; --", '"', "\\", "<script>alert(1)</script>", "{{7*7}}"),
    *("null", "true", "-1", "1e400", "A" * 300, "B" * 70_000, "status:failed", "q:" * 200, "(" * 500, "label:=", "*"),
    *("2026-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "0000-00-00T00:00:00Z", "2026-02-30T25:61:61+99:99", "PT1H"),
]
BROKEN = [
    *(b"", b" ", b"\x00", b"{", b"}", b"[", b'"', b"{]", b"nul", b"{}{}", b"{} x", b"[1,]", b'{"a":1,}', b"{'a':1}"),
    *(
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
        b"\xc3\x28",
        b"\xed\xa0\x80",
        b'{"goal":"\xff"}',
        b'{"goal":"\xc0\xaf"}',
    ),
    *(b'{"backend":"external","goal":"\xf0\x9f\x92"}', b'{"a":"\\ud800"}', b'{"a":"\\udc00\\ud800"}', b'{"a":"\\x41"}'),
    *(b'{"a":"\n"}', b"/**/{}", b"[" * 100_000, b'{"a":' * 50_000, b"[" * 900 + b"]" * 900, b"-", b"1e400", b"NaN"),
    *(b'{"backend":"external","backend":"command","backend":"x"}', b"\x1f\x8b\x08\x00garbage", b"\x80" * 1000),
]
MOST_BYTES = 10 * 1024 * 1024


def number(rng: random.Random) -> str:
    """A number, as text."""
    return rng.choice(NUMBERS) if rng.random() < 0.7 else str(rng.randrange(-(2**70), 2**70))


def text(rng: random.Random) -> str:
    """A text."""
    if rng.random() < 0.7:
        return rng.choice(TEXTS)
    return "".join(chr(rng.choice((rng.randrange(128), rng.randrange(0xD800)))) for _ in range(rng.randrange(40)))


def value(rng: random.Random) -> Any:
    """Any JSON value that Python holds; numbers that it does not hold come with `encode`."""
    kind = rng.randrange(9)
    if kind < 3:
        return text(rng)
    if kind < 5:
        return rng.choice((0, -1, 1, 1.5, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30, float("inf"), float("nan")))
    if kind == 5:
        return rng.choice((None, True, False))
    if kind == 6:
        return [value(rng) for _ in range(rng.randrange(4))]
    if kind == 7:
        return {text(rng)[:50]: value(rng) for _ in range(rng.randrange(4))}
    return deep(rng)


def deep(rng: random.Random) -> Any:
    """Something nested; the encoder cannot go as deep as `BROKEN` does."""
    found: Any = None
    for _ in range(rng.choice((3, 50, 99, 101, 300))):
        found = [found] if rng.random() < 0.5 else {"a": found}
    return found


def encode(rng: random.Random, content: Any) -> bytes:
    """JSON, most of the time; lone surrogates stay as bytes that are no UTF-8 in some."""
    data = json.dumps(content, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")[:MOST_BYTES]
    return spoil(rng, data) if rng.random() < 0.15 else data


def spoil(rng: random.Random, data: bytes) -> bytes:
    """The bytes with one thing wrong."""
    at = rng.randrange(len(data) + 1)
    how = rng.randrange(6)
    if how == 0:
        return data[:at]
    if how == 1:
        return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    if how == 2:
        return data[:at] + number(rng).encode() + data[at:]
    if how == 3:
        return b"\xef\xbb\xbf" + data
    if how == 4:
        return data + rng.choice((b"\x00", b"}", b"\n{}", b" " * 10_000))
    return gzip.compress(data, mtime=0)


def mutate(rng: random.Random, content: Any) -> Any:
    """The same with one to three of its values replaced, left out, or joined by unknown ones."""
    copied = json.loads(json.dumps(content))
    for _ in range(rng.choice((1, 1, 2, 3))):
        copied = _change(rng, copied)
    return copied


def _change(rng: random.Random, content: Any) -> Any:
    if isinstance(content, dict) and content and rng.random() < 0.9:
        name = rng.choice(list(content))
        how = rng.random()
        if how < 0.15:
            del content[name]
        elif how < 0.25:
            content[text(rng)[:100]] = value(rng)
        else:
            content[name] = _change(rng, content[name])
        return content
    if isinstance(content, list) and content and rng.random() < 0.8:
        at = rng.randrange(len(content))
        content[at] = _change(rng, content[at])
        times = rng.choice((1, 1, 1, 2, 300))
        return content * times if len(str(content)) < 5000 else content
    return value(rng)
