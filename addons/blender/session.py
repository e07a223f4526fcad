# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender as the core sees it, and the session's beginning and end; all else of a session is `outfield_core.session`.

Everything that touches `bpy` happens on the main thread; threads are given plain values (`Host`).
"""

from __future__ import annotations

from typing import Any

import bpy

from . import preferences, showing
from .outfield_core import running
from .outfield_core.delivery import FINISH_S
from .outfield_core.host import Host
from .outfield_core.running import current

__all__ = ["BlenderHost", "current", "start", "stop"]


class BlenderHost(Host):
    """What Blender says and raises."""

    program = "Blender"
    troubles = (RuntimeError, ReferenceError)

    def language(self) -> str:
        """The interface's language, where it is translated at all."""
        view: Any = bpy.context.preferences.view
        return str(getattr(view, "language", "en")) if getattr(view, "use_translate_interface", True) else "en"

    def preferences(self) -> dict[str, str]:
        """Those of the add-on."""
        return preferences.said()

    def may_connect(self, server: str) -> bool:
        """Blender's own switch for the network."""
        return preferences.may_connect(server)


def start() -> None:
    """Sweep what died earlier, send what was kept, and where there are windows follow the farm."""
    here = running.start(BlenderHost())
    if not bpy.app.background:
        here.open()
    elif here.spool.waiting():
        here.wake()


def stop() -> None:
    """End the threads. In background mode what is being sent may finish; in the window it stays for the next start."""
    running.stop(FINISH_S if bpy.app.background else 0.0)
    showing.clear()
