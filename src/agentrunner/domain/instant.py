"""Instants are integers, milliseconds since 1970 UTC; on the wire RFC 3339 UTC with milliseconds."""

from datetime import UTC, datetime
from functools import lru_cache

MAX_INSTANT = 253_402_300_799_999
"""The last millisecond of the year 9999: what RFC 3339 can write."""


def rfc3339(ms: int) -> str:
    """`1763690400123` -> `2025-11-21T02:00:00.123Z`."""
    seconds, rest = divmod(ms, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


# Neighbouring events and runs share their seconds, and writing one costs twenty times as much as finding it.
@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def optional_rfc3339(ms: int | None) -> str | None:
    """The same, None for None."""
    return None if ms is None else rfc3339(ms)


def parse_rfc3339(text: str) -> int:
    """The inverse; any offset is accepted, none means UTC. Raises ValueError."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return round(value.timestamp() * 1000)
