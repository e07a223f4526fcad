"""The jobs of the demo: a turntable of a procedural mesh, a still of the built-in scene, a .blend made on the spot."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scheduler.errors import OutfieldError

ANIMATION_FRAMES = 12
ANIMATION_PX = 256
STILL_PX = 512
BLEND_FRAMES = 3
BLEND_TIMEOUT_S = 60.0

BLEND_SCRIPT = """
import bpy, math, sys
frames, target = int(sys.argv[-2]), sys.argv[-1]
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
bpy.ops.mesh.primitive_plane_add(size=30)
bpy.ops.mesh.primitive_monkey_add(location=(0, 0, 1.0), rotation=(-0.35, 0, 0))
head = bpy.context.object
bpy.ops.object.shade_smooth()
head.modifiers.new("smooth", "SUBSURF").render_levels = 2
clay = bpy.data.materials.new("clay")
clay.diffuse_color = (0.8, 0.35, 0.15, 1.0)
clay.use_nodes = True
clay.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (0.8, 0.35, 0.15, 1.0)
head.data.materials.append(clay)
bpy.ops.object.light_add(type="SUN", rotation=(0.7, 0.3, 0.4))
bpy.context.object.data.energy = 3.0
bpy.ops.object.camera_add(location=(0, -6.2, 2.6), rotation=(math.radians(75), 0, 0))
scene.camera = bpy.context.object
scene.world = bpy.data.worlds.new("world")
scene.world.color = (0.25, 0.3, 0.4)
for frame in range(1, frames + 1):
    head.rotation_euler[2] = math.radians(-30 + 60 * (frame - 1) / max(1, frames - 1))
    head.keyframe_insert("rotation_euler", frame=frame)
scene.frame_start, scene.frame_end = 1, frames
scene.render.engine = "CYCLES"
scene.cycles.samples = 8
scene.cycles.use_denoising = False
scene.render.resolution_x = scene.render.resolution_y = 256
scene.render.resolution_percentage = 100
bpy.ops.wm.save_as_mainfile(filepath=target)
"""
"""What Blender runs to make the scene: a head that turns, lit by a sun; Cycles, because it needs no display."""


@dataclass(frozen=True)
class DemoJob:
    """One job of the demo: what it shows, and the body of its submission."""

    title: str
    body: dict[str, Any]


def kernel_jobs(mesh: Path, out: Path) -> list[DemoJob]:
    """The turntable and the still; few samples, because the first job also waits for the compiler."""
    turntable = {
        "name": "turntable",
        "scene": str(mesh),
        "frames": f"1-{ANIMATION_FRAMES}",
        "output": str(out / "turntable" / "turntable.####.png"),
        "settings": {
            "width": ANIMATION_PX,
            "height": ANIMATION_PX,
            "subsamples": 2,
            "ao_samples": 3,
            "orbit_deg_per_frame": 360 / ANIMATION_FRAMES,
        },
    }
    still = {
        "name": "still",
        "renderer": "kernel",
        "output": str(out / "still.png"),
        "split": {"tiles": [2, 2]},
        "settings": {"width": STILL_PX, "height": STILL_PX, "subsamples": 2, "ao_samples": 4},
        "priority": 60,
    }
    return [
        DemoJob("the built-in scene, a still in 2 x 2 tiles", still),
        DemoJob(f"a mesh on a turntable, {ANIMATION_FRAMES} frames", turntable),
    ]


def blender_job(folder: Path, out: Path) -> DemoJob | None:
    """The .blend, made by the Blender on PATH; None where there is no Blender.

    Raises:
        OutfieldError: Blender is there but cannot make the file.
    """
    program = shutil.which("blender")
    if program is None:
        return None
    scene = folder / "head.blend"
    command = [program, "--background", "--factory-startup", "--python-exit-code", "9", "--python-expr", BLEND_SCRIPT]
    command += ["--", str(BLEND_FRAMES), str(scene)]
    try:
        made = subprocess.run(command, capture_output=True, text=True, timeout=BLEND_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        found = f"Blender did not make the demo's scene within {BLEND_TIMEOUT_S:.0f} s."
        raise OutfieldError(found, code="demo_scene", hint="Run `outfield doctor`.") from error
    if made.returncode != 0 or not scene.is_file():
        last = (made.stderr or made.stdout).strip().splitlines()[-3:]
        raise OutfieldError(
            f"Blender could not make the demo's scene: {' | '.join(last)}",
            code="demo_scene",
            hint="Run `outfield doctor`.",
        )
    body = {
        "name": "head",
        "scene": str(scene),
        "frames": f"1-{BLEND_FRAMES}",
        "output": str(out / "head" / "head.####.png"),
        "priority": 40,
    }
    return DemoJob(f"a .blend, {BLEND_FRAMES} frames with Cycles", body)
