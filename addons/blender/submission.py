# SPDX-License-Identifier: GPL-3.0-or-later
"""From the open scene to a submission: what only Blender can tell and do of it. The steps are `outfield_core.assembly`.

The artist's file is never written: Blender saves a copy into the spool, or the file's bytes are copied when nothing has
changed since.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import bpy

from . import gathering, session
from .dependencies import Needs, needs_of
from .outfield_core import assembly, delivery
from .outfield_core.delivery import Submitted
from .outfield_core.errors import Refused
from .outfield_core.facts import Facts
from .outfield_core.files import Need
from .outfield_core.following import FarmView
from .properties import overridden
from .writing import Writing, in_window

UNSAVED = "untitled.blend"


class Assembly(assembly.Assembly):
    """A submission of one scene in the making."""

    def __init__(self, scene: Any, settings: dict[str, Any], farm: FarmView | None = None) -> None:
        """Take the wishes; on the main thread.

        Raises:
            Refused: the farm's address is none. TypeError: a setting that there is not.
        """
        super().__init__(session.current(), overridden(scene, settings), farm)
        self._scene, self.renderer = scene.name, "blender"
        self._needs = Needs()
        self._paths: list[str] = []
        self._writing: Writing | None = None

    def gather(self) -> Iterator[None]:
        """Read the scene, a little with each step."""
        self.origin = bpy.data.filepath or os.path.join(bpy.app.tempdir or "/tmp", UNSAVED)
        self._needs, self.facts = Needs(), Facts()
        yield from gathering.read_scene(self._open_scene(), self.facts, self.budget)
        yield from needs_of(
            self._scene, self._needs, self.budget, also=lambda thing: gathering.look_at(thing, self.facts)
        )
        self.targets = [gathering.aim(self._open_scene(), self.wishes, self.facts)]
        self.budget.rest()
        yield
        self._paths = _paths_now()
        yield

    def needs(self) -> list[Need]:
        """What `gather` has found."""
        return self._needs.found

    def still_true(self) -> bool:
        """Does the scene name the same files as when it was read?"""
        return bpy.data.scenes.get(self._scene) is not None and _paths_now() == self._paths

    def is_as_saved(self) -> bool:
        """Only Blender's window keeps account of that; scripts change unseen."""
        return in_window() and not bpy.data.is_dirty and os.path.isfile(bpy.data.filepath)

    def write_copy(self, path: str) -> bool:
        """A child does, where it can; the window is not held."""
        self._writing = self._writing or Writing(path)
        return not self._writing.done

    def stop_copy(self) -> None:
        """Have no child write any more."""
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def _open_scene(self) -> Any:
        scene = bpy.data.scenes.get(self._scene)
        if scene is None:
            raise Refused("The scene {name!r} is not there any more.", {"name": self._scene}, code="scene_gone")
        return scene


def submit(scene: Any = None, **settings: Any) -> Submitted:
    """Submit a scene and wait until the farm has it, or until it is kept because the farm is away.

    `settings`: those of `scene.outfield`, e.g. `frames="1-10"`, `priority=70`, and `overrides={"samples": 64}` for the
    renderer. Nothing of the scene, the file or the undo history is changed.

    Raises:
        FarmError: something stands in the way; nothing was submitted. TypeError: a setting that there is not.
    """
    session.current().look()
    (made,) = delivery.submit(Assembly(scene or bpy.context.scene, settings))
    return made


def _paths_now() -> list[str]:
    return sorted(bpy.utils.blend_paths(absolute=False, packed=False))
