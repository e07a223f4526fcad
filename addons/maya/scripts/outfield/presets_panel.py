# SPDX-License-Identifier: Apache-2.0
"""The show's presets: one is taken over by choosing it, and the panel's wishes can be kept as another."""

from __future__ import annotations

from typing import Any

from maya import cmds

from . import session, settings, widgets
from .outfield_core import presets
from .outfield_core.texts import tr

NONE = "–"


def state(here: Any) -> Any:
    """Whose they are and which there are."""
    project = settings.wishes()["project"]
    return (project, presets.names(here.folder, project))


def rows(place: str, here: Any) -> None:
    """The choice and the button."""
    names = presets.names(here.folder, settings.wishes()["project"])
    widgets.choice(place, tr("Presets"), [NONE, *names], 0, lambda at: _apply(names[at - 1]) if at else None)
    widgets.buttons(place, [(tr("Save preset"), _ask_and_save)])


def _apply(name: str) -> None:
    for each, value in presets.wishes_of(session.current().folder, settings.wishes()["project"], name).items():
        settings.wish(each, value)


def _ask_and_save() -> None:
    """Ask for the name; an empty one keeps nothing."""
    save = tr("Save preset")
    pressed = cmds.promptDialog(title=save, message=tr("Name"), button=[save, tr("Cancel")], defaultButton=save)
    name = str(cmds.promptDialog(query=True, text=True)).strip() if pressed == save else ""
    here = session.current()
    if not name:
        return
    try:
        presets.save(here.folder, settings.wishes()["project"], name, settings.wishes())
    except OSError as error:
        here.say(False, tr("The preset cannot be saved: {reason}.", reason=error.strerror or error))
