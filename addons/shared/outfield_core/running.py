# SPDX-License-Identifier: Apache-2.0
"""The one session that an add-on has while it is on."""

from __future__ import annotations

from typing import List

from .host import Host
from .session import Session

_current: List[Session] = []


def current() -> Session:
    """The session.

    Raises:
        RuntimeError: the add-on is switched off.
    """
    if not _current:
        raise RuntimeError("The add-on Outfield is not switched on.")
    return _current[0]


def is_on() -> bool:
    """Is there a session?"""
    return bool(_current)


def start(host: Host) -> Session:
    """The session; a new one first removes what has died earlier and takes over the preferences."""
    if not _current:
        made = Session(host)
        try:
            made.spool.sweep()
        except OSError as error:
            print("outfield: the spool {} cannot be swept: {}".format(made.folder, error))
        _current.append(made)
        made.look()
    return _current[0]


def stop(finish_s: float = 0.0) -> None:
    """End it; what is being sent may finish for so long."""
    if _current:
        _current.pop().close(finish_s)
