# SPDX-License-Identifier: Apache-2.0
"""From the open scene to submissions in the spool.

`Assembly` has four steps, which `flow` spreads over turns and a thread and `delivery.submit` takes at once: `gather`
(main thread, in small steps), `inspect` (any thread), `save_copy` (main thread), `commit` (any thread). One job is made
for each render layer and camera.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any, Dict, Iterator, List, Optional

from . import copies, dependencies, roads, scene, session, settings
from .outfield_core.client import normal_server
from .outfield_core.costs import usd_of
from .outfield_core.errors import FarmError, Refused
from .outfield_core.fields import settings_of
from .outfield_core.files import Found, find_files
from .outfield_core.following import FarmView
from .outfield_core.frames import format_frames, missing_frames, parse_frames
from .outfield_core.layout import safe_name
from .outfield_core.payload import Wish, body_of
from .outfield_core.preflight import Facts, Finding, findings
from .outfield_core.spool import Draft, Kept

OF_OUTPUT = frozenset({"output_outside", "overwrites", "movie"})
"""Findings that each job may have for itself."""


class Target:
    """One job in the making: a layer, a camera, where its frames go."""

    def __init__(self, layer: str, camera: str) -> None:
        self.layer, self.camera, self.output, self.format, self.is_movie = layer, camera, "", "png", False
        self.existing = 0
        self.wish = Wish("untitled")
        self.draft: Optional[Draft] = None


class Assembly:
    """A submission in the making. `farm`: what the follower knows, None or not live: nothing."""

    def __init__(self, wishes: Dict[str, Any], farm: Optional[FarmView]) -> None:
        """Take the wishes; on the main thread.

        Raises:
            Refused: the farm's address is none.
        """
        self._wishes = wishes
        self._server = normal_server(settings.connection()["server"])
        self._farm = farm if farm is not None and farm.is_live else None
        self._needs = dependencies.Needs()
        self._origin, self._names, self._project = "", [""], ""
        self._bytes_only = False
        self.facts, self.odd = Facts(), roads.Odd()
        self.targets: List[Target] = []
        self.renderer: Optional[str] = None
        self.found: List[Finding] = []

    @property
    def info(self) -> Optional[Dict[str, Any]]:
        """What the farm says of itself."""
        return self._farm.info if self._farm is not None else None

    @property
    def missing(self) -> List[Any]:
        """Needs that the disk does not have."""
        return self.facts.files.missing if self.facts.files is not None else []

    # ---- 1: read -----------------------------------------------------------------------------------------------------

    def gather(self) -> Iterator[None]:
        """Read the scene, a little with each step."""
        preview = bool(self._wishes["preview"])
        self._needs, self.facts, self.odd = dependencies.Needs(), Facts(), roads.Odd()
        self._origin, self._project = scene.origin(), scene.project()
        scene.read(self.facts, self.odd)
        yield
        if not preview:
            for _ in dependencies.needs_of(self._needs, self.odd):
                yield
        self._names = dependencies.names_now()
        self.renderer = roads.PREVIEW if preview else roads.renderer_for(self.info, self.facts.engine)
        self.facts.renderer = self.renderer or ""
        if preview:
            self.facts.engine, self.facts.version, self.facts.program = "", (), ""
            self.facts.scripts, self.facts.unbaked, self.facts.ocio = [], [], ""
        self.facts.frames = self._frames()
        self.targets = self._targets()
        for target in self.targets:
            self._aim(target)
        yield

    def still_true(self) -> bool:
        """Is it the same scene as when it was read? On the main thread, right before it is saved."""
        return scene.origin() == self._origin and dependencies.names_now() == self._names

    def _targets(self) -> List[Target]:
        """Chosen, else renderable; a preview is of one camera."""
        wished_layer, wished_camera = str(self._wishes["layer"]), str(self._wishes["camera"])
        labels = {scene.layer_label(each): each for each in self.odd.all_layers}
        if wished_layer:
            if labels.get(wished_layer, wished_layer) not in self.odd.all_layers:
                known = ", ".join(sorted(labels))
                raise Refused("There is no layer {!r}.".format(wished_layer), code="no_layer", hint="Layers: " + known)
            self.odd.layers = [labels.get(wished_layer, wished_layer)]
        renderable, others = scene.cameras()
        if wished_camera:
            if wished_camera not in renderable + others:
                known = ", ".join(renderable + others)
                raise Refused("There is no camera {!r}.".format(wished_camera), code="no_camera", hint=known)
            renderable, self.facts.camera = [wished_camera], True
        if self._wishes["preview"]:
            return [Target(scene.DEFAULT_LAYER, (renderable + others + [""])[0])]
        return [Target(layer, camera) for layer in self.odd.layers for camera in renderable]

    def _frames(self) -> str:
        mode = self._wishes["frames_mode"]
        if self._wishes["preview"] or mode == "CURRENT":
            return str(scene.current_frame())
        return str(self._wishes["frames"]).strip() if mode == "RANGE" else scene.scene_frames()

    def _aim(self, target: Target) -> None:
        """Fill in the output and the wish of one job."""
        preview = self._wishes["preview"]
        if not preview:
            path, target.format, target.is_movie = roads.output_of(scene.image_name(target.layer, target.camera))
            ending = os.path.splitext(scene.image_name(target.layer, target.camera))[1]
            self.odd.image_ending_unknown |= ending.lower() not in roads.FORMATS and not target.is_movie
            if self._wishes["output_mode"] != "FARM":
                target.output = os.path.normpath(path).replace(os.sep, "/")
        target.wish = self._wish(target)

    def _wish(self, target: Target) -> Wish:
        said = self._wishes
        wish = Wish(self._name_of(target), renderer=self.renderer, frames=self.facts.frames, format=target.format)
        wish.output, wish.chunk = target.output or None, int(said["chunk"])
        for name in ("project", "sequence", "shot", "task"):
            setattr(wish, name, str(said[name]))
        wish.priority, wish.deadline, wish.cloud = int(said["priority"]), str(said["deadline"]), str(said["cloud"])
        wish.cost_cap_usd = usd_of(said["cost_cap_usd"])
        wish.pools = [str(said["pool"])] if said["pool"] else []
        wish.preview_first, wish.paused = bool(said["preview_first"]), bool(said["paused"])
        own = self._mesh_settings(target) if said["preview"] else self._scene_settings(target)
        wish.settings = dict(own, **settings_of(said["overrides"]))
        wish.metadata = {
            "submitted_from": "Maya {}".format(".".join(map(str, scene.version()))),
            "file": scene.path(),
            "maya": {
                "renderer": scene.engine(), "layer": scene.layer_label(target.layer), "camera": target.camera,
                "project": self._project,
            },
        }  # fmt: skip
        return wish

    def _name_of(self, target: Target) -> str:
        name = str(self._wishes["job_name"]) or os.path.splitext(os.path.basename(scene.path()))[0] or "untitled"
        if self._wishes["preview"]:
            return name + " preview"
        layers = {each.layer for each in self.targets}
        cameras = {each.camera for each in self.targets}
        parts = [name]
        if len(layers) > 1:
            parts.append(scene.layer_label(target.layer))
        if len(cameras) > 1:
            parts.append(target.camera.rpartition("|")[2])
        return " ".join(parts)

    def _scene_settings(self, target: Target) -> Dict[str, Any]:
        answers = {
            "camera": target.camera, "layer": scene.layer_label(target.layer), "engine": scene.engine(),
            "project": self._project,
        }  # fmt: skip
        return roads.own_settings(self.info, self.renderer or "", answers)

    def _mesh_settings(self, target: Target) -> Dict[str, Any]:
        width, height = scene.resolution()
        made: Dict[str, Any] = {"width": width, "height": height}
        camera = scene.pinhole(target.camera) if target.camera else {}
        return dict(made, camera=camera) if camera else made

    # ---- 2: judge ----------------------------------------------------------------------------------------------------

    def inspect(self) -> List[Finding]:
        """Look at the disk and judge."""
        facts = self.facts
        facts.files = find_files(self._needs.found)
        self._take_workspace(facts.files)
        self._take_farm()
        for target in self.targets:
            self._look_at_output(target)
        self._drop_finished()
        found: List[Finding] = []
        for number, target in enumerate(self.targets or [Target("", "")]):
            facts.output, facts.existing_frames = target.output, target.existing
            facts.output_is_movie, facts.format = target.is_movie, target.format
            told = findings(facts)
            found += told if number == 0 else [each for each in told if each.code in OF_OUTPUT]
        outputs = [target.output for target in self.targets if target.output]
        self.odd.doubled_output = next((each for each in outputs if outputs.count(each) > 1), "")
        has = roads.known_renderers(self.info)
        found += roads.odd_findings(self.odd, preview=self._wishes["preview"], renderer=self.renderer, has=has)
        order = ("error", "warning", "note")
        self.found = sorted(found, key=lambda finding: order.index(finding.severity))
        return self.found

    def _take_workspace(self, files: Found) -> None:
        """The project's rules travel along, for relative paths hold by them."""
        rules = os.path.join(self._project, "workspace.mel")
        if not self._wishes["preview"] and os.path.isfile(rules):
            files.files[rules] = os.stat(rules).st_size

    def _take_farm(self) -> None:
        if self._farm is None or self.info is None:
            return
        if "output_roots" in self.info:
            self.facts.output_roots = [str(root) for root in self.info["output_roots"]]
        limits = self.info.get("limits") or {}
        self.facts.frames_max = int(limits.get("frames_per_job_max", self.facts.frames_max))
        self.facts.upload_bytes_max = int(limits.get("blob_max_bytes", 0))
        self.facts.workers = self._farm.workers

    def _look_at_output(self, target: Target) -> None:
        """Frames that are there already: to be left out, or to be warned of."""
        if not target.output:
            return
        try:
            frames = parse_frames(self.facts.frames)
        except FarmError:
            return
        present = [frame for frame in frames if os.path.exists(roads.frame_file(target.output, frame))]
        if self._wishes["frames_mode"] == "MISSING":
            target.wish.frames = format_frames(missing_frames(frames, present))
        else:
            target.existing = len(present)

    def _drop_finished(self) -> None:
        """Of the missing frames only: jobs that have none. All of them have none: the first one says so."""
        if self._wishes["frames_mode"] == "MISSING" and self.targets and not self._wishes["preview"]:
            left = [target for target in self.targets if target.wish.frames]
            self.facts.frames = left[0].wish.frames if left else ""
            self.targets = left or self.targets

    # ---- 3 and 4: keep -----------------------------------------------------------------------------------------------

    def save_copy(self) -> None:
        """Export what is open into the spool; on the main thread.

        Raises:
            LocalTrouble: it cannot be written; nothing is left.
        """
        draft = self.targets[0].draft = session.current().spool.begin()
        self._bytes_only = not self._wishes["preview"] and copies.is_as_saved()
        if self._bytes_only:
            return  # `commit` copies the bytes, off the main thread
        path = os.path.join(draft.folder, self.scene_name())
        try:
            (copies.export_mesh if self._wishes["preview"] else copies.export_scene)(path)
        except (RuntimeError, OSError) as error:
            self.abandon()
            raise copies.save_trouble(draft.folder, str(error)) from error
        if not os.path.exists(path):
            self.abandon()
            raise copies.save_trouble(draft.folder, "nothing was written")

    def commit(self) -> List[Kept]:
        """Make the submissions real: from here on they are sent, whatever dies. Every copy is made before the first.

        Raises:
            LocalTrouble: the disk is full or cannot be written.
        """
        first = self.targets[0].draft
        assert first is not None, "the copy is saved first"
        try:
            if self._bytes_only:
                copies.copy_unchanged(self._origin, first.folder, self.scene_name())
            for target in self.targets[1:]:
                target.draft = session.current().spool.begin()
                copies.copy(os.path.join(first.folder, self.scene_name()), target.draft.folder, self.scene_name())
        except FarmError:
            self.abandon()
            raise
        made = []
        for number, target in enumerate(self.targets):
            assert target.draft is not None
            order = "{}-{:04d}".format(datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S%f"), number)
            made.append(target.draft.commit(self._content(target), order))
            target.draft = None
        return made

    def _content(self, target: Target) -> Dict[str, Any]:
        files = sorted(self.facts.files.files) if self.facts.files is not None else []
        return {
            "server": self._server,
            "body": body_of(target.wish),
            "scene": self.scene_name(),
            "origin": os.path.join(os.path.dirname(self._origin), self.scene_name()),
            "files": [path for path in files if path != self._origin],
        }

    def abandon(self) -> None:
        """Leave nothing behind."""
        for target in self.targets:
            if target.draft is not None:
                target.draft.abandon()
                target.draft = None

    def scene_name(self) -> str:
        """The copy's name; a mesh is told by its ending."""
        name = safe_name(os.path.basename(self._origin))
        return os.path.splitext(name)[0] + ".obj" if self._wishes["preview"] else name
