# SPDX-License-Identifier: Apache-2.0
"""The panel inside Nuke: a pane of its own, or a window from the menu."""

from __future__ import annotations

from typing import Any

from .desk import desk
from .outfield_qt import window
from .outfield_qt.binding import QtWidgets
from .outfield_qt.panel import Panel


def new_panel() -> Any:
    """For a pane."""
    return Panel(desk)


def show() -> Any:
    """As a window above Nuke's own, which is the one main window that there is."""
    tops = QtWidgets.QApplication.topLevelWidgets()
    return window.show(desk, next((each for each in tops if isinstance(each, QtWidgets.QMainWindow)), None))
