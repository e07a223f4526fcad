"""From the flags of `submit` to the body of `POST /new_job`. PURE but for asking the disk whether a scene is there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scheduler.cli.exits import Usage

RENDERER_ENDINGS: Mapping[str, str] = {
    ".blend": "blender",
    ".ma": "maya",
    ".mb": "maya",
    ".obj": "kernel",
    ".ply": "kernel",
    ".glb": "kernel",
    ".gltf": "kernel",
}
"""Endings that name a scene, for finding the scene of a folder; the scheduler decides by itself."""

NAME_MAX = 200
TILES = re.compile(r"(\d+)x(\d+)")


@dataclass(frozen=True)
class Flags:
    """What the user said about a job, flag by flag; None and empty mean "not said"."""

    name: str | None = None
    renderer: str | None = None
    frames: str | None = None
    chunk: int | None = None
    tiles: str | None = None
    samples_split: int | None = None
    output: str | None = None
    format: str | None = None
    parameters: list[str] = field(default_factory=list[str])
    priority: int | None = None
    deadline: str | None = None
    project: str | None = None
    shot: str | None = None
    pools: list[str] = field(default_factory=list[str])
    cloud: str | None = None
    cost_cap_usd: float | None = None
    after: list[str] = field(default_factory=list[str])
    tags: list[str] = field(default_factory=list[str])
    max_attempts: int | None = None
    timeout_s: float | None = None
    paused: bool = False
    preview_first: bool = False


def body_of(flags: Flags, scene: str | None, cwd: Path) -> dict[str, Any]:
    """The body without anything that was not said. Relative paths are meant from `cwd`.

    Raises:
        Usage: a flag that cannot be understood.
    """
    body: dict[str, Any] = {
        "name": (flags.name or default_name(scene))[:NAME_MAX],
        "renderer": flags.renderer,
        "scene": scene_text(scene, cwd) if scene else None,
        "frames": flags.frames,
        "chunk": flags.chunk,
        "split": split_of(flags),
        "settings": parameters_of(flags.parameters) or None,
        "output": absolute(flags.output, cwd) if flags.output else None,
        "format": flags.format,
        "tracking": {"project": flags.project, "shot": flags.shot},
        "priority": flags.priority,
        "deadline": flags.deadline,
        "pools": flags.pools or None,
        "cloud": flags.cloud,
        "cost_cap_usd": flags.cost_cap_usd,
        "requires": {"tags": flags.tags or None},
        "depends_on": flags.after or None,
        "max_attempts": flags.max_attempts,
        "timeout_s": flags.timeout_s,
        "paused": flags.paused or None,
        "preview_first": flags.preview_first or None,
    }
    return said(body)


def said(body: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is None, and without objects that hold nothing else."""
    kept: dict[str, Any] = {}
    for key, value in body.items():
        inner = said(value) if isinstance(value, dict) and key != "settings" else value
        if inner is not None and inner != {}:
            kept[key] = inner
    return kept


def default_name(scene: str | None) -> str:
    """The scene's name without its ending."""
    return Path(scene).stem or "hello" if scene else "hello"


def split_of(flags: Flags) -> dict[str, Any] | None:
    """`--tiles 4x2` and `--samples-split 8` as the API's `split`.

    Raises:
        Usage: not columns × rows.
    """
    split: dict[str, Any] = {}
    if flags.tiles is not None:
        match = TILES.fullmatch(flags.tiles.strip().lower())
        if match is None:
            raise Usage(f"--tiles {flags.tiles!r} is not understood.", hint="Write columns x rows, e.g. --tiles 4x4")
        split["tiles"] = [int(match[1]), int(match[2])]
    if flags.samples_split is not None:
        split["samples"] = flags.samples_split
    return split or None


def parameters_of(texts: list[str]) -> dict[str, Any]:
    """`key=value` texts as settings; a value that is JSON is taken as such, anything else is a text.

    Raises:
        Usage: no `=`, no key, or a key twice.
    """
    settings: dict[str, Any] = {}
    for text in texts:
        key, mark, value = text.partition("=")
        key = key.strip()
        if not mark or not key:
            raise Usage(f"-p {text!r} is not understood.", hint="Write it like -p samples=64")
        if key in settings:
            raise Usage(f"-p {key} was given twice.", hint="Give each setting once.")
        settings[key] = _value(value)
    return settings


def scene_text(scene: str, cwd: Path) -> str:
    """A scene as the scheduler takes it: `blob:…` as it is, a path absolute."""
    return scene if scene.startswith("blob:") else absolute(scene, cwd)


def absolute(path: str, cwd: Path) -> str:
    """The path from the root, `~` and `..` resolved by name only: links stay links, they may differ on a worker."""
    import os.path

    return os.path.normpath(cwd / Path(path).expanduser())


def scene_in(folder: Path) -> str:
    """The one scene file of a bundle's folder, as a path relative to it.

    Raises:
        Usage: there is none, or more than one at the top.
    """
    scenes = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in RENDERER_ENDINGS)
    if len(scenes) != 1:
        found = ", ".join(scenes) if scenes else "none"
        raise Usage(
            f"A bundle holds one scene at its top; in {folder} there is: {found}.", hint="Name the scene itself."
        )
    return scenes[0]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
