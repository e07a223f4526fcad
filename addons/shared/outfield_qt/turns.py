# SPDX-License-Identifier: Apache-2.0
"""The turns of the session, by a timer of Qt's on the program's main thread; it goes on when a panel is closed."""

from __future__ import annotations

from typing import Any, List

from ..outfield_core.host import MOVING_S, QUIET_S
from .binding import QtCore
from .desk import Desk

_timers: List[Any] = []


def start(desk: Desk) -> None:
    """Follow the farm, send what was kept, and take turns from now on; once."""
    desk.here.open()
    if _timers:
        return
    timer = QtCore.QTimer(QtCore.QCoreApplication.instance())
    timer.timeout.connect(lambda: _turn(desk, timer))
    timer.start(int(MOVING_S * 1000))
    _timers.append(timer)


def stop() -> None:
    """No more turns."""
    while _timers:
        _timers.pop().stop()


def _turn(desk: Desk, timer: Any) -> None:
    here = desk.here
    here.turn()
    pause_s = MOVING_S if here.moves else QUIET_S
    if timer.interval() != int(pause_s * 1000):
        timer.setInterval(int(pause_s * 1000))
