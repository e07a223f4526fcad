# SPDX-License-Identifier: Apache-2.0
"""Submissions of programs in which nodes write images: one job for each node, or for the one that was chosen.

A program's part is a module that reads its scene (`Scene` says what it must have); all else stands here.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from .assembly import Assembly, Target
from .errors import Refused
from .facts import ERROR, Facts, Finding
from .fields import settings_of
from .files import Need
from .following import FarmView
from .outputs import FORMATS, MOVIES
from .payload import Wish
from .renderers import known_renderers, no_renderer, own_settings, renderer_for
from .wishes import DEFAULTS, frames_wished, take_over

if TYPE_CHECKING:
    from .session import Session

WISHES: Dict[str, Any] = dict(DEFAULTS, node="")
"""What can be wished; `node`: only this one, "": every one that renders."""

OF_ONE_SCENE = ("job_name", "frames", "shot", "node", "overrides")
PROBE = 7654321
"""A frame whose number stands in no path by chance."""


class RenderNode:
    """A node that writes images. `path`: absolute, with ####; `answers`: what its renderer may ask of it."""

    def __init__(self, name: str, path: str, frames: str, answers: Dict[str, Any], **details: Any) -> None:
        self.name, self.path, self.frames, self.answers, self.details = name, path, frames, answers, details


class Scene:
    """What a program's module `scene` has: the port. Everything is called on the main thread and changes nothing."""

    path: Callable[[], str]
    """The scene's file; "" while it was never saved."""
    origin: Callable[[], str]
    """Its path, or the one that it would have."""
    in_window: Callable[[], bool]
    """Is there an artist, or only a script?"""
    is_modified: Callable[[], bool]
    """Are there changes that are not in the file? Asked in a window only."""
    current_frame: Callable[[], int]
    version: Callable[[], Tuple[Tuple[int, ...], str]]
    """The program's, as numbers and as text."""
    render_nodes: Callable[[], List[RenderNode]]
    """Every node that would write images."""
    needs: Callable[[], Iterator[List[Need]]]
    """Every file that the scene names, some at a time."""
    colour_configuration: Callable[[], str]
    """One that is not the program's own; "" for none."""
    judge: Callable[[List[RenderNode]], List[Finding]]
    """What is to be said besides what is said of every scene."""
    write_copy: Callable[[str], None]
    """Write what is open there, without a trace in the session."""


class Program:
    """What is the same in every scene of a program: its names, its files' endings, the farm's names for it, its scene.

    `asked`: settings of the farm's renderer that a node answers, as the setting's name to the answer's.
    """

    def __init__(self, name: str, endings: Sequence[str], renderer: str, asked: Dict[str, str], scene: Any) -> None:
        self.name, self.endings, self.own, self.asked = name, tuple(endings), renderer, asked
        self.scene: Scene = scene

    def renderer(self, info: Optional[Dict[str, Any]]) -> Optional[str]:
        """The farm's renderer for its scenes; None: it has none."""
        return renderer_for(info, self.endings, (self.own,))


