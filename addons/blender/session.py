# SPDX-License-Identifier: GPL-3.0-or-later
"""What lives as long as the add-on is on: the spool, the hashes, the thread that sends.

Everything that touches `bpy` happens on the main thread; threads get plain values (`_address`).
"""

from __future__ import annotations

import os
from typing import Any

import bpy

from . import preferences
from .outfield_core.client import Client
from .outfield_core.errors import FarmError
from .outfield_core.hashing import HashCache
from .outfield_core.sender import Sender
from .outfield_core.spool import Spool, user_folder
from .outfield_core.texts import set_language

FINISH_S = 30.0
"""How long a background Blender waits at its end for what is being sent."""


class Session:
    """One start of the add-on."""

    def __init__(self) -> None:
        folder = user_folder(dict(os.environ))
        self.folder = folder
        self.spool = Spool(folder)
        self.cache = HashCache(os.path.join(folder, "hashes.json"))
        self.sender = Sender(self.spool, self.cache, self.client)
        self._client: Client | None = None
        self._may_connect = False

    def look(self) -> None:
        """Take over the preferences. On the main thread."""
        set_language(os.environ.get("OUTFIELD_LANGUAGE") or _interface_language())
        self._may_connect = preferences.may_connect()
        try:
            self._client = preferences.new_client()
        except FarmError:
            self._client = None

    def client(self) -> Client | None:
        """A client, from any thread; None: there is no usable address, or Blender is to stay off the network."""
        return self._client if self._may_connect else None


_current: list[Session] = []


def current() -> Session:
    """The session.

    Raises:
        RuntimeError: the add-on is switched off.
    """
    if not _current:
        raise RuntimeError("The add-on Outfield is not switched on.")
    return _current[0]


def start() -> None:
    """Sweep what died earlier, and send what was kept."""
    made = Session()
    _current.append(made)
    try:
        made.spool.sweep()
    except OSError as error:
        print(f"outfield: the spool {made.folder} cannot be swept: {error}")
    made.look()
    if made.spool.waiting():
        made.sender.start()


def stop() -> None:
    """End the thread. In background mode what is being sent may finish; in the window it stays for the next start."""
    if not _current:
        return
    ended = _current.pop()
    if bpy.app.background:
        ended.sender.idle(FINISH_S)
    ended.sender.stop()


def _interface_language() -> str:
    view: Any = bpy.context.preferences.view
    return str(getattr(view, "language", "en")) if getattr(view, "use_translate_interface", True) else "en"
