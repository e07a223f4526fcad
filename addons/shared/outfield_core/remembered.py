# SPDX-License-Identifier: Apache-2.0
"""Wishes and the farm's address of one program, in a file of the user's own beside the spool.

For programs whose own preferences an add-on cannot write to. What belongs to one scene is forgotten at the end.
"""

from __future__ import annotations

import os
from typing import Any, Dict, Iterable

from .disk import read_json, write_json

CONNECTION = ("server", "token", "ca_file")


class Remembered:
    """Read when it is first asked, written with each change; a file that cannot be written costs the memory only."""

    def __init__(self, path: str, defaults: Dict[str, Any], of_one_scene: Iterable[str]) -> None:
        self._path, self._defaults, self._of_one_scene = path, defaults, frozenset(of_one_scene)
        self._wishes: Dict[str, Any] = {}
        self._connection: Dict[str, str] = {}

    def wishes(self) -> Dict[str, Any]:
        """The panel's wishes."""
        self._read()
        return dict(self._wishes, overrides=dict(self._wishes["overrides"]))

    def wish(self, name: str, value: Any) -> None:
        """Set one, and remember it."""
        self._read()
        self._wishes[name] = value
        self._write()

    def connection(self) -> Dict[str, str]:
        """`server`, `token` and `ca_file` as they were set; "" where they were not."""
        self._read()
        return dict(self._connection)

    def connect(self, name: str, value: str) -> None:
        """Set one of them, and remember it."""
        self._read()
        self._connection[name] = value.strip()
        self._write()

    def _read(self) -> None:
        if self._wishes:
            return
        try:
            kept = read_json(self._path)
        except (OSError, ValueError):
            kept = {}
        wishes, connection = (kept.get(each) if isinstance(kept.get(each), dict) else {} for each in _PARTS)
        self._wishes = dict(self._defaults, overrides={})
        self._wishes.update({name: value for name, value in (wishes or {}).items() if self._fits(name, value)})
        self._connection = {name: str((connection or {}).get(name, "")) for name in CONNECTION}

    def _fits(self, name: str, value: Any) -> bool:
        known = name in self._defaults and name not in self._of_one_scene
        return known and isinstance(value, type(self._defaults[name]))

    def _write(self) -> None:
        wishes = {name: value for name, value in self._wishes.items() if name not in self._of_one_scene}
        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            write_json(self._path, {"wishes": wishes, "connection": self._connection})
        except OSError:
            return


_PARTS = ("wishes", "connection")
