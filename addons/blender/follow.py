# SPDX-License-Identifier: GPL-3.0-or-later
"""The one timer of the add-on: moves what is going on along, and has the panel drawn anew when something has changed.

A tick takes at most 2 ms of the main thread's own time, which is kept in `measured`; only the tick in which the writing
of a copy begins takes as long as Blender does, and stands in `measured.saving_s` instead. In background mode there are
no timers.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any

import bpy

from . import session, showing

BUDGET_S = 0.0014
"""Time for reading the scene in one tick; the rest of the tick fits into what is left of 2 ms."""

BUSY_S, QUIET_S = 0.0, 0.25
"""Pause until the next tick while something moves, and otherwise."""


class Measured:
    """The main thread's time, in seconds: the slowest tick since the start, the slowest beginning of a copy."""

    slowest_tick_s = saving_s = 0.0


measured = Measured()


def start() -> None:
    """Start the timer, where there are windows."""
    measured.slowest_tick_s = measured.saving_s = 0.0
    if not bpy.app.background:
        bpy.app.timers.register(tick, first_interval=0.1, persistent=True)


def stop() -> None:
    """Stop the timer."""
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)


def tick() -> float | None:
    """One turn; returns the pause until the next, None: the add-on is off."""
    try:
        here = session.current()
    except RuntimeError:
        return None
    began_s = time.thread_time()
    flow = here.flow or here.check
    saving = flow is not None and flow.phase == "saving"
    moving = here.advance(BUDGET_S)
    if here.has_news():
        redraw()
    showing.open_fetched(here)
    took_s = time.thread_time() - began_s
    if saving:
        measured.saving_s = max(measured.saving_s, took_s)
    else:
        measured.slowest_tick_s = max(measured.slowest_tick_s, took_s)
    return BUSY_S if moving else QUIET_S


def redraw() -> None:
    """Have every properties editor drawn anew."""
    for area in _areas("PROPERTIES"):
        with contextlib.suppress(ReferenceError):
            area.tag_redraw()


def _areas(kind: str) -> list[Any]:
    return [area for window in bpy.context.window_manager.windows for area in window.screen.areas if area.type == kind]
