"""Small .blend files, made by script in a real Blender, and what Blender itself renders of them.

The first half runs in the tests, the second (below `INSIDE`) in Blender. Scenes are described by `SceneOptions`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

BLENDER_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class SceneOptions:
    """A moving ball on a floor before two cameras; every field changes one thing about it."""

    width: int = 64
    height: int = 36
    samples: int = 4
    end: int = 12
    file_format: str = "PNG"
    color_mode: str = "RGBA"
    color_depth: str = "8"
    transparent: bool = False
    adaptive: bool = False
    denoise: bool = False
    engine: str = "CYCLES"
    camera: bool = True
    markers: bool = False
    animated_seed: bool = False
    compositor: str = ""  # "blur"; and "normal" (uses a further pass), "denoise" or "file" (a File Output node)
    view_transform: str = "Filmic"
    texture: str = ""  # path of an image texture
    library: str = ""  # path of a .blend whose objects are linked
    script: str = ""  # a text with "Register" on
    driver: str = ""  # a Python expression that drives the ball's height
    border: bool = False
    layers: bool = False  # a second view layer, and a second scene
    no_layer: bool = False
    extra: dict[str, Any] = field(default_factory=dict)  # data path below the scene -> value


def is_bpy(program: Path) -> bool:
    """Whether a program is a Python with bpy and not a Blender."""
    return program.name.startswith("python")


def run_inside(program: Path, task: str, argument: Any, folder: Path) -> str:
    """Run one of the functions below in a fresh Blender; returns what it printed."""
    text = json.dumps({"task": task, "argument": argument})
    own = str(Path(__file__).resolve())
    if is_bpy(program):
        argv = [str(program), "-I", own, "--", text]
    else:
        argv = [
            str(program),
            "-b",
            "--factory-startup",
            "--disable-autoexec",
            "--python-exit-code",
            "9",
            "-P",
            own,
            "--",
            text,
        ]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "BLENDER_USER_RESOURCES": str(folder),
    }
    done = subprocess.run(
        argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=BLENDER_TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def make_scenes(program: Path, folder: Path, scenes: dict[str, SceneOptions]) -> dict[str, Path]:
    """Make one .blend for each entry, all in one Blender; returns their paths."""
    paths = {name: folder / f"{name}.blend" for name in scenes}
    jobs = [{"path": str(paths[name]), **asdict(options)} for name, options in scenes.items()]
    run_inside(program, "make", jobs, folder)
    return paths


def render_animation(program: Path, scene: Path, folder: Path) -> list[Path]:
    """What the scene's own settings make of it: `blender -b FILE -a`, or its like in bpy. The files, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    if is_bpy(program):
        run_inside(program, "animate", {"path": str(scene), "folder": str(folder)}, folder)
    else:
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)}
        argv = [str(program), "-b", str(scene), "-o", f"{folder}/####", "-a"]
        subprocess.run(argv, cwd=folder, env=environment, capture_output=True, timeout=BLENDER_TIMEOUT_S, check=True)
    return sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg", ".exr"))


def pixels(path: Path) -> Any:
    """The pixels of a PNG, JPEG or OpenEXR file as they are in the file: an array, or for OpenEXR one per channel."""
    if path.suffix != ".exr":
        from PIL import Image

        with Image.open(path) as image:
            return {image.mode: _array(image)}
    import OpenEXR

    with OpenEXR.File(str(path), separate_channels=True) as file:
        return {name: channel.pixels for name, channel in file.channels().items()}


def same_pixels(one: Path, other: Path) -> bool:
    """Whether two pictures have the same channels, types and values, bit for bit."""
    a, b = pixels(one), pixels(other)
    return a.keys() == b.keys() and all(
        a[name].dtype == b[name].dtype and a[name].shape == b[name].shape and a[name].tobytes() == b[name].tobytes()
        for name in a
    )


def _array(image: Any) -> Any:
    import numpy as np

    return np.asarray(image)


def gone(pid: int, within_s: float) -> bool:
    """Whether a process ends within a time."""
    until = time.monotonic() + within_s
    pause = threading.Event()
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        pause.wait(0.02)
    return False


# ---- INSIDE: from here on in Blender -------------------------------------------------------------------------------


def _make(jobs: list[dict[str, Any]]) -> None:
    for job in jobs:
        _make_one(job)


