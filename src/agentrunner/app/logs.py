"""Logs: one JSON object a line on standard error, readable text on a terminal; control characters are escaped."""

import logging
import sys

import structlog

from agentrunner.config import Settings


def configure(settings: Settings, part: str) -> None:
    """Set up the log of this process; `part` is server or worker."""
    level = logging.getLevelNamesMapping().get(str(settings.log_level).upper(), logging.INFO)
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        # Plain: the renderer's own traceback shows local variables, and with them tokens.
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(part=part)
    logging.basicConfig(
        level=max(level, logging.WARNING), stream=sys.stderr, format="%(levelname)s %(name)s %(message)s"
    )
