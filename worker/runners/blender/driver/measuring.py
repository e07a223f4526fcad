"""The script that `outfield bench worker` starts Blender with: renders the factory scene a few times, says how long.

It stands alone, serves nothing, and is given nothing but its place.
"""

# pyright: basic, reportMissingImports=false

import json
import sys
import time

import bpy

SIDE_PX, SAMPLES, REPEAT = 200, 16, 3


def measure() -> None:
    """Print one line of JSON: the seconds of each picture (the first one is a warm-up), its samples, the version."""
    bpy.ops.wm.read_factory_settings()
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = SAMPLES
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.use_denoising = False
    scene.render.resolution_x = scene.render.resolution_y = SIDE_PX
    scene.render.resolution_percentage = 100
    seconds = []
    for _ in range(1 + REPEAT):
        started_s = time.perf_counter()
        bpy.ops.render.render(write_still=False)
        seconds.append(time.perf_counter() - started_s)
    said = {"seconds": seconds, "samples": SIDE_PX**2 * SAMPLES, "version": bpy.app.version_string}
    sys.stdout.write("\noutfield-measured " + json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    measure()
