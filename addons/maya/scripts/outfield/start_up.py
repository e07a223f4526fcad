# SPDX-License-Identifier: Apache-2.0
"""On and off: the plug-in is loaded, the menu and the shelf button appear; and disappear again."""

from __future__ import annotations

from typing import Optional

from maya import cmds, mel

from . import session
from .outfield_core.texts import tr

PLUGIN = "outfield_maya"
MENU = "OutfieldMenu"
SHELF = "outfieldShelf"  # the option in which Maya keeps where the button is
ICON = "render.png"  # Maya's own
OPEN = "import outfield.panel; outfield.panel.show()"


def load() -> None:
    """Load the plug-in; called from `userSetup` when Maya has come up. Batch Maya needs none."""
    if not cmds.about(batch=True) and not cmds.pluginInfo(PLUGIN, query=True, loaded=True):
        cmds.loadPlugin(PLUGIN, quiet=True)


def switch_on() -> None:
    """Start; the menu and the button only where there is a window."""
    in_window = not cmds.about(batch=True)
    session.start(in_window=in_window)
    if in_window:
        add_menu()
        add_button()


def switch_off() -> None:
    """Leave nothing behind."""
    session.stop()
    if cmds.about(batch=True):
        return
    from . import panel

    panel.close()
    if cmds.menu(MENU, exists=True):
        cmds.deleteUI(MENU)
    remove_button()


def add_menu() -> None:
    """The menu in Maya's main window."""
    if cmds.menu(MENU, exists=True):
        cmds.deleteUI(MENU)
    window = mel.eval("$outfieldWindow = $gMainWindow")
    cmds.menu(MENU, label="Outfield", parent=window, tearOff=True)
    cmds.menuItem(label=tr("Render on farm") + "…", command=OPEN, parent=MENU)
    cmds.menuItem(label=tr("My jobs on the farm"), command=OPEN, parent=MENU)


def add_button() -> None:
    """The button on the shelf that is open, once: Maya keeps shelves, and the artist may move or remove it."""
    known = cmds.optionVar(query=SHELF) if cmds.optionVar(exists=SHELF) else None
    tabs = _tabs()
    if tabs is None or known in (cmds.tabLayout(tabs, query=True, childArray=True) or []):
        return
    shelf = cmds.tabLayout(tabs, query=True, selectTab=True)
    if shelf:
        cmds.shelfButton(
            label="Outfield", annotation=tr("Render on farm"), image1=ICON, command=OPEN, sourceType="python",
            parent="{}|{}".format(tabs, shelf),
        )  # fmt: skip
        cmds.optionVar(stringValue=(SHELF, str(shelf)))


def remove_button() -> None:
    """Take it from the shelf that it was put on."""
    tabs = _tabs()
    if tabs is None or not cmds.optionVar(exists=SHELF):
        return
    shelf = "{}|{}".format(tabs, cmds.optionVar(query=SHELF))
    names = (cmds.shelfLayout(shelf, query=True, childArray=True) or []) if cmds.shelfLayout(shelf, exists=True) else []
    for path in ["{}|{}".format(shelf, name) for name in names]:
        if cmds.shelfButton(path, exists=True) and cmds.shelfButton(path, query=True, command=True) == OPEN:
            cmds.deleteUI(path)
    cmds.optionVar(remove=SHELF)


def _tabs() -> Optional[str]:
    """Where the shelves are; None: they are hidden."""
    tabs = mel.eval("$outfieldShelf = $gShelfTopLevel")
    return str(tabs) if tabs and cmds.tabLayout(tabs, exists=True) else None
