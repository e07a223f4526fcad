"""Undoing: every property that a task changes is written down with its old value and put back afterwards.

One process renders many tasks, and no task may see what an earlier one has set. All changes go through `Journal.set`;
`undo` runs them backwards. `fingerprint` tells whether that has worked: a process whose settings differ from those it
had after loading the file is not used again. What a scene's own scripts and animation change is not undone here.
"""

# pyright: basic

from __future__ import annotations

from typing import Any

SIMPLE_TYPES = {"BOOLEAN", "INT", "FLOAT", "STRING", "ENUM"}
UNSTABLE = {"frame_current", "frame_current_final", "frame_subframe", "frame_float", "camera", "denoiser"}
"""Properties that a render changes by itself, or that cannot be read in every build."""


class Journal:
    """What was changed, in order. Not to be used again after `undo`."""

    def __init__(self) -> None:
        self._changes: list[tuple[Any, str, Any]] = []

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Set one property and remember what it was.

        Raises:
            TypeError, ValueError, AttributeError: Blender refuses the value; nothing has changed.
        """
        before = getattr(owner, name)
        if before == value:
            return
        setattr(owner, name, value)
        self._changes.append((owner, name, before))

    def override(self, owner: Any, name: str, value: Any) -> None:
        """Set a property that belongs to a scene, against its own animation as well."""
        self.set(owner, name, value)
        scene = owner.id_data
        path = owner.path_from_id(name) if owner != scene else name
        for curve in _curves(scene):
            if curve.data_path == path:
                self.set(curve, "mute", True)

    def undo(self) -> None:
        """Put everything back, last change first."""
        while self._changes:
            owner, name, before = self._changes.pop()
            setattr(owner, name, before)


def fingerprint(scene: Any) -> dict[str, Any]:
    """Every simple setting of a scene that rendering depends on, but for what the scene animates itself."""
    animated = {curve.data_path for curve in _curves(scene)}
    owners = [scene.render, scene.render.image_settings, scene.view_settings, scene.display_settings, scene]
    owners += [getattr(scene, name) for name in ("cycles", "eevee") if hasattr(scene, name)]
    owners += list(scene.view_layers)
    found: dict[str, Any] = {}
    for owner in owners:
        for prop in owner.bl_rna.properties:
            if prop.type not in SIMPLE_TYPES or prop.is_readonly or prop.identifier in UNSTABLE:
                continue
            path = owner.path_from_id(prop.identifier) if owner != scene else prop.identifier
            if path not in animated:
                value = getattr(owner, prop.identifier)
                found[path] = tuple(value) if getattr(prop, "is_array", False) else value
    return found


def _curves(scene: Any) -> list[Any]:
    """The animation curves and drivers of a scene's own properties."""
    animation = scene.animation_data
    if animation is None:
        return []
    return list(animation.drivers) + _action_curves(animation)


def _action_curves(animation: Any) -> list[Any]:
    action = animation.action
    if action is None:
        return []
    if hasattr(action, "fcurves"):
        return list(action.fcurves)
    # Blender 5: an action has layers of strips, and a bag of curves for each slot
    bags = [strip.channelbag(animation.action_slot) for layer in action.layers for strip in layer.strips]
    return [curve for bag in bags if bag is not None for curve in bag.fcurves]
