"""The add-ons of Houdini and Nuke inside fake programs with a real Qt, which draws without a screen."""

from __future__ import annotations

import importlib
import os
import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components import require

ENDS = {"outfield_qt.turns": "stop", "outfield_qt.window": "close", "outfield_core.running": "stop"}
OURS = ("outfield", "hou", "nuke", "nukescripts")


_application: list[Any] = []


@contextmanager
def running(folder: Path, modules: dict[str, types.ModuleType]) -> Iterator[None]:
    """A program with the add-on on its path; afterwards neither is known any more."""
    sys.modules.update(modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        for name, act in (
            ("outfield_qt.turns", "stop"),
            ("outfield_qt.window", "close"),
            ("outfield_core.running", "stop"),
        ):
            loaded = sys.modules.get(f"outfield.{name}")
            if loaded is not None:
                getattr(loaded, act)()
        delete_what_is_closed()
        sys.path.remove(str(folder))
        for name in [each for each in sys.modules if each.partition(".")[0] in OURS]:
            del sys.modules[name]


def part(name: str) -> Any:
    """A module of the add-on."""
    return importlib.import_module(f"outfield.{name}" if name else "outfield")


def application() -> Any:
    """Qt, without a screen."""
    require("qt")
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6 import QtWidgets

    if not _application:
        _application.append(QtWidgets.QApplication.instance() or QtWidgets.QApplication([]))
    return _application[0]


def delete_what_is_closed() -> None:
    """As Qt does in its own loop, which no test enters."""
    from PySide6 import QtCore

    QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)


def until(panel: Any, condition: Callable[[], Any], within_s: float = 60.0) -> None:
    """Let Qt run until something is so."""
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        application().processEvents()
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError(said(panel))


def said(panel: Any) -> list[str]:
    """Every sentence in the panel."""
    from PySide6 import QtWidgets

    return [label.text() for label in panel.findChildren(QtWidgets.QLabel) if _is_there(label)]


def buttons(panel: Any) -> list[str]:
    """What can be pressed."""
    from PySide6 import QtWidgets

    return [each.text() for each in panel.findChildren(QtWidgets.QPushButton) if _is_there(each)]


def press(panel: Any, label: str) -> None:
    """Press the first button of this label."""
    from PySide6 import QtWidgets

    next(each for each in panel.findChildren(QtWidgets.QPushButton) if each.text() == label and _is_there(each)).click()


def field(panel: Any, title: str) -> Any:
    """The field of this title."""
    from PySide6 import QtWidgets

    return next(each for each in panel.findChildren(QtWidgets.QWidget, title) if _is_there(each))


def type_into(panel: Any, title: str, text: str) -> None:
    """Type and press Return."""
    line = field(panel, title)
    line.setText(text)
    line.editingFinished.emit()


def choose(panel: Any, title: str, label: str) -> None:
    """Choose an entry."""
    box = field(panel, title)
    box.setCurrentIndex(box.findText(label))
    box.activated.emit(box.currentIndex())


def _is_there(widget: Any) -> bool:
    """Not one that is about to be deleted."""
    return widget.window() is not widget
