# SPDX-License-Identifier: Apache-2.0
"""The choices that every panel offers: value, name, and what it means."""

from __future__ import annotations

from typing import Any, Dict, Tuple

FRAMES = (
    ("SCENE", "Scene", "The scene's own range and step"),
    ("RANGE", "Range", "A range as on the farm, e.g. 1-100x2,150"),
    ("CURRENT", "Current", "Only the current frame"),
    ("MISSING", "Missing", "Frames of the scene that are not at the output yet"),
)
SPLITS = (
    ("FRAMES", "Frames", "One task renders whole frames"),
    ("TILES", "Tiles", "Each frame is shared out in tiles; it is the same picture"),
    ("SAMPLES", "Samples", "Each frame is shared out in slices of its samples; it is the same picture"),
)
OUTPUTS = (
    ("SCENE", "Scene's output", "Frames appear at the scene's own output path"),
    ("FARM", "On the farm", "The farm keeps the frames; fetch them here or on its page"),
)
CLOUDS = (
    ("allow", "May leave the studio", "Where the rules allow it, the job may run beyond the studio"),
    ("prefer", "Rather leave the studio", "Keep the studio's machines for others, where the rules allow it"),
    ("never", "Stays here", "Never leaves the studio"),
)

LABELS = {
    "scene_frames": "Scene's frames",
    "farm_output": "Keep on the farm",
    "missing_only": "Missing only",
    "whole_frames": "Whole frames",
}
"""What the button of a fix says that only changes a wish."""

FIXES: Dict[str, Tuple[str, Any]] = {
    "scene_frames": ("frames_mode", "SCENE"),
    "farm_output": ("output_mode", "FARM"),
    "missing_only": ("frames_mode", "MISSING"),
    "whole_frames": ("split_mode", "FRAMES"),
}
"""Which wish, and to what."""
