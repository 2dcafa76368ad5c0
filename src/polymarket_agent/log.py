"""Logging: events, not prose, to standard error. The core does not log; it returns."""

from __future__ import annotations

import logging
import sys

import structlog

__all__ = ["LEVELS", "configure", "get"]

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}


def configure(level: str = "warning", *, as_json: bool | None = None) -> None:
    """Set up logging once, at the edge. JSON lines unless standard error is a terminal."""
    json_lines = not sys.stderr.isatty() if as_json is None else as_json
    renderer = structlog.processors.JSONRenderer() if json_lines else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=_to_standard_error,
        cache_logger_on_first_use=False,
    )


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """Return a logger that names its module. Who has configured nothing hears warnings, on standard error."""
    if not structlog.is_configured():
        configure()
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(module=name)
    return logger


def _to_standard_error(*names: str) -> structlog.PrintLogger:
    """Look standard error up at each line: it may have been replaced since."""
    del names
    return structlog.PrintLogger(sys.stderr)
