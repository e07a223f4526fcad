"""Waiting for what nothing announces: on a short beat, for as long as a slow and loaded machine may need."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def pause(seconds: float = 0.1) -> None:
    """Let a little of the real time pass."""
    threading.Event().wait(seconds)


def until(
    look: Callable[[], Found], within_s: float = 60.0, every_s: float = 0.02, tell: Callable[[], object] = str
) -> Found:
    """Look again and again until something is found, and return it; `tell` says how things are if nothing is."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing came of it in {within_s:.0f} s: {found!r} {tell()}"
        pause(every_s)
    return found
