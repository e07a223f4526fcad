# SPDX-License-Identifier: Apache-2.0
"""The few rows that the panel is made of; each adds itself to a layout."""

from __future__ import annotations

import os
from typing import Any, Callable, List, Optional, Sequence, Tuple

from .binding import QtCore, QtGui, QtWidgets

TITLE_PX, PICTURE_PX = 110, 90
COLOURS = {"error": "#8c3333", "warning": "#7a6126", "note": "#40505c"}


def empty(layout: Any) -> None:
    """Remove everything in a layout."""
    while layout.count():
        item = layout.takeAt(0)
        widget, inner = item.widget(), item.layout()
        if widget is not None:
            widget.setParent(None)
            widget.deleteLater()
        elif inner is not None:
            empty(inner)


def line(layout: Any, text: str, severity: str = "") -> Any:
    """A sentence over as many lines as it takes."""
    label = QtWidgets.QLabel(text)
    label.setTextFormat(QtCore.Qt.PlainText)  # a file's name is no markup
    label.setWordWrap(True)
    if severity:
        label.setStyleSheet("background: {}; color: white; padding: 3px".format(COLOURS[severity]))
    layout.addWidget(label, 1)
    return label


def line_with_button(layout: Any, text: str, label: str, call: Callable[[], Any], severity: str = "") -> None:
    """A sentence and what can be done about it."""
    row = QtWidgets.QHBoxLayout()
    line(row, text, severity)
    button(row, label, call)
    layout.addLayout(row)


def button(layout: Any, label: str, call: Callable[[], Any]) -> Any:
    """A button."""
    made = QtWidgets.QPushButton(label)
    made.clicked.connect(lambda *_: call())
    layout.addWidget(made)
    return made


def text_field(
    layout: Any, title: str, text: str, changed: Callable[[str], Any], *, help_text: str = "", secret: bool = False
) -> None:
    """A line of text; told when it is left or Return is pressed."""
    field = QtWidgets.QLineEdit(text)
    if secret:
        field.setEchoMode(QtWidgets.QLineEdit.Password)
    field.editingFinished.connect(lambda: changed(field.text()))
    _titled(layout, title, field, help_text)


def number_field(layout: Any, title: str, number: int, bounds: Tuple[int, int], changed: Callable[[int], Any]) -> None:
    """A whole number."""
    field = QtWidgets.QSpinBox()
    field.setRange(*bounds)
    field.setValue(number)
    field.setKeyboardTracking(False)
    field.valueChanged.connect(lambda value: changed(int(value)))
    _titled(layout, title, field)


def check_box(layout: Any, title: str, on: bool, changed: Callable[[bool], Any]) -> None:
    """Yes or no."""
    box = QtWidgets.QCheckBox(title)
    box.setChecked(on)
    box.toggled.connect(lambda value: changed(bool(value)))
    layout.addWidget(box)


def choice(layout: Any, title: str, labels: Sequence[str], chosen: int, changed: Callable[[int], Any]) -> None:
    """One of several."""
    box = QtWidgets.QComboBox()
    box.addItems(list(labels))
    box.setCurrentIndex(chosen)
    box.activated.connect(lambda at: changed(int(at)))
    _titled(layout, title, box)


def bar(layout: Any, fraction: float) -> None:
    """How far it is."""
    made = QtWidgets.QProgressBar()
    made.setRange(0, 100)
    made.setValue(int(fraction * 100))
    made.setTextVisible(False)
    made.setMaximumHeight(10)
    layout.addWidget(made)


def picture(layout: Any, path: str) -> None:
    """A small picture, where there is one."""
    pixels: Optional[Any] = QtGui.QPixmap(path) if path and os.path.isfile(path) else None
    if pixels is not None and not pixels.isNull():
        label = QtWidgets.QLabel()
        label.setPixmap(pixels.scaledToHeight(PICTURE_PX, QtCore.Qt.SmoothTransformation))
        layout.addWidget(label)


def frame(layout: Any, title: str, opened: bool, changed: Callable[[bool], Any]) -> Any:
    """A part that can be folded; returns the layout inside."""
    head = QtWidgets.QToolButton()
    head.setText(title)
    head.setCheckable(True)
    head.setChecked(opened)
    head.setAutoRaise(True)
    head.setToolButtonStyle(QtCore.Qt.ToolButtonTextBesideIcon)
    head.setArrowType(QtCore.Qt.DownArrow if opened else QtCore.Qt.RightArrow)
    body = QtWidgets.QWidget()
    inner = QtWidgets.QVBoxLayout(body)
    inner.setContentsMargins(12, 0, 0, 0)
    body.setVisible(opened)

    def toggle(on: bool) -> None:
        head.setArrowType(QtCore.Qt.DownArrow if on else QtCore.Qt.RightArrow)
        body.setVisible(on)
        changed(on)

    head.toggled.connect(toggle)
    layout.addWidget(head)
    layout.addWidget(body)
    return inner


def values_and_labels(choices: Sequence[Sequence[Any]]) -> Tuple[List[Any], List[str]]:
    """Of choices as `outfield_core.choices` has them."""
    return [each[0] for each in choices], [str(each[1]) for each in choices]


def _titled(layout: Any, title: str, field: Any, help_text: str = "") -> None:
    row = QtWidgets.QHBoxLayout()
    label = QtWidgets.QLabel(title)
    label.setFixedWidth(TITLE_PX)
    field.setToolTip(help_text)
    field.setObjectName(title)
    row.addWidget(label)
    row.addWidget(field, 1)
    layout.addLayout(row)
