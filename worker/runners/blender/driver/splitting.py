"""One tile, or one range of samples, of a frame: settings under which Cycles computes exactly that part of the whole.

What would make a part depend on the others is switched off (adaptive sampling, denoising, path guiding, a time limit),
and what cannot be cut exactly is refused: a frame from parts equals the frame in one piece, or there is none.
"""

# pyright: basic

from __future__ import annotations

import math
from typing import Any

from worker.runners.blender.driver.choosing import compositor_nodes, has_strips
from worker.runners.blender.driver.cutting import Rect, border
from worker.runners.blender.driver.journal import Journal
from worker.runners.blender.driver.picture import size
from worker.runners.blender.driver.refusals import Refused


def check_can_split(scene: Any) -> None:
    """Raises Refused where parts would not make up the whole."""
    render = scene.render
    reasons = {
        "engine": render.engine != "CYCLES",
        "sequencer": has_strips(scene),
        "region": render.use_border,
        "freestyle": render.use_freestyle,
        "stereo": render.use_multiview,
    }
    for reason, holds in reasons.items():
        if holds:
            raise Refused("cannot_split", reason=reason, engine=render.engine)


def passes_needed(scene: Any) -> str:
    """`combined` when the frame is made from the picture alone, `all` when other passes go into it."""
    if scene.render.image_settings.file_format == "OPEN_EXR_MULTILAYER":
        return "all"
    for node in compositor_nodes(scene):
        if node.type == "R_LAYERS" and any(
            out.is_linked and out.name not in ("Image", "Alpha") for out in node.outputs
        ):
            return "all"
        if node.type.startswith("CRYPTOMATTE"):
            return "all"
    return "combined"


def compute_all_samples(journal: Journal, scene: Any) -> None:
    """Every pixel gets the same samples, whoever computes it."""
    cycles = scene.cycles
    values = {"use_adaptive_sampling": False, "use_denoising": False, "use_guiding": False, "time_limit": 0.0}
    for name, value in values.items():
        if hasattr(cycles, name):
            journal.override(cycles, name, value)


def set_tile(journal: Journal, scene: Any, rect: Rect) -> None:
    """Render `rect` alone, into a picture of its size."""
    width, height = size(scene)
    if rect == (0, 0, width, height):
        return
    names = ("border_min_x", "border_max_x", "border_min_y", "border_max_y")
    for name, value in zip(names, border(rect, width, height), strict=True):
        journal.set(scene.render, name, value)
    journal.set(scene.render, "use_border", True)
    journal.set(scene.render, "use_crop_to_border", True)


def set_samples(journal: Journal, scene: Any, first: int, count: int) -> None:
    """Render samples [first, first + count) of the scene's own, with the numbers that they have in the whole.

    Since Blender 4.5 there is a setting for that. Before, `sample_offset` does it for patterns that do not depend on
    the number of samples: 4.2 needs "tabulated Sobol", for what it chooses by itself is blue noise, which does.
    """
    cycles = scene.cycles
    layers = [layer for layer in scene.view_layers if layer.use and layer.samples > 0]
    if layers and cycles.use_layer_samples != "IGNORE":
        raise Refused("cannot_split", reason="layer samples", engine="CYCLES")
    if hasattr(cycles, "use_sample_subset"):
        journal.override(cycles, "use_sample_subset", True)
        journal.override(cycles, "sample_offset", first)
        journal.override(cycles, "sample_subset_length", count)
        return
    if cycles.auto_scrambling_distance:
        journal.override(cycles, "auto_scrambling_distance", False)
        journal.override(cycles, "scrambling_distance", cycles.scrambling_distance * 4.0 / math.sqrt(cycles.samples))
    if cycles.sampling_pattern in ("AUTOMATIC", "BLUE_NOISE"):
        journal.override(cycles, "sampling_pattern", "TABULATED_SOBOL")
    journal.override(cycles, "sample_offset", first)
    journal.override(cycles, "samples", count)
