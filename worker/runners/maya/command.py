"""The command lines of a task: one `Render` for each run of frames with one step. PURE.

`Render` writes what it is told into a temporary MEL script and has Maya run it, through a shell script on some systems
(its errors name `/var/tmp/ASTMP….mel`). So every value that goes there must be one that neither MEL nor a shell could
read as anything but itself: numbers, words of our own, names as Maya allows them, and plain paths.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.runners.maya.engines import Engine

IMAGE = "frame"
"""What images are called, before the frame's number."""

NAME_DOT_NUMBER_DOT_ENDING = "3"
"""`-fnc`: `name.#.ext` (Autodesk, Render Settings, "Frame/Animation ext")."""

DIGITS = "4"

_NODE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[:|][A-Za-z_][A-Za-z0-9_]*)*", re.ASCII)
_PLAIN_SIGNS = frozenset(" ._-+=@,~#()[]{}/")


class NotPlain(ValueError):
    """A value that may not reach Maya's command line; the message says which and why."""


@dataclass(frozen=True)
class Places:
    """Where Maya reads and writes; all plain paths. `project`: "" for none."""

    scene: str
    images: str
    project: str = ""


@dataclass(frozen=True)
class Run:
    """Frames of one process: `first`, `first + step`, … up to `last`."""

    first: int
    last: int
    step: int = 1

    @property
    def frames(self) -> range:
        """All of them."""
        return range(self.first, self.last + 1, self.step)


def runs_of(frames: Sequence[int]) -> list[Run]:
    """Frames as few runs, in order: starting Maya takes longer than many a frame."""
    left = sorted(set(frames))
    made: list[Run] = []
    while left:
        step = left[1] - left[0] if len(left) > 1 else 1
        count = 1
        while count < len(left) and left[count] - left[count - 1] == step:
            count += 1
        if count == 2 and step > 1:
            count = 1  # two frames far apart say nothing of those that follow
        made.append(Run(left[0], left[count - 1], step if count > 1 else 1))
        left = left[count:]
    return made


def command_line(
    render: str, engine: Engine, run: Run, places: Places, image_format: str, settings: Mapping[str, Any], threads: int
) -> list[str]:
    """The arguments of one `Render`.

    Raises:
        NotPlain: a name or a path that could be read as something else.
    """
    argv = [render, "-r", engine.name, "-s", str(run.first), "-e", str(run.last), "-b", str(run.step)]
    argv += ["-rd", plain_path(places.images)]
    if engine.named:
        argv += ["-im", IMAGE]
    if engine.common:
        argv += ["-fnc", NAME_DOT_NUMBER_DOT_ENDING, "-pad", DIGITS, "-of", engine.formats[image_format]]
    for flag, key in (("-cam", "camera"), ("-rl", "layer")):
        if settings.get(key) is not None:
            argv += [flag, node_name(str(settings[key]), key)]
    argv += _resolution(engine, settings)
    if engine.threads:
        argv += [engine.threads, str(int(threads))]
    if engine.samples and settings.get("samples") is not None:
        argv += [engine.samples, str(int(settings["samples"]))]
    argv += engine.also
    if places.project:
        argv += ["-proj", plain_path(places.project)]
    return [*argv, plain_path(places.scene)]


def node_name(text: str, what: str) -> str:
    """A name as Maya gives it to nodes, with namespaces and parents.

    Raises:
        NotPlain: it is none.
    """
    if _NODE.fullmatch(text) is None:
        raise NotPlain(f"{text!r} is no name that Maya would give to a {what}")
    return text


def is_plain(path: str) -> bool:
    """May a path stand on Maya's command line: letters, digits, spaces and a few signs, on Windows a drive in front?"""
    rest = path[2:] if re.match(r"[A-Za-z]:/", path) else path
    if not rest or path.startswith("-"):
        return False
    return all(letter in _PLAIN_SIGNS or unicodedata.category(letter)[0] in "LMN" for letter in rest)


def plain_path(path: str) -> str:
    """The path, when it `is_plain`.

    Raises:
        NotPlain: it is not.
    """
    if not is_plain(path):
        signs = " ".join(sorted({letter for letter in path if not is_plain(f"a{letter}")}))
        raise NotPlain(f"the path {path!r} holds signs that could mean something to Maya or to a shell ({signs})")
    return path


def _resolution(engine: Engine, settings: Mapping[str, Any]) -> list[str]:
    width, height = settings.get("width"), settings.get("height")
    if engine.resolution:
        return [engine.resolution, str(int(width)), str(int(height))] if width and height else []
    argv = [word for flag, side in (("-x", width), ("-y", height)) if side for word in (flag, str(int(side)))]
    if engine.common and width and height:
        argv += ["-ard", f"{width / height:.6f}"]  # else the picture keeps the scene's shape, and is stretched
    return argv
