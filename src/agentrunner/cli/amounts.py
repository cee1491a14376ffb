"""Amounts as people read them: durations, ages, tokens, money. Pure."""

from agentrunner.domain.instant import parse_rfc3339
from agentrunner.domain.run import Usage


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`, `4 d 02 h`."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600:02d} h"


def between(start: str | None, end: str | None, now_ms: int) -> str:
    """How long from an instant on the wire to another, or until now; empty where it has not begun."""
    if start is None:
        return ""
    until = now_ms if end is None else parse_rfc3339(end)
    return duration((until - parse_rfc3339(start)) / 1000)


def tokens(usage: Usage) -> str:
    """`1,234 in (1,000 cached), 56 out`; empty where nothing was used."""
    cached = usage.cache_read_tokens + usage.cache_write_tokens
    if not cached and not usage.input_tokens and not usage.output_tokens:
        return ""
    aside = f" ({cached:,} cached)" if cached else ""
    return f"{usage.input_tokens + cached:,} in{aside}, {usage.output_tokens:,} out"


def memory(count: int) -> str:
    """`512 KiB`, `45 MiB`, `1.5 GiB`."""
    if count < 1 << 20:
        return f"{count / 1024:.0f} KiB"
    return f"{count / (1 << 20):.0f} MiB" if count < 1 << 30 else f"{count / (1 << 30):.1f} GiB"


def money(usd: float | None) -> str:
    """`$0.0123`, `$12.30`; empty for None."""
    if usd is None:
        return ""
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.4f}"
