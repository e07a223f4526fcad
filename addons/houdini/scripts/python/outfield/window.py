# SPDX-License-Identifier: Apache-2.0
"""The panel inside Houdini: a pane of its own (`outfield.pypanel`), or a window from the shelf."""

from __future__ import annotations

from typing import Any

import hou

from .desk import desk
from .outfield_qt import window
from .outfield_qt.panel import Panel


def new_panel() -> Any:
    """For a pane."""
    return Panel(desk)


def show() -> Any:
    """As a window above Houdini's own."""
    return window.show(desk, hou.qt.mainWindow())