class NodesAssembly(Assembly):
    """Submissions of the open scene in the making."""

    def __init__(self, here: "Session", program: Program, wishes: Dict[str, Any], farm: Optional[FarmView]) -> None:
        """Raises: Refused, the farm's address is none."""
        super().__init__(here, wishes, farm)
        self.program, self.scene = program, program.scene
        self.nodes: List[RenderNode] = []
        self._needs: List[Need] = []
        self._judged: List[Finding] = []

    def gather(self) -> Iterator[None]:
        """Read the scene, and put together one job for each node."""
        facts, scene = Facts(), self.scene
        self.facts, self._needs, self.origin = facts, [], scene.origin()
        facts.program, facts.version = self.program.name, scene.version()[0]
        facts.scene_path, facts.ocio = scene.path(), scene.colour_configuration()
        facts.is_dirty = scene.in_window() and scene.is_modified()
        self.nodes = scene.render_nodes()
        self._judged = scene.judge(self.nodes)
        yield
        for some in scene.needs():
            self._needs.extend(some)
            yield
        self.renderer = self.program.renderer(self.info)
        facts.renderer = self.renderer or ""
        chosen = self._chosen()
        self.targets = [self._target(node, several=len(chosen) > 1) for node in chosen]
        facts.frames = self.targets[0].wish.frames if self.targets else "1"
        yield

    def still_true(self) -> bool:
        """Does it name the same nodes and files as when it was read?"""
        now = {need.raw for some in self.scene.needs() for need in some}
        names = [(node.name, node.path) for node in self.scene.render_nodes()]
        same = now == {need.raw for need in self._needs} and names == [(node.name, node.path) for node in self.nodes]
        return same and self.scene.origin() == self.origin

    def is_as_saved(self) -> bool:
        """Only a window's program keeps account of changes."""
        scene = self.scene
        return scene.in_window() and not scene.is_modified() and os.path.isfile(scene.path())

    def write_copy(self, path: str) -> None:
        """The program writes what is open."""
        self.scene.write_copy(path)

    def needs(self) -> List[Need]:
        """What `gather` has found."""
        return self._needs

    def own_findings(self) -> List[Finding]:
        """That nothing renders, that two write the same, that the farm takes no such scenes."""
        found = list(self._judged)
        if self.renderer is None:
            found.append(no_renderer(self.program.name, known_renderers(self.info)))
        if not self.nodes:
            found.append(Finding("no_node", ERROR, "The scene has no node that renders images."))
        outputs = [target.output for target in self.targets if target.output]
        doubled = next((each for each in outputs if outputs.count(each) > 1), "")
        if doubled:
            found.append(
                Finding(
                    "same_output",
                    ERROR,
                    "Several nodes would write to the same files {path}.",
                    {"path": doubled},
                    fix="farm_output",
                )
            )
        return found

    def _chosen(self) -> List[RenderNode]:
        wished = str(self.wishes["node"])
        if not wished:
            return self.nodes
        chosen = [node for node in self.nodes if node.name == wished]
        if not chosen:
            known = ", ".join(node.name for node in self.nodes) or "-"
            raise Refused(
                "There is no node {name!r}.", {"name": wished, "known": known}, code="no_node", hint="Nodes: {known}"
            )
        return chosen

    def _target(self, node: RenderNode, *, several: bool) -> Target:
        target, said = Target(), self.wishes
        path, target.format, target.is_movie = image_output(node.path)
        target.output = path if said["output_mode"] != "FARM" else ""
        name = str(said["job_name"]) or os.path.splitext(os.path.basename(self.origin))[0] or "untitled"
        if several:
            name += " " + node.name.strip("/").replace("/", " ")
        frames = frames_wished(said, scene=node.frames, current=self.scene.current_frame())
        wish = target.wish = Wish(name, renderer=self.renderer, frames=frames, format=target.format)
        take_over(wish, said)
        wish.output = target.output or None
        own = own_settings(self.info, self.renderer or "", self.program.asked, node.answers)
        wish.settings = dict(own, **settings_of(said["overrides"]))
        wish.metadata = {
            "submitted_from": "{} {}".format(self.program.name, self.scene.version()[1]),
            "file": self.facts.scene_path,
            self.program.own: dict(node.details, node=node.name),
        }
        return target


def image_output(path: str) -> Tuple[str, str, bool]:
    """From a path with #### or without: output path, the farm's format, and whether it was a movie. PURE."""
    folder, slash, name = path.replace("\\", "/").rpartition("/")
    stem, ending = os.path.splitext(name)
    if "#" not in stem:
        stem += ".####"
    known = FORMATS.get(ending.lower())
    return folder + slash + stem + (ending if known else ".png"), known or "png", ending.lower() in MOVIES


def pattern_of(at: Callable[[int], str]) -> str:
    """A path with #### for the frame, from what it is at a frame: the number is looked for, and its width."""
    wide, narrow = at(PROBE), at(1)
    count = wide.count(str(PROBE))
    if not count:
        return narrow
    width = (len(narrow) - len(wide)) // count + len(str(PROBE))
    return wide.replace(str(PROBE), "#" * max(1, width))
