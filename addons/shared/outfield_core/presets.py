# SPDX-License-Identifier: Apache-2.0
"""Wishes that are kept by name, for each show: one small file beside the spool, the same for every program.

A preset says how to render, not what: names, frames and the shot are never part of it.
"""

from __future__ import annotations

import os
from typing import Any, Dict, List

from .disk import read_json, write_json
from .wishes import DEFAULTS

PART_OF_IT = (
    "output_mode", "split_mode", "chunk", "tiles_x", "tiles_y", "sample_slices", "priority", "pool", "cloud",
    "cost_cap_usd", "preview_first", "paused",
)  # fmt: skip


def names(folder: str, project: str) -> List[str]:
    """The presets of a show, and those of no show."""
    kept = _read(folder)
    return sorted({*_of(kept, project), *_of(kept, "")})


def save(folder: str, project: str, name: str, wishes: Dict[str, Any]) -> None:
    """Keep what of the wishes belongs into a preset, for this show.

    Raises:
        OSError: it cannot be written.
    """
    kept = _read(folder)
    kept[project] = {**_of(kept, project), name: {each: wishes[each] for each in PART_OF_IT}}
    os.makedirs(folder, mode=0o700, exist_ok=True)
    write_json(_path(folder), kept)


def wishes_of(folder: str, project: str, name: str) -> Dict[str, Any]:
    """What a preset says; what this add-on does not know, or knows in another type, is left out."""
    kept = _read(folder)
    said = _of(kept, project).get(name) or _of(kept, "").get(name)
    values = said if isinstance(said, dict) else {}
    return {each: value for each, value in values.items() if each in PART_OF_IT and _fits(each, value)}


def _fits(name: str, value: Any) -> bool:
    return isinstance(value, type(DEFAULTS[name]))


def _of(kept: Dict[str, Any], project: str) -> Dict[str, Any]:
    found = kept.get(project)
    return found if isinstance(found, dict) else {}


def _read(folder: str) -> Dict[str, Any]:
    try:
        return read_json(_path(folder))
    except (OSError, ValueError):
        return {}


def _path(folder: str) -> str:
    return os.path.join(folder, "presets.json")
