"""Secrets of every kind in every form in which programs print them: what redaction is held to."""

import base64
import codecs
import html
import json
import re
import shlex
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import quote, quote_plus, urlencode

KEY = "-----BEGIN PRIVATE KEY-----\n{}\n{}\n-----END PRIVATE KEY-----"
SECRETS = {
    "token": "sk-ant-api03-{}",
    "quotes": 'it\'s "{}" \\ 100%',
    "umlauts": "pässwörd-{}-日本",
    "signs": "a<b>&c/{}?d=e+f",
    "dollars": "$(id)`x`!{}#;|*",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.{}.{}_-",
    "url": "postgres://user:{}@host:5432/db?sslmode=require",
    "key": KEY,
}
"""By kind; `{}` is where random letters go."""


class Case(NamedTuple):
    """One secret in one form; `printed` is what a program writes, whole lines without the last newline."""

    name: str
    secret: str
    printed: bytes


def _json_twice(text: str) -> str:
    return json.dumps(json.dumps({"k": text}))


def _go(text: str) -> str:
    """As Go's encoding/json writes it."""
    escaped = json.dumps(text, ensure_ascii=False)
    for sign in "<>&":
        escaped = escaped.replace(sign, f"\\u{ord(sign):04x}")
    return escaped


def _printf(text: str) -> str:
    return re.sub(r"([^\w@%+=:,./-])", r"\\\1", text, flags=re.ASCII)


def _lower(text: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), quote(text, safe=""))


def _upper(text: str) -> str:
    return re.sub(r"\\u[0-9a-f]{4}", lambda match: "\\u" + match[0][2:].upper(), json.dumps(text))


def _mail(text: str) -> bytes:
    return base64.encodebytes(text.encode())


ENCODINGS: dict[str, Callable[[str], str | bytes]] = {
    "plain": lambda text: text,
    "assigned": lambda text: f"KEY={text}",
    "crlf": lambda text: text.replace("\n", "\r\n") + "\r",
    "json": json.dumps,
    "json unicode": lambda text: json.dumps(text, ensure_ascii=False),
    "json solidus": lambda text: json.dumps(text).replace("/", "\\/"),
    "json upper": _upper,
    "json go": _go,
    "json in json": _json_twice,
    "json thrice": lambda text: json.dumps({"content": _json_twice(text)}),
    "repr": repr,
    "ascii": ascii,
    "bytes repr": lambda text: repr(text.encode()),
    "shell": shlex.quote,
    "printf": _printf,
    "sql": lambda text: "'" + text.replace("'", "''") + "'",
    "csv": lambda text: '"' + text.replace('"', '""') + '"',
    "url": lambda text: quote(text, safe=""),
    "url lower": _lower,
    "url path": quote,
    "form": lambda text: urlencode({"key": text}),
    "form plus": quote_plus,
    "html": html.escape,
    "xml": lambda text: html.escape(text).replace("&#x27;", "&apos;"),
    "hex": lambda text: text.encode().hex(),
    "hex upper": lambda text: text.encode().hex().upper(),
    "hex colons": lambda text: text.encode().hex(":"),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64 url": lambda text: base64.urlsafe_b64encode(text.encode()),
    "base64 of basic auth": lambda text: base64.b64encode(f"user:{text}".encode()),
    "base64 shifted": lambda text: base64.b64encode(f"xx{text}zz".encode()),
    "base64 lines": _mail,
    "base32": lambda text: base64.b32encode(text.encode()),
    "utf-16": lambda text: codecs.encode(text, "utf-16-le"),
}


def cases(letters: Callable[[], str]) -> Iterator[Case]:
    """Every secret in every encoding; `letters` answers fresh random letters."""
    for kind, pattern in SECRETS.items():
        secret = re.sub(r"\{\}", lambda _: letters(), pattern)
        for name, encode in ENCODINGS.items():
            printed = encode(secret)
            yield Case(f"{kind} {name}", secret, printed.encode() if isinstance(printed, str) else printed)


WINDOW = 10
"""As many bytes of a secret in a row count as found."""


def telling(case: Case, other: Case) -> set[bytes]:
    """What gives a secret away: every stretch of the printed form that the same form of another secret has not."""
    return _windows(case.printed) - _windows(other.printed)


def _windows(printed: bytes) -> set[bytes]:
    return {line[at : at + WINDOW] for line in printed.split(b"\n") for at in range(len(line) - WINDOW + 1)}


def found(windows: set[bytes], text: bytes) -> set[bytes]:
    """Those of `windows` that are in a text."""
    return windows & {text[at : at + WINDOW] for at in range(len(text) - WINDOW + 1)}
