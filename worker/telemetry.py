"""How the worker speaks to whoever runs it: events with ids as structlog lines on stderr. Nothing of a task's own log.

JSON when stderr is not a terminal, aligned columns when it is. Secrets never reach a line: leases are named by task
and attempt.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any, cast

import structlog


def configure_logging(level: int = logging.INFO) -> None:
    """Route structlog to stderr; called once, by the program that runs the worker."""
    renderer: Any = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer(sort_keys=True)
    )
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


def logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose lines carry the module's name as `room`."""
    return cast(structlog.typing.FilteringBoundLogger, structlog.get_logger(room=name))


def plain_text(text: str, characters_max: int) -> str:
    """Text that travels and can be stored: no NUL, nothing that is not Unicode, at most so long.

    A renderer's output may hold anything, and one bad character would make the scheduler refuse a whole sync.
    """
    return text[:characters_max].replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


class ProgressBoard:
    """The latest progress of each running attempt: many writers, read when a sync is composed. Values coalesce."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: dict[object, tuple[float, str]] = {}

    def put(self, ref: object, progress: float, note: str) -> None:
        """Remember how far an attempt is; progress outside [0, 1] is clamped."""
        with self._lock:
            self._latest[ref] = (min(1.0, max(0.0, progress)), plain_text(note, NOTE_MAX))

    def get(self, ref: object) -> tuple[float, str]:
        """Progress in [0, 1] and note; (0, "") when nothing was said yet."""
        with self._lock:
            return self._latest.get(ref, (0.0, ""))

    def drop(self, ref: object) -> None:
        """The attempt has ended."""
        with self._lock:
            self._latest.pop(ref, None)


NOTE_MAX = 200
"""Characters of a progress note that travel with each sync."""
