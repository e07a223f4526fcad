# SPDX-License-Identifier: Apache-2.0
"""From an artist's wishes to the body of `POST /new_job`. Pure; what was not said is not sent, so the farm decides it.

`scene` is missing here: it is known when the bundle is sealed (`sending`).
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from .errors import Refused
from .frames import parse_frames

NAME_MAX = 200


class Wish:
    """What the artist wants, as plain values. Every field may be left as it is but `name`."""

    def __init__(self, name: str, **fields: Any) -> None:
        """Take the fields below by name.

        Raises:
            Refused: a field that there is not.
        """
        self.name = name
        self.renderer: Optional[str] = None
        self.frames = ""
        self.chunk = 1
        self.tiles: Optional[Tuple[int, int]] = None
        self.samples_split: Optional[int] = None
        self.settings: Dict[str, Any] = {}
        self.output: Optional[str] = None
        self.format: Optional[str] = None
        self.priority: Optional[int] = None
        self.deadline = ""
        self.project = ""
        self.sequence = ""
        self.shot = ""
        self.task = ""
        self.task_id: Optional[int] = None
        self.version = ""
        self.pools: List[str] = []
        self.cloud = ""
        self.cost_cap_usd: Optional[float] = None
        self.tags: List[str] = []
        self.memory_gib = 0.0
        self.depends_on: List[str] = []
        self.preview_first = False
        self.paused = False
        self.metadata: Dict[str, Any] = {}
        for key, value in fields.items():
            if key not in vars(self):
                known = ", ".join(sorted(vars(self)))
                raise Refused(
                    "There is no field {name!r}.",
                    {"name": key, "known": known},
                    code="unknown_field",
                    hint="Fields: {known}",
                )
            setattr(self, key, value)


def body_of(wish: Wish) -> Dict[str, Any]:
    """The body without anything that was not said.

    Raises:
        Refused: a name or a frame range that cannot be used.
    """
    name = " ".join(wish.name.split())[:NAME_MAX]
    if not name:
        raise Refused("The job has no name.", code="no_name", hint="Give it one.")
    if wish.frames:
        parse_frames(wish.frames)
    split = {"tiles": list(wish.tiles) if wish.tiles else None, "samples": wish.samples_split}
    body = {
        "name": name,
        "renderer": wish.renderer,
        "frames": wish.frames or None,
        "chunk": wish.chunk if wish.chunk > 1 else None,
        "split": split,
        "settings": wish.settings or None,
        "output": wish.output,
        "format": wish.format,
        "priority": wish.priority,
        "deadline": wish.deadline or None,
        "tracking": {
            "project": wish.project or None,
            "sequence": wish.sequence or None,
            "shot": wish.shot or None,
            "task": wish.task or None,
            "task_id": wish.task_id,
            "version": wish.version or None,
        },
        "pools": wish.pools or None,
        "cloud": wish.cloud or None,
        "cost_cap_usd": wish.cost_cap_usd,
        "requires": {"tags": wish.tags or None, "memory_gib": wish.memory_gib or None},
        "depends_on": wish.depends_on or None,
        "preview_first": wish.preview_first or None,
        "paused": wish.paused or None,
        "metadata": wish.metadata or None,
    }
    return _said(body)


def _said(body: Dict[str, Any]) -> Dict[str, Any]:
    kept: Dict[str, Any] = {}
    for key, value in body.items():
        inner = _said(value) if key in ("split", "tracking", "requires") else value
        if inner is not None and inner != {}:
            kept[key] = inner
    return kept
