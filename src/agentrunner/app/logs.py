"""Logs: one JSON object a line on standard error, readable text on a terminal; control characters are escaped."""

import logging
import re
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from agentrunner.config import Settings

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_TEXT = "%(levelname)s %(name)s %(message)s"


def configure(settings: Settings, part: str, stream: TextIO | None = None) -> None:
    """Set up the log of this process on `stream` (standard error); `part` is server or worker."""
    stream = stream or sys.stderr
    level = logging.getLevelNamesMapping().get(str(settings.log_level).upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Plain: tracebacks that show the values of variables would show secrets.
            structlog.processors.format_exc_info,
            *_rendering(stream),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(part=part)
    foreign = logging.StreamHandler(stream)
    foreign.setFormatter(_Escaping(_TEXT))
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[foreign], force=True)


def _rendering(stream: TextIO) -> list[structlog.typing.Processor]:
    if not stream.isatty():
        return [structlog.processors.JSONRenderer()]
    return [_escape, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]


def _escape(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """What an agent or another host wrote must not command the terminal."""
    return {name: value if isinstance(value, int | float) else escaped(str(value)) for name, value in event.items()}


def escaped(text: str) -> str:
    """The text with every control character but tab and newline as `\\xNN`."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


class _Escaping(logging.Formatter):
    """Records of other packages, escaped as ours are."""

    def format(self, record: logging.LogRecord) -> str:
        return escaped(super().format(record))
