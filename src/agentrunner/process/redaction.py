"""Redaction: known secrets in raw lines become `***`, in the forms in which programs print them.

Works on whole lines before any parser sees them; offsets stay those of the raw spool. A secret is known in these forms:
as it is; JSON-escaped up to three times over (a tool's answer within an agent's message within a log), with and without
escapes for what is beyond ASCII, for `/` and for what HTML forbids; as a literal of Python, C and the shell (`repr`,
`$'…'`, `printf %q`, quotes closed and opened around a quote), doubled quotes of SQL, YAML and CSV; in URLs and forms,
upper and lower case; in HTML and XML; in hexadecimal, plain, with separators and as `\\x…`; in octal; in
UTF-16; in base32 and base64, standard and URL-safe, at every alignment within a longer text, and by itself in lines of
64 and 76 characters. What a program compresses, encrypts, reverses or splits on purpose is not found.
"""

import base64
import html
import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, product
from urllib.parse import quote, quote_plus

from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

MASK = b"***"
SHORTEST = 8
"""A shorter secret would mask ordinary text."""
_ESCAPED = re.compile("%[0-9A-F]{2}")
_UNICODE = re.compile(r"\\u[0-9a-f]{4}")
_PRINTF = re.compile(r"([^\w@%+=:,./-])", re.ASCII)
_NESTING = 3
_LONG = 8192
"""Bytes of a line of a secret beyond which only the commonest forms are known: each takes memory of its own."""


