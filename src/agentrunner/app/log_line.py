"""One line of a log without a logging library, for processes that are to stay small, and what masks tokens in any."""

import json
import re
from datetime import UTC, datetime

_TOKEN = re.compile(r"\bar_[A-Za-z0-9_-]{16,}")


def line(part: str, event: str, level: str = "info", **fields: str) -> str:
    """A JSON object with `ts`, `level`, `event` and `part`, without the texts of tokens and without its line end."""
    ts = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    shown = {name: masked(text) for name, text in {"event": event, **fields}.items()}
    return json.dumps({**shown, "part": part, "level": level, "ts": ts})


def masked(text: str) -> str:
    """The text without the texts of tokens."""
    return _TOKEN.sub("ar_***", text)
