# SPDX-License-Identifier: GPL-3.0-or-later
"""Outfield for Blender: one panel in the Render properties, one operator, one Python call.

    import outfield
    outfield.submit(bpy.context.scene, frames="1-100x2", priority=70)

The same sources are a legacy add-on (3.4 and later, `bl_info`) and an extension (4.2 and later,
`blender_manifest.toml`), where the module is called `bl_ext.REPOSITORY.outfield` and `outfield` is another name for it.
This module owns registering and taking everything back; what it registers stands in the modules' `CLASSES`.
"""

from __future__ import annotations

import sys

import bpy

from . import fixes, follow, jobs_panel, operators, panel, preferences, properties, session
from .outfield_core.texts import catalogue
from .submission import Submitted, submit

bl_info = {
    "name": "Outfield",
    "author": "The Outfield authors",
    "version": (0, 1, 0),
    "blender": (3, 4, 0),
    "location": "Properties > Render > Outfield",
    "description": "Render on the farm from the Render properties",
    "category": "Render",
}

__all__ = ["Submitted", "register", "submit", "unregister"]

ALIAS = "outfield"
MODULES = (preferences, properties, operators, fixes, panel, jobs_panel)


LOCALES = {"de": ("de_DE", "de"), "fr": ("fr_FR", "fr"), "ja": ("ja_JP", "ja")}
"""Blender's names of our languages, before and since 4.5."""


def _translations() -> dict[str, dict[tuple[str, str], str]]:
    """The catalogues in Blender's form, for what Blender draws by itself: names of settings, choices, buttons."""
    made = {}
    for code, locales in LOCALES.items():
        texts = catalogue(code)
        for locale in locales:
            made[locale] = {(context, text): said for text, said in texts.items() for context in ("*", "Operator")}
    return made


def register() -> None:
    """Make everything known to Blender, and send what earlier sessions have kept."""
    for module in MODULES:
        for cls in module.CLASSES:
            bpy.utils.register_class(cls)
    bpy.types.Scene.outfield = bpy.props.PointerProperty(type=properties.OutfieldSettings)
    bpy.app.translations.register(__name__, _translations())
    sys.modules.setdefault(ALIAS, sys.modules[__name__])
    session.start()
    follow.start()


def unregister() -> None:
    """Leave nothing behind: no class, property, timer, thread, handler or module's other name."""
    follow.stop()
    session.stop()
    bpy.app.translations.unregister(__name__)
    if __name__ != ALIAS and sys.modules.get(ALIAS) is sys.modules.get(__name__):
        del sys.modules[ALIAS]
    if hasattr(bpy.types.Scene, "outfield"):
        del bpy.types.Scene.outfield
    for module in reversed(MODULES):
        for cls in reversed(module.CLASSES):
            bpy.utils.unregister_class(cls)
