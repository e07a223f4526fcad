"""A scene with everything that has to travel, made by script in a real Blender.

A linked library with a texture of its own, a texture beside the file, one by absolute path elsewhere, a UDIM set and an
image sequence: each decides pixels of its own, so that any that is missing shows. Run through `blender_inside`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

FRAMES = 3
SIDE = 32


def make_rich(folder: str) -> str:
    """In Blender: the scene and all its files below `folder`; returns the scene's path."""
    root = Path(folder)
    for name in ("shot", "shot/seq", "tex", "lib", "elsewhere"):
        (root / name).mkdir(parents=True, exist_ok=True)
    _pictures(root)
    _library(root)
    return _scene(root)


def make_plain(folder: str) -> str:
    """In Blender: a cube, a camera and no further file."""
    import bpy

    Path(folder).mkdir(parents=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.mesh.primitive_cube_add()
    _look(bpy.context.scene)
    path = f"{folder}/plain.blend"
    bpy.ops.wm.save_as_mainfile(filepath=path)
    return path


def _pictures(root: Path) -> None:
    colours = {
        "tex/lib.png": (0.1, 0.8, 0.1),
        "tex/near.png": (0.9, 0.1, 0.1),
        "elsewhere/far away.png": (0.1, 0.1, 0.9),
        "tex/udim.1001.png": (0.9, 0.9, 0.1),
        "tex/udim.1002.png": (0.1, 0.9, 0.9),
    }
    colours.update(
        {f"shot/seq/s_{frame:04d}.png": (0.3 * frame, 0.5, 1 - 0.3 * frame) for frame in range(1, FRAMES + 1)}
    )
    for name, colour in colours.items():
        _picture(root / name, colour)


def _picture(path: Path, colour: tuple[float, float, float]) -> None:
    import bpy

    image = bpy.data.images.new("made", 8, 8)
    values = []
    for y in range(8):
        for x in range(8):
            dark = 0.5 if (x + y) % 2 else 1.0
            values += [channel * dark for channel in colour] + [1.0]
    image.pixels = values
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)


def _library(root: Path) -> None:
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.mesh.primitive_plane_add(size=1.6, location=(-2, 0, 0))
    bpy.context.object.name = "Linked"
    bpy.ops.wm.save_as_mainfile(filepath=str(root / "lib" / "prop.blend"))
    _textured(bpy.context.object, "//../tex/lib.png")
    bpy.ops.wm.save_as_mainfile(filepath=str(root / "lib" / "prop.blend"), relative_remap=False)


def _scene(root: Path) -> str:
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    path = str(root / "shot" / "light.blend")
    scene = bpy.context.scene
    bpy.ops.wm.save_as_mainfile(filepath=path)
    with bpy.data.libraries.load("//../lib/prop.blend", link=True, relative=True) as (_, target):
        target.objects = ["Linked"]
    scene.collection.objects.link(target.objects[0])
    for x, texture in ((0, "//../tex/near.png"), (2, str(root / "elsewhere" / "far away.png"))):
        bpy.ops.mesh.primitive_plane_add(size=1.6, location=(x, 0, 0))
        _textured(bpy.context.object, texture)
    bpy.ops.mesh.primitive_plane_add(size=1.6, location=(-1, 2, 0))
    _textured(bpy.context.object, "//../tex/udim.<UDIM>.png", source="TILED", stretch=2.0)
    bpy.ops.mesh.primitive_plane_add(size=1.6, location=(1, 2, 0))
    _textured(bpy.context.object, "//seq/s_0001.png", source="SEQUENCE")
    _look(scene)
    bpy.ops.wm.save_as_mainfile(filepath=path, relative_remap=False)
    return path


def _textured(thing: Any, texture: str, *, source: str = "FILE", stretch: float = 1.0) -> None:
    import bpy

    material = bpy.data.materials.new(thing.name)
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    output, glow = tree.nodes.new("ShaderNodeOutputMaterial"), tree.nodes.new("ShaderNodeEmission")
    node = tree.nodes.new("ShaderNodeTexImage")
    image = bpy.data.images.new(thing.name, 8, 8, tiled=source == "TILED")
    image.source, image.filepath = source, texture
    if source == "TILED" and len(image.tiles) == 1:
        image.tiles.new(1002)
    node.image = image
    if source == "SEQUENCE":
        node.image_user.frame_duration, node.image_user.use_auto_refresh = FRAMES, True
    tree.links.new(node.outputs["Color"], glow.inputs["Color"])
    tree.links.new(glow.outputs["Emission"], output.inputs["Surface"])
    thing.data.materials.append(material)
    if stretch != 1.0:
        for loop in thing.data.uv_layers.active.data:
            loop.uv[0] *= stretch


def _look(scene: Any) -> None:
    import bpy

    bpy.ops.object.camera_add(location=(0, 1, 8))
    bpy.context.object.data.type, bpy.context.object.data.ortho_scale = "ORTHO", 6
    scene.camera = bpy.context.object
    render = scene.render
    render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.use_adaptive_sampling = 2, False, False
    scene.view_settings.view_transform = "Standard"
    render.resolution_x, render.resolution_y, render.resolution_percentage = SIDE * 2, SIDE, 100
    render.image_settings.file_format, render.image_settings.color_mode = "PNG", "RGB"
    scene.frame_start, scene.frame_end = 1, FRAMES
    render.filepath = "//render/beauty_####"
