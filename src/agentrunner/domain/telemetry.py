"""Telemetry: what programs send as OpenTelemetry, cleaned and bounded, whichever encoding it came in.

Of a resource only an allow-list is kept: programs put their whole command line there, prompt and keys included.
"""

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from agentrunner.domain.instant import MAX_INSTANT

MAX_RECORDS = 10_000
"""How many spans, log records or data points one request may have."""
MAX_ATTRIBUTES = 128
MAX_TEXT = 16_384
"""Characters of one text; a longer one is cut."""
_MAX_NAME = 200
_MAX_ITEMS = 64
_MAX_DEPTH = 4
_MAX_PAYLOAD = 65_536
_SHORT = 256
_RESOURCE = frozenset(
    {
        *("run.id", "session.id", "gen_ai.conversation.id"),
        *("service.name", "service.namespace", "service.version", "deployment.environment"),
        *("deployment.environment.name", "env", "telemetry.sdk.language", "telemetry.sdk.name"),
        *("telemetry.sdk.version", "os.type", "gen_ai.agent.name", "gen_ai.agent.version"),
    }
)
_SECRET = re.compile(
    r"(?i)(authorization|cookie|credentials?|passw(or)?d|secret|(api|access|private)[._-]?key|\btoken)$"
)
_PERSONAL = frozenset(
    {
        *("user.id", "user.email", "user.account_uuid", "user.account_id", "user.name", "enduser.id"),
        *("organization.id", "installation.id"),
    }
)
MASK = "***"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What spans and log records have in common. `nanos` is when it happened (a span: ended), since 1970 UTC.

    Ids are lower-case hexadecimal, empty where there is none.
    """

    resource: dict[str, Any]
    scope: str
    name: str
    nanos: int
    attributes: dict[str, Any]
    trace_id: str
    span_id: str

    @property
    def ts(self) -> int:
        """When it happened, in milliseconds; 0 where it does not say."""
        return min(max(self.nanos // 1_000_000, 0), MAX_INSTANT)

    def text(self, *names: str) -> str:
        """The first of these attributes that there is, its own before the resource's; empty without one."""
        for found in (self.attributes, self.resource):
            for name in names:
                if (value := found.get(name)) not in (None, ""):
                    return printable(value)
        return ""


class LogRecord(Record, frozen=True, kw_only=True):
    """A log record; `severity` is OpenTelemetry's number, 0 where it has none."""

    severity: int = 0
    body: Any = None

    @property
    def identity(self) -> int:
        """A number of 63 bits that the same record always has, and no other."""
        return _digest(
            msgspec.json.encode([self.nanos, self.name, self.trace_id, self.span_id, self.body, self.attributes])
        )


class SpanRecord(Record, frozen=True, kw_only=True):
    """A span that has ended."""

    parent_id: str
    start_nanos: int
    failed: bool
    message: str = ""

    @property
    def identity(self) -> int:
        """A number of 63 bits that the same span always has, and no other."""
        return _digest(f"{self.trace_id}/{self.span_id}".encode())

    @property
    def started(self) -> int:
        """When it began, in milliseconds; never after its end."""
        return min(self.start_nanos // 1_000_000, self.ts) if self.start_nanos > 0 else self.ts


def _digest(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest()) >> 1


def resource_attributes(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The attributes of a resource that are on the allow-list."""
    return attributes((name, value) for name, value in pairs if name in _RESOURCE)


def attributes(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Attributes, the first 128 of them, without who the user is and with what is named like a secret masked."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if len(found) >= MAX_ATTRIBUTES:
            break
        if value is not None and name not in _PERSONAL:
            is_secret = isinstance(value, str) and _SECRET.search(name) is not None
            found[name[:_MAX_NAME]] = MASK if is_secret else value
    return found


def bounded(value: Any, depth: int = 0) -> Any:
    """A value that JSON can hold, its texts cut, its lists and maps shortened, its depth limited."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "…"
    if depth >= _MAX_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        items = list(value.items())[:_MAX_ITEMS]
        return {str(name)[:_MAX_NAME]: bounded(each, depth + 1) for name, each in items}
    return [bounded(each, depth + 1) for each in list(value)[:_MAX_ITEMS]]


def payload(content: Mapping[str, Any]) -> msgspec.Raw:
    """An event's payload of at most 64 KiB, more or less: where it would be larger, its long texts are cut shorter."""
    encoded = msgspec.json.encode(content)
    if len(encoded) > _MAX_PAYLOAD:
        encoded = msgspec.json.encode(_shortened({**content, "truncated": True}))
    return msgspec.Raw(encoded)


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _SHORT else value[:_SHORT] + "…"
    if isinstance(value, dict):
        return {name: _shortened(each) for name, each in value.items()}
    return [_shortened(each) for each in value[:8]] if isinstance(value, list) else value


def printable(value: Any) -> str:
    """A short text for a name or an id: without NUL and line ends, at most 200 characters."""
    return " ".join(str(value).replace("\x00", "").split())[:_MAX_NAME]