class Redactor:
    """Replaces secrets; without any, a line costs nothing. `ignored` counts those that were too short.

    Text is looked through once for all forms together: a million lines take a fraction of a second.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {secret for secret in secrets if secret}
        usable = {line for secret in known for line in _lines(secret) if len(line.encode()) >= SHORTEST}
        self.ignored = sum(1 for secret in known if len(secret.encode()) < SHORTEST)
        forms = sorted({form for text in usable for form in _forms(text)} | set(_wrapped(known)))
        self._forms = _searcher(forms) if forms else None

    def redact(self, text: bytes) -> bytes:
        """The text, whole lines, with every secret masked."""
        if self._forms is None or not (matches := self._forms.find_matches_as_indexes(text)):
            return text
        kept: list[bytes] = []
        read = 0
        for _, start, end in matches:
            kept += (text[read:start], MASK)
            read = end
        return b"".join((*kept, text[read:]))

    def safe_cut(self, line: bytes, at: int) -> int:
        """The last place at or before `at` where the line can be cut without cutting a secret in two."""
        if self._forms is None:
            return at
        # From the beginning, as `redact` does: begun in the middle, a search can take the end of one secret together
        # with the beginning of the next for one.
        for _, start, end in self._forms.find_matches_as_indexes(line):
            if start < at < end:
                return start
            if start >= at:
                break
        return at


def _searcher(forms: list[bytes]) -> BytesAhoCorasick:
    # A thousand agents may have secrets each: the others take megabytes to be no more than twice as fast.
    return BytesAhoCorasick(forms, MatchKind.LeftmostLongest, Implementation.ContiguousNFA)


def _lines(secret: str) -> list[str]:
    """Each line of a secret: output is framed by lines."""
    return [line.removesuffix("\r") for line in secret.split("\n")]


def _forms(text: str) -> set[bytes]:
    raw = text.encode()
    found = {raw, _ascii(text).encode(), _unicode(text).encode(), quote(text, safe="").encode(), *_aligned(raw)}
    if len(raw) <= _LONG:
        written = chain(_json(text), _literals(text), _markup(text), _urls(text))
        found = {*found, *(form.encode() for form in written), *_bytes(raw)}
    return {form for form in found if len(form) >= SHORTEST}


def _json(text: str) -> Iterator[str]:
    """As the inside of a JSON text, and that within others; each writer escapes in its own way."""
    found = {text}
    for _ in range(_NESTING):
        found = {escape(form) for escape, form in product(_JSON_WRITERS, found)}
        yield from found


def _ascii(text: str) -> str:
    return json.dumps(text)[1:-1]


def _unicode(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _web_safe(text: str) -> str:
    """As Go and the frameworks of the web write it."""
    for sign in "<>&'":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


_JSON_WRITERS: tuple[Callable[[str], str], ...] = (
    _ascii,
    _unicode,
    lambda text: _ascii(text).replace("/", "\\/"),
    lambda text: _unicode(text).replace("/", "\\/"),
    lambda text: _web_safe(_unicode(text)),
    lambda text: _UNICODE.sub(lambda match: "\\u" + match[0][2:].upper(), _ascii(text)),
)


def _literals(text: str) -> Iterator[str]:
    """As a literal of a programming language or a shell."""
    yield repr(text)[1:-1]
    yield ascii(text)[1:-1]
    yield repr(text.encode())[2:-1]
    octal = "".join(chr(byte) if byte < 128 else f"\\{byte:03o}" for byte in text.encode())
    for form in (text, octal):
        yield form.replace("\\", "\\\\") if form is text else form
        yield form.replace("'", "\\'")
        yield form.replace('"', '\\"')
    yield text.replace("\\", "\\\\").replace("'", "\\'")
    yield shlex.quote(text).strip("'")
    yield text.replace("'", "'\\''")
    yield re.sub(r'([\\"$`])', r"\\\1", text)
    yield _PRINTF.sub(r"\\\1", text)
    yield text.replace("'", "''")
    yield text.replace('"', '""')


def _markup(text: str) -> Iterator[str]:
    """In HTML and XML."""
    escaped = html.escape(text)
    yield escaped
    yield html.escape(text, quote=False)
    yield escaped.replace("&#x27;", "&#39;")
    yield escaped.replace("&#x27;", "&apos;")
    yield escaped.replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
    yield "".join(sign if ord(sign) < 128 else f"&#{ord(sign)};" for sign in escaped)


def _urls(text: str) -> Iterator[str]:
    """In URLs and forms."""
    # The signs that the writers leave as they are: none, Python's, JavaScript's encodeURIComponent and encodeURI.
    for safe in ("", "/", "!'()*~", "!'()*~;/?:@&=+$,#"):
        form = quote(text, safe=safe)
        yield form
        yield _ESCAPED.sub(lambda match: match[0].lower(), form)
    form = quote_plus(text)
    yield form
    yield _ESCAPED.sub(lambda match: match[0].lower(), form)
    yield quote_plus(text, safe="*").replace("~", "%7E")


def _bytes(raw: bytes) -> Iterator[bytes]:
    """Byte by byte, in other bases and other encodings."""
    for pattern in ("%02x", "%02X"):
        each = [(pattern % byte).encode() for byte in raw]
        yield from (separator.join(each) for separator in (b"", b":", b" ", b"-"))
        yield b"".join(b"\\x" + pair for pair in each)
    for shift in range(5):
        coded = base64.b32encode(b"\0" * shift + raw)
        yield coded[(shift * 8 + 4) // 5 : (shift + len(raw)) * 8 // 5]
    text = raw.decode()
    yield text.encode("utf-16-le")
    yield text.encode("utf-16-be")


def _aligned(raw: bytes) -> Iterator[bytes]:
    """Base64 of a longer text holds the secret at one of three alignments; only the characters that the secret alone
    decides are the same whatever stands around it."""
    for shift, start in ((0, 0), (1, 2), (2, 3)):
        end = (shift + len(raw)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"\0" * shift + raw)[start:end]


def _wrapped(secrets: Iterable[str]) -> Iterator[bytes]:
    """Base64 of a whole secret in lines, as mail and PEM have them."""
    for secret in secrets:
        for encode, width in product((base64.b64encode, base64.urlsafe_b64encode), (64, 76)):
            coded = encode(secret.encode())
            lines = (coded[at : at + width].rstrip(b"=") for at in range(0, len(coded), width))
            yield from (line for line in lines if len(coded) > width and len(line) >= SHORTEST)
