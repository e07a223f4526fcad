# SPDX-License-Identifier: Apache-2.0
"""What an artist wishes, and where the farm is: kept in Maya's own preferences (`optionVar`), never in a scene."""

from __future__ import annotations

import json
from typing import Any, Dict

from maya import cmds

from .outfield_core.wishes import DEFAULTS as wishes_of_every_program

WISHES = "outfieldWishes"
CONNECTION = {"server": "outfieldServer", "token": "outfieldToken", "ca_file": "outfieldCaFile"}

DEFAULTS: Dict[str, Any] = {
    **wishes_of_every_program,
    "layer": "",  # empty: every renderable one
    "camera": "",
    "preview": False,  # True: the mesh of the current frame, for the farm's ambient occlusion
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


def preferences() -> Dict[str, str]:
    """Address, token and certificate file as they are set here."""
    return {name: _option(option) for name, option in CONNECTION.items()}


def connect(name: str, value: str) -> None:
    """Set `server`, `token` or `ca_file` in the preferences; empty: what the environment says."""
    cmds.optionVar(stringValue=(CONNECTION[name], value.strip()))


def _option(name: str) -> str:
    return str(cmds.optionVar(query=name)) if cmds.optionVar(exists=name) else ""


def _fits(name: str, value: Any) -> bool:
    return name in DEFAULTS and isinstance(value, type(DEFAULTS[name]))
