"""Log lines are events with ids: `lease.expired task=12 attempt=2 worker=w1`; JSON where nobody is looking."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog


def set_up_logging(*, stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Log to `stream` (standard error by default): coloured lines on a terminal, JSON lines elsewhere."""
    target = stream or sys.stderr
    renderer = structlog.dev.ConsoleRenderer() if target.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(stream=target, level=max(level, logging.WARNING), format="%(name)s %(levelname)s %(message)s")
