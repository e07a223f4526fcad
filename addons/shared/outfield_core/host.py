# SPDX-License-Identifier: Apache-2.0
"""The port: what an artist's program does for the core. `Host` for the program, `assembly.Assembly` for a submission.

A program besides calls `Session.advance` on its main thread, from a timer of its own or through `Ticks`, and draws.
"""

from __future__ import annotations

import threading
from typing import Any, Callable, Dict, Mapping, Optional, Tuple, Type

from .client import Client

DEFAULT_SERVER = "http://127.0.0.1:8000"
VARIABLES = {"server": "OUTFIELD_SERVER", "token": "OUTFIELD_TOKEN", "ca_file": "OUTFIELD_CA_FILE"}

MOVING_S, QUIET_S = 0.02, 0.5
"""Pause between turns while something moves, and otherwise."""


class Host:
    """One program. Everything is called on its main thread."""

    program = ""
    """As it stands in a sentence."""

    troubles: Tuple[Type[BaseException], ...] = (RuntimeError,)
    """What its own calls raise of a thing that is gone or cannot be written."""

    def language(self) -> str:
        """The code of the language of its windows, e.g. `de_DE`."""
        return "en"

    def preferences(self) -> Dict[str, str]:
        """`server`, `token` and `ca_file` as the artist has set them; "" leaves one to the environment."""
        return {}

    def may_connect(self, server: str) -> bool:
        """Does the program allow the network?"""
        return True


class Connection:
    """Where the farm is and how to be let in. Equal when everything is."""

    def __init__(self, preferences: Mapping[str, str], environment: Mapping[str, str]) -> None:
        """Take the preferences, and the environment for what is not set there."""
        said = {name: preferences.get(name, "").strip() or environment.get(VARIABLES[name], "") for name in VARIABLES}
        self.server = said["server"] or DEFAULT_SERVER
        self.token, self.ca_file = said["token"], said["ca_file"]

    def client(self, timeout_s: Optional[float] = None) -> Client:
        """A client for it.

        Raises:
            Refused: the address is none.
        """
        if timeout_s is None:
            return Client(self.server, self.token, ca_file=self.ca_file)
        return Client(self.server, self.token, ca_file=self.ca_file, timeout_s=timeout_s)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Connection) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


class Ticks:
    """A thread that asks the program for turns on its main thread, never for the next before the last was had."""

    def __init__(
        self, ask: Callable[[Callable[[], None]], Any], turn: Callable[[], None], moves: Callable[[], bool],
        wants: Callable[[], bool],
    ) -> None:  # fmt: skip
        """`ask` has the program make a call; `moves`: is a turn due soon? `wants`: is one of any use?"""
        self._ask, self._own, self._moves, self._wants = ask, turn, moves, wants
        self._stop, self._had = threading.Event(), threading.Event()
        self._had.set()
        self._thread = threading.Thread(target=self._run, name="outfield-ticks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more turns; one that was asked for does nothing."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(MOVING_S if self._moves() else QUIET_S):
            if self._had.is_set() and (self._moves() or self._wants()):
                self._had.clear()
                self._ask(self._turn)

    def _turn(self) -> None:
        try:
            if not self._stop.is_set():
                self._own()
        finally:
            self._had.set()
