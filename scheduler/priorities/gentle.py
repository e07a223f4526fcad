"""Going through much at once in a thread beside the event loop, without taking the interpreter from the tick.

The interpreter runs one thread at a time: ten thousand rows in one go would make a tick take twice as long. A pause
every hundred rows costs the tracker some two seconds in a minute, and the tick little.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

ROWS_AT_ONCE = 100
"""Rows between two pauses: about two milliseconds of work."""

PAUSE_S = 0.006

Row = TypeVar("Row")
_never = threading.Event()


def gently(rows: Iterable[Row]) -> Iterator[Row]:
    """The same rows, with a pause after every few; only for threads that nobody waits for."""
    for number, row in enumerate(rows, 1):
        yield row
        if number % ROWS_AT_ONCE == 0:
            _never.wait(PAUSE_S)
