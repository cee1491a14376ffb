"""Secrets of the environment, masked in what a reporter says: as they are, and in the forms text usually gives them."""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

import msgspec

from agentrunner.domain.run import MASK, looks_secret

SHORTEST = 8
"""A shorter value would mask ordinary text."""
_NESTING = 3


def secrets_of(environment: Mapping[str, str]) -> list[str]:
    """The values of all variables named like a key, token, secret or password."""
    return [value for name, value in environment.items() if looks_secret(name)]


class Mask:
    """Replaces secrets in encoded events. Known: as it is, JSON-escaped (up to three times), URL, base64, hex."""

    def __init__(self, secrets: Iterable[str]) -> None:
        usable = {line.strip() for secret in secrets for line in secret.splitlines()}
        forms = {form for text in usable if len(text) >= SHORTEST for form in _forms(text)}
        longest_first = sorted((form for form in forms if len(form) >= SHORTEST), key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, longest_first))) if longest_first else None

    def text(self, text: bytes) -> bytes:
        """The text with every secret masked."""
        return text if self._pattern is None else self._pattern.sub(MASK.encode(), text)

    def json(self, document: bytes) -> bytes:
        """A JSON document with every secret masked; where that leaves none (a secret is a number) all of it is."""
        masked = self.text(document)
        if masked is document or masked == document:
            return document
        try:
            msgspec.json.decode(masked)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return msgspec.json.encode({"masked": MASK})
        return masked


def _forms(text: str) -> set[bytes]:
    raw = text.encode("utf-8", "surrogateescape")
    found = {raw, raw.hex().encode(), raw.hex().upper().encode()}
    written = {text}
    for _ in range(_NESTING):
        written = {json.dumps(form, ensure_ascii=ascii)[1:-1] for form in written for ascii in (True, False)}
        found |= {form.encode("utf-8", "surrogateescape") for form in written}
    found |= {quote(raw, safe="").encode(), quote_plus(raw).encode()}
    for shift in range(3):
        # Within a longer text a secret begins anywhere in a group of three; its first and last letters are shared.
        padded = base64.b64encode(b"\0" * shift + raw)
        cut = padded[(0, 2, 3)[shift] : len(padded) - (0, 3, 2)[(len(raw) + shift) % 3]]
        found |= {cut, cut.translate(bytes.maketrans(b"+/", b"-_"))}
    return found
