# SPDX-License-Identifier: Apache-2.0
"""Which of the farm's renderers takes a scene, by the scene's ending. PURE.

The farm describes its renderers (`GET /info`: names, endings, settings), so that one which learns a program's scenes
needs no new add-on. A farm without one is told to the artist before anything is sent.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

from .facts import ERROR, Finding
from .fields import fields_of

_SPLITS = {"TILES": "tiles", "SAMPLES": "samples"}
"""What the farm calls the ways to split."""


def renderer_for(info: Optional[Dict[str, Any]], endings: Sequence[str], preferred: Sequence[str]) -> Optional[str]:
    """The farm's renderer for scenes of these endings, one of `preferred` before others; None: it has none.

    `info` None, the farm is unknown: the last of `preferred`, which is what is asked for until it has said.
    """
    if info is None:
        return preferred[-1]
    able = [
        str(each.get("name"))
        for each in info.get("renderers") or []
        if any(str(ending).lower() in endings for ending in each.get("endings") or ())
    ]
    return next((name for name in preferred if name in able), able[0] if able else None)


def known_renderers(info: Optional[Dict[str, Any]]) -> List[str]:
    """The names of all that the farm has."""
    return [str(each.get("name")) for each in (info or {}).get("renderers") or []]


def own_settings(
    info: Optional[Dict[str, Any]], renderer: str, names: Dict[str, str], answers: Dict[str, Any]
) -> Dict[str, Any]:
    """What the scene says, under the names that the farm's renderer describes.

    `names`: a setting's name on the farm to the name of the answer.
    """
    made = {}
    for field in fields_of(info or {}, renderer):
        answer = answers.get(names.get(field.name, ""))
        if answer and (field.kind == "text" or (field.kind == "choice" and answer in field.choices)):
            made[field.name] = answer
    return made


def ways_to_split(info: Optional[Dict[str, Any]], renderer: Optional[str]) -> List[str]:
    """Values of `split_mode` that the renderer takes; all of them while it is unknown."""
    known = next((each for each in (info or {}).get("renderers") or [] if each.get("name") == renderer), {})
    return ["FRAMES", *(mode for mode, named in _SPLITS.items() if known.get(named, True))]


def cannot_split(renderer: str) -> Finding:
    """The finding for a renderer that does not take the way in which frames are to be split."""
    return Finding(
        "no_split",
        ERROR,
        "The farm's renderer {name} does not split frames in this way.",
        {"name": renderer},
        fix="whole_frames",
    )


def no_renderer(program: str, has: Sequence[str], *, fix: str = "") -> Finding:
    """The finding for a farm that takes no such scene; `has`: its renderers."""
    return Finding(
        "no_renderer",
        ERROR,
        "This farm has no renderer for {program} scenes; it has {names}.",
        {"program": program, "names": ", ".join(has) or "-"},
        fix=fix,
    )
