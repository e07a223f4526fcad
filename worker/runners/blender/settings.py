"""What can be set about Blender on one worker, read once from the environment; arguments of `BlenderRunner` go first.

`OUTFIELD_BLENDER__EXECUTABLES` lists Blenders (or Pythons with bpy), separated as PATH is; without it, the `blender`
on the PATH is used. `OUTFIELD_BLENDER__ADDONS` lists add-ons, separated by commas, that every Blender here switches on:
they must lie in Blender's own scripts folder, for a user's is not read. `OUTFIELD_BLENDER__SPARE=0` keeps an idle
worker from having an empty Blender ready.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

EXECUTABLES = "OUTFIELD_BLENDER__EXECUTABLES"
ADDONS = "OUTFIELD_BLENDER__ADDONS"
SPARE = "OUTFIELD_BLENDER__SPARE"

TASKS_PER_PROCESS = 500
"""A Blender is replaced after so many tasks, whatever it looks like."""

RSS_GROWTH_MAX_BYTES = 2 * 2**30
"""A Blender that holds so much more than after its first task is leaking, and is replaced."""

IDLE_S_MAX = 900.0
"""A Blender that nobody has needed for so long is ended, and its memory is free."""


@dataclass(frozen=True)
class BlenderSetup:
    """`environment` is the worker's own, of which a Blender sees a small part; `folder` holds private files, and the
    file `cache` what programs have said of their version. `spare`: have an empty Blender ready while idle."""

    executables: tuple[str, ...]
    addons: tuple[str, ...]
    folder: Path
    cache: Path
    spare: bool
    environment: Mapping[str, str]


def load_blender_setup(environment: Mapping[str, str] | None = None) -> BlenderSetup:
    """Read the settings from `environment`, or from the process's own."""
    source = dict(os.environ if environment is None else environment)  # noqa: TID251 - this is the settings module
    return BlenderSetup(
        executables=tuple(part for part in source.get(EXECUTABLES, "").split(os.pathsep) if part),
        addons=tuple(part.strip() for part in source.get(ADDONS, "").split(",") if part.strip()),
        folder=Path(tempfile.gettempdir()),
        cache=Path(platformdirs.user_cache_dir("outfield")) / "blenders.json",
        spare=source.get(SPARE, "").strip().lower() not in ("0", "false", "no", "off"),
        environment=source,
    )
