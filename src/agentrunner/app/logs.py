"""Logs: one JSON object a line on standard error, readable text on a terminal; control characters are escaped.

Every line has `ts`, `level` and `event`, and `part`; what is about a request has its `request_id`. Lines of other
packages and of Python itself (warnings, an error that ends the process) are no exception. The texts of tokens are
masked wherever they stand. There are no log files of our own that could grow: what reads standard error keeps them.
"""

import contextlib
import io
import logging
import re
import sys
import threading
from types import TracebackType
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, WrappedLogger

from agentrunner.app.log_line import line, masked
from agentrunner.config import Settings

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_TEXT = "%(levelname)s %(name)s %(message)s"


def configure(settings: Settings, part: str, stream: TextIO | None = None) -> None:
    """Set up the log of this process on `stream` (standard error); `part` is server or worker."""
    given = stream or sys.stderr
    # What structlog and logging do with a stream is to write and to flush.
    out = cast(TextIO, _Unfailing(given))
    level = logging.getLevelNamesMapping().get(str(settings.log_level).upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            # Plain: tracebacks that show the values of variables would show secrets.
            structlog.processors.format_exc_info,
            _mask,
            *_rendering(given.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(part=part)
    foreign = logging.StreamHandler(out)
    foreign.setFormatter(_Escaping(_TEXT) if given.isatty() else _AsObject(part))
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[foreign], force=True)


def catch_all() -> None:
    """Log what Python would print by itself: warnings, and errors that nobody caught, in whatever thread."""
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda args: _log_uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def _log_uncaught(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    if error is None or issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    logging.getLogger("agentrunner").critical("ended by an error", exc_info=(kind, error, traceback))


def _mask(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {name: masked(value) if isinstance(value, str) else value for name, value in event.items()}


def _rendering(terminal: bool) -> list[structlog.typing.Processor]:
    if not terminal:
        return [structlog.processors.JSONRenderer()]
    return [_escape, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]


def _escape(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """What an agent or another host wrote must not command the terminal."""
    return {name: value if isinstance(value, int | float) else escaped(str(value)) for name, value in event.items()}


def escaped(text: str) -> str:
    """The text with every control character but tab and newline as `\\xNN`."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


class _Unfailing(io.TextIOBase):
    """A stream that ends nobody: what a full disk does not take of a log is left out, and the process goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with contextlib.suppress(OSError):
            self._stream.flush()


class _Escaping(logging.Formatter):
    """Records of other packages, escaped as ours are."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(escaped(super().format(record)))


class _AsObject(logging.Formatter):
    """Records of other packages as objects like ours; a traceback is a field, not lines."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self._part = part

    def format(self, record: logging.LogRecord) -> str:
        fields = {"logger": record.name}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return line(self._part, record.getMessage(), record.levelname.lower(), **fields)
