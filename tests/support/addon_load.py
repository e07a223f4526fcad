"""Acts in a window on a scene of many objects: how long the main thread is held, and how long a check takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from addon_pictures import connect, here, measured, until
from blender_window import Stopwatch, render_properties


def many_objects(path: str, count: int) -> int:
    """In Blender: a scene of so many objects that share one mesh, saved."""
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    mesh = bpy.data.meshes.new("shared")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    scene = bpy.context.scene
    for number in range(count):
        thing = bpy.data.objects.new(f"thing{number}", mesh)
        thing.location = (number % 250, number // 250, 0)
        thing.hide_viewport = True  # software rendering of the window is not what is measured
        scene.collection.objects.link(thing)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine, scene.render.filepath = "CYCLES", "//out/####"
    scene.cycles.use_denoising = False
    scene.frame_end = 2
    bpy.ops.wm.save_as_mainfile(filepath=path)
    return len(bpy.data.objects)


def doing() -> str:
    """What the add-on is at."""
    flow = here().flow or here().check
    return f"{flow.phase if flow else ''} {here().sender.watch.stage if here().sender.sending else ''}".strip()


def hold(server: str, token: str) -> Iterator[float]:
    """Check the scene, then submit it as it is saved, with a stopwatch beside; seconds."""
    import bpy

    connect(server, token)
    yield from render_properties()
    yield from until(lambda: here().follower.view.asked and here().check is None)
    yield 1.0
    quiet = Stopwatch()
    quiet.start()
    yield 1.5
    quiet.stop()
    watch = Stopwatch(doing)
    measured().slowest_tick_s = 0.0
    watch.start()
    yield 0.1
    began_s = time.perf_counter()
    here().found_for, here().found_s = None, -1e9
    area = max(bpy.context.window_manager.windows[0].screen.areas, key=lambda each: each.width * each.height)
    area.tag_redraw()
    yield 0.0
    while here().found_s < 0 or here().check is not None:
        yield 0.0
    check_s = time.perf_counter() - began_s
    bpy.ops.outfield.submit("INVOKE_DEFAULT")
    while here().flow is not None:
        yield 0.0
    yield from until(lambda: here().messages or here().sender.kept)
    yield 0.5
    watch.stop()
    return {
        "quiet_s": max(quiet.gaps[1:])[0],
        "held_s": max(watch.gaps[1:])[0],
        "wall_s": max(gap[1] for gap in watch.gaps[1:]),
        "longest": sorted(watch.gaps[1:])[-5:],
        "check_s": check_s,
        "slowest_tick_s": measured().slowest_tick_s,
        "messages": [text for _, text in here().messages],
        "found": [each.sentence for each in here().found],
    }


def save_of_changes(_unused: Any = None) -> Iterator[float]:
    """Change the scene and submit, with a stopwatch beside: how long the window is held while a copy is written."""
    import bpy

    connect("http://127.0.0.1:9", "x")
    yield from render_properties()
    bpy.ops.ed.undo_push(message="a change")
    yield from until(lambda: here().check is None)
    yield 1.0
    watch = Stopwatch(doing)
    watch.start()
    began_s = time.perf_counter()
    bpy.ops.outfield.submit("INVOKE_DEFAULT")
    yield from until(lambda: here().flow is None)
    took_s = time.perf_counter() - began_s
    watch.stop()
    saving = [gap for gap in watch.gaps[1:] if gap[2].startswith("saving")]
    return {
        "saving_s": measured().saving_s,
        "took_s": took_s,
        "held_s": max(gap[0] for gap in saving),
        "wall_s": max(gap[1] for gap in saving),
        "turns": len(saving),
        "is_dirty": bpy.data.is_dirty,
    }
