"""Broken scenes: files that are gone or odd, made by script in a Blender. `Breaker` has those of settings, too."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from broken_expected import NAMES


class BrokenFiles:
    """Makes one broken scene after another, each below a folder of its own."""

    def __init__(self, folder: Path) -> None:
        import bpy

        self.folder = folder
        self.view: dict[str, Any] = {}
        folder.mkdir(parents=True)
        os.environ.pop("OCIO", None)
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        bpy.ops.mesh.primitive_plane_add()
        self.thing = bpy.context.object
        bpy.ops.object.camera_add()
        self.scene = bpy.context.scene
        self.scene.camera = bpy.context.object
        self.scene.render.engine, self.scene.render.filepath = "CYCLES", "//out/####"
        self.scene.cycles.use_denoising = False
        self.scene.frame_end = 3
        self.save()

    def save(self, name: str = "shot.blend") -> None:
        import bpy

        bpy.ops.wm.save_as_mainfile(filepath=str(self.folder / name), relative_remap=False)

    def picture(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x89PNG not looked at")
        return path

    def texture(self, path: str, source: str = "FILE") -> Any:
        import bpy

        image = bpy.data.images.new("texture", 2, 2, tiled=source == "TILED")
        image.source, image.filepath = source, path
        tree = self._tree()
        tree.nodes.new("ShaderNodeTexImage").image = image
        return image

    def _tree(self) -> Any:
        import bpy

        if not self.thing.data.materials:
            material = bpy.data.materials.new("material")
            material.use_nodes = True
            self.thing.data.materials.append(material)
        return self.thing.data.materials[0].node_tree

    def library(self, name: str, texture: str = "", nested: str = "") -> Path:
        """A .blend to link from, made in this session, which comes back to its own file."""
        import bpy

        own = bpy.data.filepath
        self.save()
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        bpy.ops.mesh.primitive_plane_add()
        bpy.context.object.name = "Linked"
        thing, self.thing = self.thing, bpy.context.object
        path = self.folder / name
        bpy.ops.wm.save_as_mainfile(filepath=str(path))
        if texture:
            self.texture(texture)
        if nested:
            self.link(nested)
            self.thing.parent = next(each for each in bpy.data.objects if each.library)
        bpy.ops.wm.save_as_mainfile(filepath=str(path), relative_remap=False)
        bpy.ops.wm.open_mainfile(filepath=own)
        del thing
        self.scene = bpy.context.scene
        self.thing = next(each for each in bpy.data.objects if each.type == "MESH")
        return path

    def link(self, raw: str) -> None:
        import bpy

        with bpy.data.libraries.load(raw, link=True, relative=True) as (source, target):
            target.objects = list(source.objects)
        for each in target.objects:
            bpy.context.scene.collection.objects.link(each)

    # ---- Files -----------------------------------------------------------------------------------------------------

    def texture_moved(self) -> None:
        self.texture("//old/a.png")
        self.picture("new/place/a.png")

    def texture_gone(self) -> None:
        self.texture("//old/a.png")

    def texture_of_a_library_gone(self) -> None:
        self.library("prop.blend", texture="//gone.png")
        self.link("//prop.blend")

    def texture_is_a_folder(self) -> None:
        (self.folder / "a.png").mkdir()
        self.texture("//a.png")

    def texture_is_a_link_to_itself(self) -> None:
        (self.folder / "a.png").symlink_to("a.png")
        self.texture("//a.png")

    def texture_is_a_link_to_nowhere(self) -> None:
        (self.folder / "a.png").symlink_to("nowhere")
        self.texture("//a.png")

    def five_hundred_textures_gone(self) -> None:
        for number in range(500):
            self.texture(f"//gone/{number}.png")

    def library_moved(self) -> None:
        path = self.library("prop.blend")
        self.link("//prop.blend")
        self.save()
        (self.folder / "moved").mkdir()
        path.rename(self.folder / "moved" / "prop.blend")

    def library_gone(self) -> None:
        path = self.library("prop.blend")
        self.link("//prop.blend")
        path.unlink()

    def library_of_a_library_gone(self) -> None:
        import bpy

        inner = self.library("inner.blend")
        self.library("outer.blend", nested="//inner.blend")
        self.link("//outer.blend")
        self.save()
        inner.unlink()
        bpy.ops.wm.open_mainfile(filepath=str(self.folder / "shot.blend"))

    def libraries_in_a_circle(self) -> None:
        import bpy

        self.library("a.blend")
        self.library("b.blend", nested="//a.blend")
        own = bpy.data.filepath
        bpy.ops.wm.open_mainfile(filepath=str(self.folder / "a.blend"))
        self.link("//b.blend")
        bpy.ops.wm.save_mainfile(relative_remap=False)
        bpy.ops.wm.open_mainfile(filepath=own)
        self.scene = bpy.context.scene
        self.link("//a.blend")
        self.save()
        bpy.ops.wm.open_mainfile(filepath=own)

    def udim_gone(self) -> None:
        self.texture("//t.<UDIM>.png", "TILED")

    def udim_with_a_gap(self) -> None:
        self.picture("t.1001.png")
        self.picture("t.1007.png")
        self.texture("//t.<UDIM>.png", "TILED")

    def sequence_gone(self) -> None:
        self.texture("//seq/s_0001.png", "SEQUENCE")

    def movie_clip_gone(self) -> None:
        import bpy

        path = self.folder / "clip.mp4"
        path.write_bytes(b"no movie")
        clip = bpy.data.movieclips.load(str(path))
        self._compositor("CompositorNodeMovieClip").clip = clip
        path.unlink()

    def _compositor(self, kind: str) -> Any:
        import bpy

        if hasattr(self.scene, "compositing_node_group"):  # since Blender 5
            self.scene.compositing_node_group = bpy.data.node_groups.new("compositor", "CompositorNodeTree")
            return self.scene.compositing_node_group.nodes.new(kind)
        self.scene.use_nodes = True
        return self.scene.node_tree.nodes.new(kind)

    def font_gone(self) -> None:
        import bpy

        found = next(Path(folder) / name for folder, _, names in os.walk("/usr/share/fonts") for name in names
                     if name.endswith((".ttf", ".otf")))  # fmt: skip
        path = self.folder / "own.ttf"
        path.write_bytes(found.read_bytes())
        bpy.ops.object.text_add()
        bpy.context.object.data.font = bpy.data.fonts.load(str(path))
        path.unlink()

    def sound_gone(self) -> None:
        import bpy

        bpy.ops.object.speaker_add()
        path = self.picture("own.wav")
        bpy.context.object.data.sound = bpy.data.sounds.load(str(path))
        path.unlink()

    def volume_gone(self) -> None:
        import bpy

        volume = bpy.data.volumes.new("smoke")
        volume.filepath = "//gone.vdb"
        self.scene.collection.objects.link(bpy.data.objects.new("smoke", volume))

    def mesh_cache_gone(self) -> None:
        self.thing.modifiers.new("cache", "MESH_CACHE").filepath = "//gone.pc2"

    def fluid_cache_gone(self) -> None:
        modifier = self.thing.modifiers.new("fluid", "FLUID")
        modifier.fluid_type = "DOMAIN"
        modifier.domain_settings.cache_directory = "//gone_cache"

    def ies_gone(self) -> None:
        node = self._tree().nodes.new("ShaderNodeTexIES")
        node.mode, node.filepath = "EXTERNAL", "//gone.ies"

    def shader_script_gone(self) -> None:
        node = self._tree().nodes.new("ShaderNodeScript")
        node.mode, node.filepath = "EXTERNAL", "//gone.osl"

    # ---- Names -----------------------------------------------------------------------------------------------------

    def named(self, name: str) -> None:
        self.picture(name)
        self.texture(f"//{name}")

    def name_in_latin(self) -> None:
        self.named(NAMES["latin"])

    def name_in_greek(self) -> None:
        self.named(NAMES["greek"])

    def name_in_cyrillic(self) -> None:
        self.named(NAMES["cyrillic"])

    def name_in_japanese(self) -> None:
        self.named(NAMES["japanese"])

    def name_in_arabic(self) -> None:
        self.named(NAMES["arabic"])

    def name_with_a_newline(self) -> None:
        self.named("a\nb\tc.png")

    def name_with_direction_marks(self) -> None:
        self.named("a\u202egnp.png")

    def path_of_300_characters(self) -> None:
        self.named("/".join(["d" * 90] * 3) + "/" + "n" * 30 + ".png")

    def path_of_50_folders(self) -> None:
        self.named("/".join(f"d{number}" for number in range(50)) + "/a.png")

    def names_that_differ_in_case(self) -> None:
        self.named("Tex/A.png")
        self.named("tex/a.png")

    def file_with_a_newline(self) -> None:
        self.save("a\nb.blend")
