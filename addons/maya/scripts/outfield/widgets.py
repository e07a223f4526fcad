# SPDX-License-Identifier: Apache-2.0
"""The few rows that the panel is made of, each in a layout that is named: plain `maya.cmds`, no state of its own."""

from __future__ import annotations

import os
from typing import Any, Callable, List, Optional, Tuple

from maya import cmds

TITLE_PX, BUTTON_PX = 120, 110
BAR_STEPS = 100
PICTURE_PX = 90
YES = frozenset({"1", "yes", "true", "on"})

Colour = Tuple[float, float, float]


def empty(place: str) -> None:
    """Remove everything in a layout."""
    children = cmds.columnLayout(place, query=True, childArray=True) or []
    whole = cmds.columnLayout(place, query=True, fullPathName=True)
    for child in children:
        cmds.deleteUI("{}|{}".format(whole, child))


def frame(place: str, name: str, title: str, *, folded: bool = False) -> str:
    """A frame that can be folded; returns the column inside, for a frame holds one thing."""
    outer = cmds.frameLayout(name + "Frame", label=title, collapsable=True, collapse=folded, parent=place)
    return str(cmds.columnLayout(name, adjustableColumn=True, parent=outer))


def line(place: str, text: str, colour: Optional[Colour] = None) -> None:
    """A sentence over as many lines as it takes."""
    if colour is None:
        cmds.text(label=text, align="left", wordWrap=True, parent=place)
    else:
        cmds.text(label=text, align="left", wordWrap=True, backgroundColor=colour, parent=place)


def line_with_button(
    place: str, text: str, label: str, call: Callable[[], Any], colour: Optional[Colour] = None
) -> None:
    """A sentence and what can be done about it."""
    row = cmds.rowLayout(numberOfColumns=2, adjustableColumn=1, columnWidth2=(BUTTON_PX * 2, BUTTON_PX), parent=place)
    line(row, text, colour)
    cmds.button(label=label, width=BUTTON_PX, command=lambda *_: call(), parent=row)


def buttons(place: str, found: List[Tuple[str, Callable[[], Any]]]) -> None:
    """One below another, for their labels are sentences."""
    for label, call in found:
        cmds.button(label=label, command=lambda *_, call=call: call(), parent=place)


def text_field(place: str, title: str, text: str, changed: Callable[[str], Any], help_text: str = "") -> None:
    """A line of text."""
    cmds.textFieldGrp(
        label=title, text=text, annotation=help_text, columnWidth2=(TITLE_PX, TITLE_PX * 2), adjustableColumn=2,
        changeCommand=lambda value, *_: changed(str(value)), parent=place,
    )  # fmt: skip


def number_field(place: str, title: str, number: int, changed: Callable[[int], Any]) -> None:
    """A whole number."""
    cmds.intFieldGrp(
        label=title, numberOfFields=1, value1=number, columnWidth2=(TITLE_PX, TITLE_PX),
        changeCommand=lambda value, *_: changed(int(value)), parent=place,
    )  # fmt: skip


def check_box(place: str, title: str, on: bool, changed: Callable[[bool], Any]) -> None:
    """Yes or no."""
    cmds.checkBoxGrp(
        label=title, numberOfCheckBoxes=1, value1=on, columnWidth2=(TITLE_PX, TITLE_PX),
        changeCommand=lambda value, *_: changed(bool(value)), parent=place,
    )  # fmt: skip


def choice(place: str, title: str, labels: List[str], chosen: int, changed: Callable[[int], Any]) -> None:
    """One of several. Maya tells the label, which two choices may share, so the place is asked for."""
    menus: List[str] = []

    def tell(*_: Any) -> None:
        changed(int(cmds.optionMenuGrp(menus[0], query=True, select=True)) - 1)

    menus.append(
        str(cmds.optionMenuGrp(label=title, columnWidth2=(TITLE_PX, TITLE_PX * 2), changeCommand=tell, parent=place))
    )
    for label in labels:
        cmds.menuItem(label=label, parent=menus[0] + "|OptionMenu")
    cmds.optionMenuGrp(menus[0], edit=True, select=chosen + 1)


def bar(place: str, fraction: float) -> None:
    """How far it is."""
    cmds.progressBar(maxValue=BAR_STEPS, progress=int(fraction * BAR_STEPS), height=10, parent=place)


def picture(place: str, path: str) -> None:
    """A small picture, where there is one."""
    if path and os.path.isfile(path):
        cmds.image(image=path, height=PICTURE_PX, parent=place)


def truth(text: str) -> bool:
    """A yes or no as it is typed."""
    return text.strip().lower() in YES
