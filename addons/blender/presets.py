# SPDX-License-Identifier: GPL-3.0-or-later
"""Wishes that are kept by name, for each show: one small file beside the spool.

A preset says how to render, not what: names, frames and the shot are never part of it.
"""

from __future__ import annotations

import os
from typing import Any

from .outfield_core.spool import read_json, write_json

PART_OF_IT = (
    "output_mode", "split_mode", "chunk", "tiles_x", "tiles_y", "sample_slices", "priority", "pool", "cloud",
    "cost_cap_usd", "preview_first", "paused",
)  # fmt: skip


def names(folder: str, project: str) -> list[str]:
    """The presets of a show, and those of no show."""
    kept = _read(folder)
    return sorted({*kept.get(project, {}), *kept.get("", {})})


def save(folder: str, own: Any, name: str) -> None:
    """Keep the wishes under a name, for the show that they name.

    Raises:
        OSError: it cannot be written.
    """
    kept = _read(folder)
    kept.setdefault(own.project, {})[name] = {each: getattr(own, each) for each in PART_OF_IT}
    os.makedirs(folder, mode=0o700, exist_ok=True)
    write_json(_path(folder), kept)


def apply(folder: str, own: Any, name: str) -> None:
    """Set what the preset says; what it names and this add-on does not know is left alone."""
    kept = _read(folder)
    values = kept.get(own.project, {}).get(name) or kept.get("", {}).get(name) or {}
    for each, value in values.items():
        if each in PART_OF_IT:
            setattr(own, each, value)


def _read(folder: str) -> dict[str, Any]:
    try:
        return read_json(_path(folder))
    except (OSError, ValueError):
        return {}


def _path(folder: str) -> str:
    return os.path.join(folder, "presets.json")
