# SPDX-License-Identifier: Apache-2.0
"""The panel as a window of its own, above the program's."""

from __future__ import annotations

from typing import Any, List

from .binding import QtCore
from .desk import Desk
from .panel import Panel

WIDTH_PX, HEIGHT_PX = 420, 800
_window: List[Any] = []


def show(desk: Desk, parent: Any) -> Any:
    """Open it; one that is open already is closed."""
    close()
    panel = Panel(desk, parent)
    panel.setWindowFlags(QtCore.Qt.Window)
    panel.setAttribute(QtCore.Qt.WA_DeleteOnClose)
    panel.resize(WIDTH_PX, HEIGHT_PX)
    panel.show()
    _window.append(panel)
    return panel


def close() -> None:
    """Close it, if it is open."""
    while _window:
        try:
            _window.pop().close()
        except RuntimeError:  # the artist has closed it, and Qt deleted it
            continue
