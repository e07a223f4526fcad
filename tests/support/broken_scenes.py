"""Scenes with something wrong, made by script in a Blender, each by the function of its name.

What is expected of each stands in `broken_expected`; `broken_checks` has the add-on look at them.
"""

from __future__ import annotations

import os
from typing import Any

from broken_files import BrokenFiles


class Breaker(BrokenFiles):
    """Those with a setting that is wrong, and all others."""

    def no_active_camera(self) -> None:
        self.scene.camera = None

    def no_camera_at_all(self) -> None:
        import bpy

        bpy.data.objects.remove(self.scene.camera)

    def no_view_layer(self) -> None:
        self.scene.view_layers[0].use = False

    def range_that_is_none(self) -> None:
        self.scene.outfield.frames_mode, self.scene.outfield.frames = "RANGE", "1-x"

    def range_that_is_empty(self) -> None:
        self.scene.outfield.frames_mode, self.scene.outfield.frames = "RANGE", "1-5y1"

    def nothing_is_missing(self) -> None:
        self.output_that_is_there()
        self.scene.outfield.frames_mode = "MISSING"

    def output_in_the_temporary_folder(self) -> None:
        self.scene.render.filepath = "/tmp/"

    def output_where_the_farm_may_not_write(self) -> None:
        self.view = {"info": {"renderers": [], "output_roots": ["/somewhere/else"]}, "workers": None}

    def output_that_is_there(self) -> None:
        for frame in (1, 2, 3):
            self.picture(f"out/{frame:04d}.png")

    def output_is_a_movie(self) -> None:
        settings = self.scene.render.image_settings
        if hasattr(settings, "media_type"):  # since Blender 5
            settings.media_type = "VIDEO"
        settings.file_format = "FFMPEG"

    def painted_and_not_saved(self) -> None:
        image = self.texture(str(self.folder / "x.png"))
        image.source = "GENERATED"
        image.pixels[0] = 0.5

    def cloth_not_baked(self) -> None:
        self.thing.modifiers.new("cloth", "CLOTH")

    def script_at_the_start(self) -> None:
        import bpy

        bpy.data.texts.new("rig.py").use_module = True

    def driver_in_python(self) -> None:
        driver = self.thing.driver_add("location", 0).driver
        driver.type, driver.expression = "SCRIPTED", "len([1, 2]) * frame"

    def colours_of_its_own(self) -> None:
        os.environ["OCIO"] = "/studio/config.ocio"

    # ---- The fleet ---------------------------------------------------------------------------------------------------

    def fleet(self, *versions: str, **can: Any) -> None:
        told = [{"version": version, "engines": ["CYCLES"], "denoiser": True, **can} for version in versions]
        details = {"renderers": {"blender": {"blenders": told}}}
        worker = {"status": "ACTIVE", "capabilities": {"renderers": {"blender": list(versions)}, "details": details}}
        self.view = {"info": {"renderers": []}, "workers": [worker] if versions else []}

    def nobody_denoises(self) -> None:
        self.scene.cycles.use_denoising = True
        self.fleet("99.0.0", denoiser=False)

    def engine_of_an_add_on(self) -> None:
        self.scene.render.engine = "BLENDER_WORKBENCH"
        self.fleet("99.0.0")

    def newer_than_the_farm(self) -> None:
        self.fleet("2.93.0")

    def nobody_is_there(self) -> None:
        self.fleet()

    def larger_than_the_farm_takes(self) -> None:
        self.named("a.png")
        self.view = {"info": {"renderers": [], "limits": {"blob_max_bytes": 3}}, "workers": None}

    def never_saved(self) -> None:
        import bpy

        bpy.ops.wm.read_homefile(use_factory_startup=True)
        bpy.context.scene.outfield.output_mode = "FARM"
        bpy.context.scene.cycles.use_denoising = False