def _make_one(o: dict[str, Any]) -> None:
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    render = scene.render
    if o["engine"] == "ALIEN":
        alien = type("Alien", (bpy.types.RenderEngine,), {"bl_idname": "ALIEN", "bl_label": "of an add-on"})
        bpy.utils.register_class(alien)
    names = [e.identifier for e in type(render).bl_rna.properties["engine"].enum_items]
    engine = o["engine"]
    if engine == "BLENDER_EEVEE" and "BLENDER_EEVEE_NEXT" in names:
        engine = "BLENDER_EEVEE_NEXT"
    render.engine = engine
    scene.cycles.samples = o["samples"]
    scene.cycles.use_adaptive_sampling = o["adaptive"]
    scene.cycles.use_denoising = o["denoise"]
    scene.cycles.use_animated_seed = o["animated_seed"]
    render.resolution_x, render.resolution_y, render.resolution_percentage = o["width"], o["height"], 100
    render.film_transparent = o["transparent"]
    scene.view_settings.view_transform = o["view_transform"]
    scene.frame_start, scene.frame_end = 1, o["end"]
    settings = render.image_settings
    settings.file_format = o["file_format"]
    settings.color_mode = o["color_mode"]
    if o["file_format"] != "FFMPEG":
        settings.color_depth = o["color_depth"]
    ball = _add_objects(o)
    if o["driver"]:
        curve = ball.driver_add("location", 2)
        curve.driver.expression = o["driver"]
    if o["script"]:
        text = bpy.data.texts.new("start.py")
        text.write(o["script"])
        text.use_module = True
    if o["library"]:
        with bpy.data.libraries.load(o["library"], link=True) as (source, target):
            target.objects = source.objects[:1]
        scene.collection.objects.link(target.objects[0])
    if o["border"]:
        render.use_border, render.border_max_x = True, 0.5
    if o["layers"]:
        scene.view_layers.new("Second")
        other = bpy.data.scenes.new("Other")
        other.camera = scene.camera
        other.render.engine, other.cycles.samples, other.cycles.use_denoising = "CYCLES", 1, False
        other.render.resolution_x, other.render.resolution_y = o["width"], o["height"]
    if o["no_layer"]:
        scene.view_layers[0].use = False
    _add_compositor(scene, o["compositor"])
    for path, value in o["extra"].items():
        owner, _, name = path.rpartition(".")
        setattr(scene.path_resolve(owner) if owner else scene, name, value)
    bpy.ops.wm.save_as_mainfile(filepath=o["path"], compress=True)


def _add_objects(o: dict[str, Any]) -> Any:
    import bpy

    scene = bpy.context.scene
    bpy.ops.mesh.primitive_plane_add(size=20, location=(0, 0, -1))
    bpy.ops.mesh.primitive_uv_sphere_add(segments=12, ring_count=8)
    ball = bpy.context.object
    for frame, x in ((-10, -2.0), (12, 2.0)):
        ball.location.x = x
        ball.keyframe_insert("location", frame=frame)
    material = bpy.data.materials.new("ball")
    material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (0.8, 0.2, 0.1, 1)
    ball.data.materials.append(material)
    if o["texture"]:
        image = bpy.data.images.new("texture", 4, 4)
        image.source, image.filepath = "FILE", o["texture"]
        node = material.node_tree.nodes.new("ShaderNodeTexImage")
        node.image = image
        material.node_tree.links.new(node.outputs["Color"], shader.inputs["Base Color"])
    bpy.ops.object.light_add(type="SUN", location=(3, -3, 5))
    bpy.context.object.data.energy = 3
    if o["camera"]:
        for name, x in (("Left", -1.0), ("Right", 3.0)):
            bpy.ops.object.camera_add(location=(x, -7, 1.5), rotation=(1.35, 0, x / 7))
            bpy.context.object.name = name
            if o["markers"]:
                scene.timeline_markers.new(name, frame=1 if name == "Left" else 6).camera = bpy.context.object
        scene.camera = bpy.data.objects["Left"]
    return ball


def _add_compositor(scene: Any, kind: str) -> None:
    if not kind:
        return
    scene.use_nodes = True
    tree = scene.node_tree
    layers = next(node for node in tree.nodes if node.type == "R_LAYERS")
    composite = next(node for node in tree.nodes if node.type == "COMPOSITE")
    blur = tree.nodes.new("CompositorNodeBlur")
    blur.size_x = blur.size_y = 4
    tree.links.new(layers.outputs["Image"], blur.inputs["Image"])
    picture = blur.outputs["Image"]
    if kind == "denoise":
        denoise = tree.nodes.new("CompositorNodeDenoise")
        tree.links.new(picture, denoise.inputs["Image"])
        picture = denoise.outputs["Image"]
    if kind == "normal":
        scene.view_layers[0].use_pass_normal = True
        mix = tree.nodes.new("CompositorNodeMixRGB")
        mix.blend_type = "ADD"
        tree.links.new(picture, mix.inputs[1])
        tree.links.new(layers.outputs["Normal"], mix.inputs[2])
        picture = mix.outputs["Image"]
    if kind == "file":
        output = tree.nodes.new("CompositorNodeOutputFile")
        output.base_path = "//elsewhere"
        tree.links.new(picture, output.inputs[0])
    tree.links.new(picture, composite.inputs["Image"])


def _animate(argument: dict[str, str]) -> None:
    import bpy

    bpy.ops.wm.open_mainfile(filepath=argument["path"], use_scripts=False)
    bpy.context.scene.render.filepath = f"{argument['folder']}/####"
    bpy.ops.render.render(animation=True)


if __name__ == "__main__":
    import bpy  # noqa: F401 - first of all, or nothing of Blender's is there

    given = json.loads(sys.argv[sys.argv.index("--") + 1])
    {"make": _make, "animate": _animate}[given["task"]](given["argument"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # bpy may hang or crash on its way out
