"""What is open in the fake Maya: nodes, references, files, cameras, and what a test makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SETTINGS = {
    "currentRenderer": "arnold", "animation": True, "startFrame": 1.0, "endFrame": 10.0, "byFrameStep": 1.0,
    "extensionPadding": 4, "preMel": None, "postMel": None, "preRenderLayerMel": None, "postRenderLayerMel": None,
    "preRenderMel": None, "postRenderMel": None,
}  # fmt: skip
IDENTITY = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 2.0, 9.0, 1.0]


class Scene:
    """What is open. `nodes`: name to type and attributes; `references`: node to path, loaded, parent."""

    def __init__(self, project: Path, version: str) -> None:
        self.project, self.version, self.batch = str(project), version, False
        self.path, self.modified, self.kind = "", False, "mayaAscii"
        self.nodes: dict[str, dict[str, Any]] = {}
        self.references: dict[str, tuple[str, bool, str | None]] = {}
        self.referenced: set[str] = set()
        self.unknown_plugins: list[str] = []
        self.colour = (True, False, "")
        self.unit, self.image_rule, self.ending = "cm", "images", "exr"
        self.writes: list[str] = []
        self.export_fault = ""
        self.language = "en_US"
        self.picked: list[str] = []
        self.add("defaultRenderGlobals", "renderGlobals", **SETTINGS)
        self.add("defaultResolution", "resolution", width=1920, height=1080, deviceAspectRatio=16 / 9)
        self.add("time1", "time", outTime=5.0)
        self.add("defaultRenderLayer", "renderLayer", renderable=True)
        self.camera("persp", renderable=True)
        self.camera("top", orthographic=True)
        self.add("cubeShape", "mesh")

    def add(self, name: str, kind: str, **attributes: Any) -> None:
        """A node."""
        self.nodes[name] = {"type": kind, **attributes}

    def camera(self, name: str, *, renderable: bool = False, orthographic: bool = False) -> None:
        """A camera and its transform."""
        self.add(f"|{name}", "transform")
        self.add(
            f"|{name}|{name}Shape", "camera", renderable=renderable, orthographic=orthographic, parent=f"|{name}",
            horizontalFilmAperture=1.41732, verticalFilmAperture=0.94488, focalLength=35.0, filmFit=0,
            **{"worldMatrix[0]": IDENTITY},
        )  # fmt: skip

    def file(self, name: str, path: str, **attributes: Any) -> None:
        """A file texture."""
        self.add(name, "file", **{"fileTextureName": path, "uvTilingMode": 0, "useFrameExtension": False, **attributes})

    def reference(self, name: str, path: str, *, loaded: bool = True, parent: str | None = None) -> None:
        """A reference."""
        self.add(name, "reference")
        self.references[name] = (path, loaded, parent)
