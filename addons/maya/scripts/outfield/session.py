# SPDX-License-Identifier: Apache-2.0
"""Maya as the core sees it, and the session's beginning and end; all else of a session is `outfield_core.session`.

Everything that touches Maya happens on the main thread. A small thread asks Maya for a turn there (`executeDeferred`)
while a panel is open or something moves.
"""

from __future__ import annotations

from typing import Any, Dict

from maya import cmds, utils

from . import settings
from .outfield_core import running
from .outfield_core.following import FarmView
from .outfield_core.host import Host
from .outfield_core.session import Session


class MayaHost(Host):
    """What Maya says and raises."""

    program = "Maya"

    def language(self) -> str:
        """The interface's language."""
        return str(cmds.about(uiLanguage=True))

    def preferences(self) -> Dict[str, str]:
        """Those that the panel keeps."""
        return settings.preferences()


def current() -> Session:
    """The session; made for pipelines, which load no plug-in."""
    return running.start(MayaHost())


def is_on() -> bool:
    """Is there a session?"""
    return running.is_on()


def start(*, in_window: bool) -> None:
    """Sweep what died earlier; in a window follow the farm and send what was kept. May be called again."""
    here = current()
    if in_window:
        here.open(lambda turn: utils.executeDeferred(turn))  # noqa: PLW0108 - as Maya has it at that moment


def stop() -> None:
    """End the threads; what is unfinished stays in the spool for the next start."""
    running.stop()
    settings.forget()


def submit() -> None:
    """The panel's button."""
    from .submission import Assembly

    here = current()
    here.begin(lambda: Assembly(here, settings.wishes(), here.follower.view))


def want_check() -> None:
    """The panel is drawn: the scene is looked through again when something has changed."""
    from .submission import Assembly

    here = current()
    if not here.moves:
        here.want_check(signature(here.follower.view), lambda: Assembly(here, settings.wishes(), here.follower.view))


def signature(view: FarmView) -> Any:
    """What a check depends on and can be told at once."""
    from . import scene

    wishes = settings.wishes()
    layers, cameras = scene.layers()[0], scene.cameras()[0]
    told = (scene.path(), scene.engine(), scene.scene_frames(), tuple(layers), tuple(cameras), view.is_live)
    return (*told, tuple((name, str(wishes[name])) for name in sorted(wishes)))
