"""Redaction: known secrets in raw lines become `***`, in the forms in which programs print them.

Works on whole lines before any parser sees them; offsets stay those of the raw spool.
"""

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = b"***"
_ESCAPED = re.compile("%[0-9A-F]{2}")
SHORTEST = 8
"""A shorter secret would mask ordinary text."""


class Redactor:
    """Replaces secrets; without any, a line costs nothing. `ignored` counts those that were too short."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {secret for secret in secrets if secret}
        usable = {line for secret in known for line in _lines(secret) if len(line.encode()) >= SHORTEST}
        self.ignored = sum(1 for secret in known if len(secret.encode()) < SHORTEST)
        forms = sorted({form for text in usable for form in _forms(text)}, key=lambda form: (-len(form), form))
        self._pattern = re.compile(b"|".join(map(re.escape, forms))) if forms else None

    def redact(self, line: bytes) -> bytes:
        """The line with every secret masked."""
        return line if self._pattern is None else self._pattern.sub(MASK, line)

    def safe_cut(self, line: bytes, at: int) -> int:
        """The last place at or before `at` where the line can be cut without cutting a secret in two."""
        if self._pattern is None:
            return at
        # From the beginning, as `redact` does: begun in the middle, a search can take the end of one secret together
        # with the beginning of the next for one.
        for match in self._pattern.finditer(line):
            if match.start() < at < match.end():
                return match.start()
            if match.start() >= at:
                break
        return at


def _lines(secret: str) -> list[str]:
    """Each line of a secret: output is framed by lines."""
    return [line.removesuffix("\r") for line in secret.split("\n")]


def _forms(text: str) -> set[bytes]:
    raw = text.encode()
    escaped = {
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        json.dumps(text)[1:-1].replace("/", "\\/"),
        quote(text, safe=""),
        quote_plus(text),
        _ESCAPED.sub(lambda match: match[0].lower(), quote(text, safe="")),
    }
    forms = {raw, *(form.encode() for form in escaped)}
    for shift, start in ((0, 0), (1, 2), (2, 3)):
        # Base64 of a longer text holds the secret at one of three alignments; only the characters that the secret
        # alone decides are the same whatever stands around it.
        end = (shift + len(raw)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            core = encode(b"\0" * shift + raw)[start:end]
            if len(core) >= SHORTEST:
                forms.add(core)
    return forms
