# SPDX-License-Identifier: Apache-2.0
"""What is told of a scene before a render: `Facts` go into the preflight, `Finding`s come out. PURE."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Optional, Tuple

from .files import Found
from .texts import tr

ERROR, WARNING, NOTE = "error", "warning", "note"
_ORDER = (ERROR, WARNING, NOTE)


class Finding:
    """Something to know before a render: an `error` stops it, a `warning` is worth a look, a `note` is just said.

    `fix` names what the add-on can do about it, `target` what it does it to.
    """

    def __init__(
        self,
        code: str,
        severity: str,
        text: str,
        values: Optional[Dict[str, Any]] = None,
        *,
        fix: str = "",
        target: str = "",
    ) -> None:
        self.code, self.severity, self.text, self.values = code, severity, text, values or {}
        self.fix, self.target = fix, target

    @property
    def sentence(self) -> str:
        """The sentence, in the artist's language."""
        return tr(self.text, **self.values)

    def __repr__(self) -> str:
        return "Finding({!r}, {!r}, {!r}, fix={!r})".format(self.code, self.severity, self.sentence, self.fix)


class Facts:
    """What is known about the scene and the farm; an add-on sets what its program can tell and leaves the rest."""

    def __init__(self) -> None:
        self.program = ""
        self.version: Tuple[int, ...] = ()
        self.scene_path = ""
        self.is_dirty = False
        self.frames = ""
        self.frames_max = 100_000
        self.renderer = ""
        self.engine = ""
        self.engine_known = True
        self.camera = True
        self.other_cameras: List[str] = []
        self.view_layers = 1
        self.output = ""  # absolute path with ####; empty: the farm keeps the frames
        self.output_is_default = False
        self.output_is_movie = False
        self.format = ""
        self.denoises = False
        self.scripts: List[str] = []
        self.drivers = 0
        self.unsaved_images: List[str] = []
        self.unbaked: List[str] = []
        self.ocio = ""
        self.files: Optional[Found] = None
        self.existing_frames = 0
        self.output_roots: Optional[List[str]] = None
        self.workers: Optional[List[Dict[str, Any]]] = None
        self.upload_bytes_max = 0


def errors(found: Iterable[Finding]) -> List[Finding]:
    """Those that stop a submission."""
    return [finding for finding in found if finding.severity == ERROR]


def worst_first(found: Iterable[Finding]) -> List[Finding]:
    """Errors, then warnings, then notes."""
    return sorted(found, key=lambda finding: _ORDER.index(finding.severity))
