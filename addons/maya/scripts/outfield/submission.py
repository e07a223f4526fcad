# SPDX-License-Identifier: Apache-2.0
"""From the open scene to submissions: what only Maya can tell and do of it. The steps are `outfield_core.assembly`.

One job is made for each render layer and camera.
"""

from __future__ import annotations

import os
from typing import Any, Dict, Iterator, List, Optional

from . import copies, dependencies, roads, scene, session, settings
from .outfield_core import assembly, delivery
from .outfield_core.errors import Refused
from .outfield_core.facts import Facts, Finding
from .outfield_core.fields import settings_of
from .outfield_core.files import Need
from .outfield_core.following import FarmView
from .outfield_core.outputs import FORMATS
from .outfield_core.payload import Wish
from .outfield_core.renderers import known_renderers
from .outfield_core.session import Session
from .outfield_core.wishes import frames_wished, overridden, take_over

WORKSPACE = "workspace.mel"
"""The project's rules travel along, for relative paths hold by them."""


class Shot(assembly.Target):
    """One job in the making: a layer and a camera."""

    def __init__(self, layer: str, camera: str) -> None:
        super().__init__()
        self.layer, self.camera = layer, camera


class Assembly(assembly.Assembly):
    """Submissions of the open scene in the making."""

    def __init__(self, here: Session, wishes: Dict[str, Any], farm: Optional[FarmView]) -> None:
        """Take the wishes; on the main thread.

        Raises:
            Refused: the farm's address is none.
        """
        super().__init__(here, wishes, farm)
        self._needs = dependencies.Needs()
        self._names, self._project = [""], ""
        self.odd, self.shots = roads.Odd(), []  # type: roads.Odd, List[Shot]

    def gather(self) -> Iterator[None]:
        """Read the scene, a little with each step."""
        preview = bool(self.wishes["preview"])
        self._needs, self.facts, self.odd = dependencies.Needs(), Facts(), roads.Odd()
        self.origin, self._project = scene.origin(), scene.project()
        self.extras = [] if preview else [os.path.join(self._project, WORKSPACE)]
        scene.read(self.facts, self.odd)
        yield
        if not preview:
            yield from dependencies.needs_of(self._needs, self.odd)
        self._names = dependencies.names_now()
        self.renderer = roads.PREVIEW if preview else roads.renderer_for(self.info, self.facts.engine)
        self.facts.renderer = self.renderer or ""
        if preview:
            self.facts.engine, self.facts.version, self.facts.program = "", (), ""
            self.facts.scripts, self.facts.unbaked, self.facts.ocio = [], [], ""
        self.facts.frames = self._frames()
        self.shots = self._shots()
        for shot in self.shots:
            self._aim(shot)
        self.targets = list(self.shots)
        yield

    def needs(self) -> List[Need]:
        """What `gather` has found."""
        return self._needs.found

    def still_true(self) -> bool:
        """Is it the same scene as when it was read? On the main thread, right before it is saved."""
        return scene.origin() == self.origin and dependencies.names_now() == self._names

    def is_as_saved(self) -> bool:
        """Is the file what is open? A mesh is always exported."""
        return not self.wishes["preview"] and copies.is_as_saved()

    def write_copy(self, path: str) -> None:
        """Maya exports what is open."""
        (copies.export_mesh if self.wishes["preview"] else copies.export_scene)(path)

    def own_findings(self) -> List[Finding]:
        """What only Maya scenes have."""
        outputs = [target.output for target in self.targets if target.output]
        self.odd.doubled_output = next((each for each in outputs if outputs.count(each) > 1), "")
        has = known_renderers(self.info)
        return roads.odd_findings(self.odd, preview=self.wishes["preview"], renderer=self.renderer, has=has)

    def scene_name(self) -> str:
        """The copy's name; a mesh is told by its ending."""
        name = super().scene_name()
        return os.path.splitext(name)[0] + ".obj" if self.wishes["preview"] else name

    def _shots(self) -> List[Shot]:
        """Chosen, else renderable; a preview is of one camera."""
        wished_layer, wished_camera = str(self.wishes["layer"]), str(self.wishes["camera"])
        labels = {scene.layer_label(each): each for each in self.odd.all_layers}
        if wished_layer:
            if labels.get(wished_layer, wished_layer) not in self.odd.all_layers:
                known = ", ".join(sorted(labels))
                raise Refused(
                    "There is no layer {name!r}.",
                    {"name": wished_layer, "known": known},
                    code="no_layer",
                    hint="Layers: {known}",
                )
            self.odd.layers = [labels.get(wished_layer, wished_layer)]
        renderable, others = scene.cameras()
        if wished_camera:
            if wished_camera not in renderable + others:
                known = ", ".join(renderable + others)
                raise Refused(
                    "There is no camera {name!r}.",
                    {"name": wished_camera, "known": known},
                    code="no_camera",
                    hint="Cameras: {known}",
                )
            renderable, self.facts.camera = [wished_camera], True
        if self.wishes["preview"]:
            return [Shot(scene.DEFAULT_LAYER, (renderable + others + [""])[0])]
        return [Shot(layer, camera) for layer in self.odd.layers for camera in renderable]

    def _frames(self) -> str:
        if self.wishes["preview"]:
            return str(scene.current_frame())
        return frames_wished(self.wishes, scene=scene.scene_frames(), current=scene.current_frame())

    def _aim(self, shot: Shot) -> None:
        """Fill in the output and the wish of one job."""
        preview = self.wishes["preview"]
        if not preview:
            path, shot.format, shot.is_movie = roads.output_of(scene.image_name(shot.layer, shot.camera))
            ending = os.path.splitext(scene.image_name(shot.layer, shot.camera))[1]
            self.odd.image_ending_unknown |= ending.lower() not in FORMATS and not shot.is_movie
            if self.wishes["output_mode"] != "FARM":
                shot.output = os.path.normpath(path).replace(os.sep, "/")
        shot.wish = self._wish(shot)

    def _wish(self, shot: Shot) -> Wish:
        said = self.wishes
        wish = Wish(self._name_of(shot), renderer=self.renderer, frames=self.facts.frames, format=shot.format)
        wish.output = shot.output or None
        take_over(wish, said)
        own = self._mesh_settings(shot) if said["preview"] else self._scene_settings(shot)
        wish.settings = dict(own, **settings_of(said["overrides"]))
        wish.metadata = {
            "submitted_from": "Maya {}".format(".".join(map(str, scene.version()))),
            "file": scene.path(),
            "maya": {
                "renderer": scene.engine(), "layer": scene.layer_label(shot.layer), "camera": shot.camera,
                "project": self._project,
            },
        }  # fmt: skip
        return wish

    def _name_of(self, shot: Shot) -> str:
        name = str(self.wishes["job_name"]) or os.path.splitext(os.path.basename(scene.path()))[0] or "untitled"
        if self.wishes["preview"]:
            return name + " preview"
        layers = {each.layer for each in self.shots}
        cameras = {each.camera for each in self.shots}
        parts = [name]
        if len(layers) > 1:
            parts.append(scene.layer_label(shot.layer))
        if len(cameras) > 1:
            parts.append(shot.camera.rpartition("|")[2])
        return " ".join(parts)

    def _scene_settings(self, shot: Shot) -> Dict[str, Any]:
        answers = {
            "camera": shot.camera, "layer": scene.layer_label(shot.layer), "engine": scene.engine(),
            "project": self._project,
        }  # fmt: skip
        return roads.own_settings(self.info, self.renderer or "", answers)

    def _mesh_settings(self, shot: Shot) -> Dict[str, Any]:
        width, height = scene.resolution()
        made: Dict[str, Any] = {"width": width, "height": height}
        camera = scene.pinhole(shot.camera) if shot.camera else {}
        return dict(made, camera=camera) if camera else made


def submit(said: Dict[str, Any]) -> List[delivery.Submitted]:
    """Submit the open scene and wait; all about it: `outfield.submit`."""
    here = session.current()
    here.look()
    ground = dict(settings.DEFAULTS) if scene.is_batch() else settings.wishes()
    return delivery.submit(Assembly(here, overridden(said, ground), here.ask()))
