"""Making the frame of merged parts: an engine that renders nothing and hands Blender the merged passes instead.

Everything after the engine is then Blender's own and the same as for a frame in one piece: compositor, view transform,
dithering, alpha, burned-in notes, file format. (`Image.save_render` is no substitute: it does not dither.)
"""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

from typing import Any

import bpy

from worker.runners.blender.driver.journal import Journal

ENGINE = "OUTFIELD_DEVELOP"


class DevelopEngine(bpy.types.RenderEngine):
    """Fills the render result from a multilayer EXR; `source` and `all_passes` are set for each frame."""

    bl_idname = ENGINE
    bl_label = "Outfield: merged parts"
    bl_use_postprocess = True

    source = ""
    all_passes = False

    def update_render_passes(self, scene: Any, layer: Any) -> None:
        """The passes that Cycles has, so that the compositor's nodes keep their sockets."""
        for name, channels, kind in _passes(scene, layer):
            self.register_pass(scene, layer, name, len(channels), channels, kind)

    def render(self, depsgraph: Any) -> None:
        """Called by Blender once for each view layer."""
        layer = depsgraph.view_layer
        result = self.begin_result(0, 0, self.resolution_x, self.resolution_y, layer=layer.name)
        if type(self).all_passes:
            for name, channels, _ in _passes(depsgraph.scene, layer):
                if name != "Combined":
                    self.add_pass(name, len(channels), channels, layer=layer.name)
        result.load_from_file(type(self).source)
        self.end_result(result)


def use_merged(journal: Journal, scene: Any, source: str, all_passes: bool) -> None:
    """Make the next render of `scene` take its passes from `source`, and leave the scene's objects alone."""
    DevelopEngine.source = source
    DevelopEngine.all_passes = all_passes
    journal.override(scene.render, "engine", ENGINE)
    for item in [*scene.collection.children, *scene.collection.objects]:
        if item.library is None:
            journal.set(item, "hide_render", True)  # nothing of them is looked at, so nothing need be evaluated


def _passes(scene: Any, layer: Any) -> Any:
    from cycles.engine import list_render_passes

    return list_render_passes(scene, layer)
