# SPDX-License-Identifier: Apache-2.0
"""Qt as the program has it."""

from __future__ import annotations

from typing import Any

QtCore: Any
QtGui: Any
QtWidgets: Any
try:
    from PySide6 import QtCore, QtGui, QtWidgets
except ImportError:  # Houdini before 20.5 and Nuke before 16
    from PySide2 import QtCore, QtGui, QtWidgets

__all__ = ["QtCore", "QtGui", "QtWidgets"]
