# SPDX-License-Identifier: Apache-2.0
"""The plug-in by which Maya switches Outfield on and off. It registers no node and no command, so no scene needs it."""

from __future__ import annotations

from typing import Any

from maya.api import OpenMaya

VENDOR = "The Outfield authors"


def maya_useNewAPI() -> None:
    """Tells Maya that this plug-in speaks the Python API 2.0."""


def initializePlugin(plugin: Any) -> None:
    """Menu, shelf button, threads."""
    from outfield import start_up
    from outfield.outfield_core import __version__

    OpenMaya.MFnPlugin(plugin, VENDOR, __version__)
    start_up.switch_on()


def uninitializePlugin(plugin: Any) -> None:
    """Leave nothing behind."""
    from outfield import start_up

    start_up.switch_off()
