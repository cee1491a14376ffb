"""Durations as people and programs write them, in milliseconds."""

import math
import re

MAX_DURATION_MS = 100 * 365 * 86_400_000
"""A hundred years: what is longer was not measured."""
_GO_UNITS = {
    "ns": 1e-6,
    "us": 1e-3,
    "µs": 1e-3,
    "μs": 1e-3,
    "ms": 1.0,
    "s": 1e3,
    "m": 60e3,
    "h": 3_600e3,
}
# Bounded numbers keep the match linear and the product finite.
_NUMBER = r"(?:\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})"
_GO_PART = re.compile(rf"({_NUMBER})(ns|us|µs|μs|ms|s|m|h)")
_GO = re.compile(rf"\+?(?:{_NUMBER}(?:ns|us|µs|μs|ms|s|m|h)){{1,20}}")
_ISO = re.compile(
    rf"P(?:({_NUMBER})W)?(?:({_NUMBER})D)?(?:T(?=[\d.])(?:({_NUMBER})H)?(?:({_NUMBER})M)?(?:({_NUMBER})S)?)?"
)
_ISO_UNITS = (7 * 86_400e3, 86_400e3, 3_600e3, 60e3, 1e3)
_PLAIN = re.compile(_NUMBER)


def parse_duration(value: float | str) -> int:
    """Milliseconds of a number of seconds, or of a text: `5m30s` (Go), `PT5M30S` (ISO 8601), `330` (seconds).

    Raises ValueError for anything else: a negative or endless one, a unit that is missing (`5m30`) or unknown.
    """
    ms = _parse_text(value.strip()) if isinstance(value, str) else value * 1e3 if abs(value) < 1e18 else math.inf
    if not 0 <= ms <= MAX_DURATION_MS:
        raise ValueError(f"{str(value)[:40]!r} is not between 0 and 100 years")
    return round(ms)


def _parse_text(text: str) -> float:
    if _PLAIN.fullmatch(text):
        return float(text) * 1e3
    if _GO.fullmatch(text):
        return sum(float(number) * _GO_UNITS[unit] for number, unit in _GO_PART.findall(text))
    iso = _ISO.fullmatch(text)
    if iso is not None and any(iso.groups()):
        return sum(float(number) * unit for number, unit in zip(iso.groups(), _ISO_UNITS, strict=True) if number)
    raise ValueError(f"{text[:40]!r} is not a duration; write 5m30s, PT5M30S or a number of seconds")


def go_duration(ms: int) -> str:
    """Milliseconds as Go writes a duration: `5m30s`, `1h0m3.2s`, `350ms`, `0s`."""
    if ms < 1000:
        return f"{ms}ms" if ms else "0s"
    minutes, rest = divmod(ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, part = divmod(rest, 1000)
    seconds = f"{whole}.{part:03d}".rstrip("0") + "s" if part else f"{whole}s"
    return (f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else "") + seconds
