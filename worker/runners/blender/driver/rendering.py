"""Carrying out one command on the open file: whole frames, a part of a frame, or the frame of merged parts."""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Any

import bpy

from worker.runners.blender.driver import choosing, picture, splitting
from worker.runners.blender.driver.channel import Channel
from worker.runners.blender.driver.cutting import sample_range, tile_rect
from worker.runners.blender.driver.developing import use_merged
from worker.runners.blender.driver.engines import Engines
from worker.runners.blender.driver.journal import Journal, fingerprint
from worker.runners.blender.driver.opening import blocked_drivers
from worker.runners.blender.driver.refusals import Refused


class Renderer:
    """The open file in its state after loading, and the commands that render it."""

    def __init__(self, channel: Channel, engines: Engines, threads: int) -> None:
        self._channel = channel
        self._engines = engines
        self._threads = threads
        self._cameras = {scene.name: scene.camera for scene in bpy.data.scenes}
        self._fingerprints = {scene.name: fingerprint(scene) for scene in bpy.data.scenes}

    def render(self, command: dict[str, Any]) -> bool:
        """Render whole frames; True when the process may be used again."""
        with self._prepared(command) as (journal, scene):
            for output in command["outputs"]:
                self._frame(journal, scene, output, {"size": picture.written_size(scene)})
        return self.is_clean()

    def render_part(self, command: dict[str, Any]) -> bool:
        """Render one tile and/or sample slice of each frame; True when the process may be used again."""
        with self._prepared(command) as (journal, scene):
            splitting.check_can_split(scene)
            meta = self._plan_part(scene, command)
            if scene.cycles.use_denoising or scene.cycles.use_adaptive_sampling:
                self._note("Denoising and adaptive sampling are off, because the frame is rendered in parts.")
            splitting.compute_all_samples(journal, scene)
            if command["slice"] is not None:
                splitting.set_samples(journal, scene, meta["first_sample"], meta["samples"])
            splitting.set_tile(journal, scene, meta["rect"])
            journal.set(scene.render, "use_compositing", False)
            journal.set(scene.render, "use_stamp", False)
            picture.set_partial_format(scene)
            for output in command["outputs"]:
                if meta["samples"] == 0:
                    self._channel.emit("frame", frame=output["frame"], path="", size=picture.size(scene), meta=meta)
                else:
                    self._frame(journal, scene, output, {"size": picture.size(scene), "meta": meta})
        return self.is_clean()

    def develop(self, command: dict[str, Any]) -> bool:
        """Write the frame whose merged passes are in `source`; True when the process may be used again."""
        with self._prepared(command) as (journal, scene):
            use_merged(journal, scene, command["source"], command["passes"] == "all")
            for output in command["outputs"]:
                self._frame(journal, scene, output, {"size": picture.written_size(scene)})
        return self.is_clean()

    @contextmanager
    def _prepared(self, command: dict[str, Any]) -> Any:
        """The scene with the task's settings; afterwards everything is as it was."""
        settings = command["settings"]
        scene = choosing.choose_scene(settings.get("scene"))
        scene.camera = self._cameras[scene.name]  # a marker may have changed it in an earlier frame
        journal, keeper = Journal(), picture.ImageSettingsKeeper(scene)
        try:
            choosing.choose_engine(journal, scene, settings.get("engine"), self._engines.names)
            self._engines.check(scene)
            choosing.choose_view_layer(journal, scene, settings.get("view_layer"))
            choosing.choose_camera(journal, scene, settings.get("camera"))
            choosing.choose_samples(journal, scene, settings.get("samples"))
            if settings.get("seed") is not None and scene.render.engine == "CYCLES":
                journal.override(scene.cycles, "seed", settings["seed"])
            self._choose_machine(journal, scene, command)
            picture.set_size(journal, scene, settings)
            picture.set_format(scene, command["format"], settings)
            if scene.render.use_multiview and scene.render.image_settings.views_format == "INDIVIDUAL":
                raise Refused("two_eyes")
            yield journal, scene
        finally:
            journal.undo()
            keeper.restore()

    def _choose_machine(self, journal: Journal, scene: Any, command: dict[str, Any]) -> None:
        """Denoiser, device, threads, and files that nobody has asked for."""
        if command["op"] == "render":
            choosing.choose_denoising(journal, scene, command["settings"].get("denoise"))
        if command["op"] != "part":
            choosing.check_compositor(scene)
        if command["op"] != "develop":
            self._note(choosing.choose_device(journal, scene, command["settings"].get("device")))
        threads = min(self._threads, command["settings"].get("threads") or self._threads)
        journal.override(scene.render, "threads_mode", "FIXED")
        journal.override(scene.render, "threads", threads)
        for name in choosing.mute_file_outputs(journal, scene):
            self._note(f"The compositor's node {name!r} would write files of its own and was switched off.")

    def _plan_part(self, scene: Any, command: dict[str, Any]) -> dict[str, Any]:
        width, height = picture.size(scene)
        total = scene.cycles.samples
        first, samples = sample_range(command["slice"], total)
        passes = splitting.passes_needed(scene)
        if passes == "all" and command["slice"] is not None:
            raise Refused("cannot_split", reason="passes", engine="CYCLES")
        return {
            "rect": tile_rect(command["tile"], width, height),
            "width": width,
            "height": height,
            "first_sample": first,
            "samples": samples,
            "total_samples": total,
            "passes": passes,
            "blender": ".".join(str(part) for part in bpy.app.version),
        }

    def _frame(self, journal: Journal, scene: Any, output: dict[str, Any], about: dict[str, Any]) -> None:
        """Render one frame to its path, and say that it is there."""
        frame, path = output["frame"], output["path"]
        self._channel.emit("begin", frame=frame)
        journal.set(scene, "frame_current", frame)
        picture.set_output(journal, scene, path)
        try:
            answer = bpy.ops.render.render(write_still=True, scene=scene.name)
        except RuntimeError as error:
            raise Refused("render_error", text=str(error), frame=frame, path=path) from error
        if answer != {"FINISHED"}:
            raise Refused("render_error", text="Blender broke off the render.", frame=frame, path=path)
        if blocked_drivers():
            raise Refused("blocked_driver", text=blocked_drivers())
        if not os.path.exists(path):
            raise Refused(
                "render_error", text="Blender said that it was done and wrote no file.", frame=frame, path=path
            )
        self._channel.emit("frame", frame=frame, path=path, **about)

    def is_clean(self) -> bool:
        """Whether every setting of the file is what it was after loading."""
        return all(fingerprint(scene) == self._fingerprints.get(scene.name) for scene in bpy.data.scenes)

    def _note(self, text: str) -> None:
        if text:
            self._channel.emit("note", text=text)
