# SPDX-License-Identifier: Apache-2.0
"""What an artist wishes, and where the farm is: kept in Maya's own preferences (`optionVar`), never in a scene.

The environment stands in for what is not set: `OUTFIELD_SERVER`, `OUTFIELD_TOKEN`, `OUTFIELD_CA_FILE`.
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict

from maya import cmds

from .outfield_core.client import Client

DEFAULT_SERVER = "http://127.0.0.1:8000"
WISHES = "outfieldWishes"
CONNECTION = {"server": "outfieldServer", "token": "outfieldToken", "ca_file": "outfieldCaFile"}
VARIABLES = {"server": "OUTFIELD_SERVER", "token": "OUTFIELD_TOKEN", "ca_file": "OUTFIELD_CA_FILE"}

DEFAULTS: Dict[str, Any] = {
    "job_name": "",
    "frames_mode": "SCENE",  # SCENE, RANGE, CURRENT or MISSING
    "frames": "1-10",
    "output_mode": "SCENE",  # SCENE: where Maya itself would write; FARM: the farm keeps the frames
    "chunk": 1,
    "layer": "",  # empty: every renderable one
    "camera": "",
    "preview": False,  # True: the mesh of the current frame, for the farm's ambient occlusion
    "project": "",
    "sequence": "",
    "shot": "",
    "task": "",
    "priority": 50,
    "deadline": "",
    "pool": "",
    "cloud": "allow",
    "cost_cap_usd": "",  # US dollars; 0: only where it is free; empty: no bound
    "preview_first": False,
    "paused": False,
    "overrides": {},  # settings of the renderer as the farm describes them
}

OF_ONE_SCENE = ("job_name", "layer", "camera", "frames", "shot", "preview", "overrides")
"""Not remembered from one start of Maya to the next."""

_now: Dict[str, Any] = {}


def wishes() -> Dict[str, Any]:
    """The panel's wishes."""
    if not _now:
        _now.update(DEFAULTS, overrides={})
        try:
            kept = json.loads(str(cmds.optionVar(query=WISHES)))
        except ValueError:
            kept = {}
        if isinstance(kept, dict):
            _now.update({name: kept[name] for name in kept if _fits(name, kept[name]) and name not in OF_ONE_SCENE})
    return dict(_now, overrides=dict(_now["overrides"]))


def wish(name: str, value: Any) -> None:
    """Set one of the panel's wishes, and remember it."""
    if wishes()[name] != value and name == "preview":
        _now["overrides"] = {}  # another renderer has other settings
    _now[name] = value
    kept = {each: _now[each] for each in _now if each not in OF_ONE_SCENE}
    cmds.optionVar(stringValue=(WISHES, json.dumps(kept, sort_keys=True)))


def forget() -> None:
    """Read the preferences anew the next time."""
    _now.clear()


def overridden(said: Dict[str, Any], *, ground: Dict[str, Any]) -> Dict[str, Any]:
    """`ground` with what a Python call says in its place.

    Raises:
        TypeError: a wish that there is not.
    """
    unknown = sorted(set(said) - set(DEFAULTS))
    if unknown:
        raise TypeError("There is no wish {!r}. Wishes: {}.".format(unknown[0], ", ".join(sorted(DEFAULTS))))
    made = dict(ground, **said)
    if "frames" in said and "frames_mode" not in said:
        made["frames_mode"] = "RANGE"
    return made


def connection() -> Dict[str, str]:
    """Address, token and certificate file: the preferences, else the environment."""
    found = {}
    for name, option in CONNECTION.items():
        own = str(cmds.optionVar(query=option)).strip() if cmds.optionVar(exists=option) else ""
        found[name] = own or os.environ.get(VARIABLES[name], "")
    found["server"] = found["server"] or DEFAULT_SERVER
    return found


def connect(name: str, value: str) -> None:
    """Set `server`, `token` or `ca_file` in the preferences; empty: what the environment says."""
    cmds.optionVar(stringValue=(CONNECTION[name], value.strip()))


def new_client(said: Dict[str, str]) -> Client:
    """A client for `connection()`; from any thread.

    Raises:
        Refused: the address is none.
    """
    return Client(said["server"], said["token"], ca_file=said["ca_file"])


def _fits(name: str, value: Any) -> bool:
    return name in DEFAULTS and isinstance(value, type(DEFAULTS[name]))
