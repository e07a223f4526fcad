# SPDX-License-Identifier: Apache-2.0
"""Which of the farm's renderers takes a Maya scene, and what of the scene it can be told. PURE.

The farm describes its renderers (`GET /info`: names, endings, settings), so that one which learns Maya needs no new
add-on. A farm without one is told to the artist before anything is sent; what it can do with the mesh alone is offered.
"""

from __future__ import annotations

import os
import re
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .outfield_core import renderers
from .outfield_core.facts import ERROR, NOTE, WARNING, Finding
from .outfield_core.outputs import FORMATS, HASHES, MOVIES

ENDINGS = (".ma", ".mb")
PREVIEW = "kernel"
"""The farm's renderer of bare meshes."""

UNKNOWN = "maya"
"""What is asked for while the farm has not said what it has."""

OURS = {
    "camera": "camera",
    "layer": "layer",
    "render_layer": "layer",
    "engine": "engine",
    "project": "project",
    "workspace": "project",
}
"""Settings that the scene answers, where the farm's renderer has them."""

ENGINES = {"mayaSoftware": "sw", "mayaHardware2": "hw2"}
"""Engines that Maya's command line, and so the farm, calls otherwise than scenes do."""

_TOKEN = re.compile("<([^<>]*)>")


def renderer_for(info: Optional[Dict[str, Any]], engine: str) -> Optional[str]:
    """The farm's renderer for a Maya scene of this engine (`arnold`); None: it has none. Unknown farm: `maya`."""
    return renderers.renderer_for(info, ENDINGS, (engine, UNKNOWN))


def own_settings(info: Optional[Dict[str, Any]], renderer: str, answers: Dict[str, Any]) -> Dict[str, Any]:
    """What the scene says, under the names that the farm's renderer describes. `answers`: by the values of `OURS`."""
    engine = answers.get("engine")
    answers = dict(answers, engine=ENGINES.get(str(engine), engine))
    return renderers.own_settings(info, renderer, OURS, answers)


def output_of(image_name: str) -> Tuple[str, str, bool]:
    """From the name that Maya gives to an image with #### in it: output path, format, and whether it is a movie.

    Tokens that only the renderer knows are filled with their usual value or left out; a name without a frame gets one.
    """
    path = _TOKEN.sub(lambda token: "beauty" if token[1].lower() == "renderpass" else "", image_name)
    path = path.replace("\\", "/")
    folder, slash, name = path.rpartition("/")
    stem, ending = os.path.splitext(name)
    if "#" in ending:  # name.ext.#### and name.####: the frame stands last
        if os.path.splitext(stem)[1].lower() in FORMATS:
            inner, own = os.path.splitext(stem)
            stem, ending = inner + ending, own
        else:
            stem, ending = name, ""
    known = FORMATS.get(ending.lower())
    if not HASHES.search(stem):
        stem += ".####"
    return folder + slash + stem + (ending if known else ".png"), known or "png", ending.lower() in MOVIES


class Odd:
    """What only Maya scenes have, for `odd_findings`."""

    def __init__(self) -> None:
        self.layers: List[str] = []
        self.all_layers: List[str] = []
        self.unloaded: List[str] = []
        self.scripts: List[str] = []
        self.unknown_plugins: List[str] = []
        self.unknown_nodes = 0
        self.meshes = 0
        self.doubled_output = ""
        self.image_ending_unknown = False


def odd_findings(odd: Odd, *, preview: bool, renderer: Optional[str], has: List[str]) -> List[Finding]:
    """What is to be said of a Maya scene besides what is said of every scene; `has`: the farm's renderers."""
    return list(_of_preview(odd, has)) if preview else [*_of_farm(odd, renderer, has), *_of_scene(odd)]


def _of_preview(odd: Odd, has: List[str]) -> Iterator[Finding]:
    yield Finding("preview", NOTE, "Only the mesh of the current frame is sent, for ambient occlusion.")
    if not odd.meshes:
        yield Finding("no_mesh", ERROR, "The scene has no mesh to show.")
    if has and PREVIEW not in has:
        yield Finding("no_preview", ERROR, "This farm does not render meshes.", fix="no_preview")


def _of_farm(odd: Odd, renderer: Optional[str], has: List[str]) -> Iterator[Finding]:
    if renderer is None:
        yield renderers.no_renderer("Maya", has, fix="use_preview" if PREVIEW in has and odd.meshes else "")
    if odd.image_ending_unknown:
        yield Finding("format", WARNING, "The farm does not write this image format; it writes PNG.")


def _of_scene(odd: Odd) -> Iterator[Finding]:
    if not odd.layers:
        target = odd.all_layers[0] if odd.all_layers else ""
        fix = "use_layer" if target else ""
        yield Finding("no_layer", ERROR, "No render layer is switched on.", fix=fix, target=target)
    if odd.scripts:
        yield Finding(
            "scripts_run",
            WARNING,
            "Scripts in the file run on the farm, where its workers allow it: {names}.",
            {"names": ", ".join(odd.scripts[:5])},
        )
    for name in odd.unloaded:
        yield Finding(
            "unloaded",
            WARNING,
            "The reference {name} is not loaded, so it is not rendered.",
            {"name": name},
            fix="load_reference",
            target=name,
        )
    if odd.unknown_nodes or odd.unknown_plugins:
        yield Finding(
            "unknown_nodes",
            WARNING,
            "{count} nodes are of plug-ins that are not loaded here: {names}.",
            {"count": odd.unknown_nodes, "names": ", ".join(odd.unknown_plugins[:5]) or "-"},
        )
    if odd.doubled_output:
        yield Finding(
            "same_output",
            ERROR,
            "Several layers or cameras would write to the same files {path}.",
            {"path": odd.doubled_output},
            fix="farm_output",
        )
