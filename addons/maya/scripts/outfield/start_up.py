# SPDX-License-Identifier: Apache-2.0
"""On and off: the plug-in is loaded, the menu and the shelf button appear; and disappear again."""

from __future__ import annotations

from typing import Optional

from maya import cmds, mel

from . import session
from .outfield_core.texts import tr

PLUGIN = "outfield_maya"
MENU = "OutfieldMenu"
BUTTON_TAG = "outfield"
ICON = "render.png"  # Maya's own
OPEN = "import outfield.panel; outfield.panel.show()"
SUBMIT = "import outfield.panel; outfield.panel.show(); outfield.panel.submit()"


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
    for button in _buttons():
        cmds.deleteUI(button)


def add_menu() -> None:
    """The menu in Maya's main window."""
    if cmds.menu(MENU, exists=True):
        cmds.deleteUI(MENU)
    window = mel.eval("$outfieldWindow = $gMainWindow")
    cmds.menu(MENU, label="Outfield", parent=window, tearOff=True)
    cmds.menuItem(label=tr("Render on farm") + "…", command=OPEN, parent=MENU)
    cmds.menuItem(label=tr("My jobs on the farm"), command=OPEN, parent=MENU)


def add_button() -> None:
    """The button on the shelf that is open, if none of its buttons is ours already."""
    shelf = _shelf()
    if shelf is not None and not _buttons():
        cmds.shelfButton(
            label="Outfield", annotation=tr("Render on farm"), image1=ICON, command=OPEN, sourceType="python",
            docTag=BUTTON_TAG, parent=shelf,
        )  # fmt: skip


def _shelf() -> Optional[str]:
    """The shelf that is open; None: shelves are hidden."""
    tabs = mel.eval("$outfieldShelf = $gShelfTopLevel")
    if not tabs or not cmds.tabLayout(tabs, exists=True):
        return None
    chosen = cmds.tabLayout(tabs, query=True, selectTab=True)
    return "{}|{}".format(tabs, chosen) if chosen else None


def _buttons() -> list[str]:
    """Ours on the shelf that is open."""
    shelf = _shelf()
    names = (cmds.shelfLayout(shelf, query=True, childArray=True) or []) if shelf else []
    paths = ["{}|{}".format(shelf, name) for name in names]
    return [
        path
        for path in paths
        if cmds.shelfButton(path, exists=True) and cmds.shelfButton(path, query=True, docTag=True) == BUTTON_TAG
    ]
