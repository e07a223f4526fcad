"""A scene comes in: which renderer it belongs to, and whether it is what its ending says."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from scheduler.errors import Refused
from scheduler.protocol.renderers import RENDERERS
from scheduler.scenes import blend, maya, meshes

FOREIGN: Final = {
    ".3ds": "3D Studio",
    ".abc": "Alembic",
    ".ass": "Arnold",
    ".c4d": "Cinema 4D",
    ".fbx": "FBX",
    ".hip": "Houdini",
    ".hiplc": "Houdini",
    ".hipnc": "Houdini",
    ".katana": "Katana",
    ".lxs": "LuxRender",
    ".max": "3ds Max",
    ".nk": "Nuke",
    ".pbrt": "pbrt",
    ".pov": "POV-Ray",
    ".rib": "RenderMan",
    ".usd": "USD",
    ".usda": "USD",
    ".usdc": "USD",
    ".usdz": "USD",
    ".vrscene": "V-Ray",
}
"""Endings of scenes that other programs render, so that a user is told so; an ending in `RENDERERS` goes first."""

_BY_ENDING: Final = {ending: name for name, info in RENDERERS.items() for ending in info.endings}

HEAD_BYTES: Final = max(blend.HEAD_BYTES, maya.HEAD_BYTES, meshes.HEAD_BYTES)
"""As much of a scene as is ever looked at."""


@dataclass(frozen=True, slots=True)
class SceneFacts:
    """What a look at a scene tells: `version` of the program that saved it ("" when unknown), `size` in bytes."""

    renderer: str
    ending: str
    version: str
    size: int


def ending_of(name: str) -> str:
    """The ending in lower case with its dot, or ""."""
    return PurePosixPath(name).suffix.lower()


def known_endings() -> tuple[str, ...]:
    """Endings of the scenes that this farm renders."""
    return tuple(_BY_ENDING)


def renderer_for(name: str) -> str:
    """The renderer that a scene's ending asks for.

    Raises:
        Refused: scene_unknown_ending.
    """
    ending = ending_of(name)
    if ending in _BY_ENDING:
        return _BY_ENDING[ending]
    shown = PurePosixPath(name).name
    hint = f"This farm renders {', '.join(known_endings())}; save or export the scene as one of these."
    if ending in FOREIGN:
        message = f"{shown} is a {FOREIGN[ending]} scene, and this farm has no renderer for {ending}."
    elif ending:
        message = f"This farm has no renderer for {ending} ({shown})."
    else:
        message = f"{shown} has no ending, so it cannot be told which renderer it is for."
        hint = f"Name the renderer, or give the scene its ending: {', '.join(known_endings())}."
    raise Refused(message, code="scene_unknown_ending", hint=hint, details={"field": "scene"})


def look_at_scene(path: Path, renderer: str | None = None, *, name: str | None = None) -> SceneFacts:
    """Is the file at `path` there, and what its ending says? `name` stands in where the path has no ending (a blob).

    Raises:
        Refused: scene_missing, scene_unreadable, scene_unknown_ending, scene_wrong_renderer, scene_not_blend,
            scene_not_maya or scene_not_mesh.
    """
    try:
        # Opening a pipe must not wait for someone to write into it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _unreadable(f"The scene {path} is not a file.")
            head = os.read(descriptor, HEAD_BYTES)
            os.lseek(descriptor, max(0, status.st_size - blend.TAIL_BYTES), os.SEEK_SET)
            tail = os.read(descriptor, blend.TAIL_BYTES)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Refused(
            f"There is no scene {path}.",
            code="scene_missing",
            hint="Give the path as the farm's machines see it, or upload the scene with PUT /blobs/{hash}.",
            details={"field": "scene"},
        ) from error
    except OSError as error:
        raise _unreadable(f"The scene {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise _unreadable(f"The scene's path cannot be used: {error}.") from error
    return judge_scene(name or path.name, head, status.st_size, renderer=renderer, tail=tail)


def judge_scene(
    name: str, head: bytes, size: int, *, renderer: str | None = None, tail: bytes | None = None
) -> SceneFacts:
    """The facts of a scene of `size` bytes from its name, its first `HEAD_BYTES` and, where known, its last bytes.

    Raises:
        Refused: as `look_at_scene`, when the content is not what name or renderer say.
    """
    ending = ending_of(name) or _sniffed(head, renderer) or ""
    found = renderer_for(name if ending == ending_of(name) else f"scene{ending}")
    if renderer is not None and renderer != found:
        raise Refused(
            f"{PurePosixPath(name).name} is a scene for {RENDERERS[found].title}, not for {renderer}.",
            code="scene_wrong_renderer",
            hint=f"Leave out renderer, or set it to {found!r}.",
            details={"field": "renderer"},
        )
    version = ""
    try:
        if ending == ".blend":
            version = blend.blend_version(head, tail)
        elif ending in maya.ENDINGS:
            version = maya.maya_version(ending, head)
        else:
            meshes.check_mesh(ending, head, size)
    except (blend.NotBlend, maya.NotMaya, meshes.NotMesh) as error:
        raise Refused(
            f"{PurePosixPath(name).name}: {error}",
            code={"blender": "scene_not_blend", "maya": "scene_not_maya"}.get(found, "scene_not_mesh"),
            hint="Save the scene again and look whether the copy is whole; the program that made it should open it.",
            details={"field": "scene"},
        ) from error
    return SceneFacts(found, ending, version, size)


def _sniffed(head: bytes, renderer: str | None) -> str | None:
    """The ending that a file without one would have by its content, or by the renderer that is to read it."""
    if blend.looks_like_blend(head) and renderer in (None, "blender"):
        return ".blend"
    if (plain := maya.sniff_maya(head) or meshes.sniff_mesh(head)) is not None:
        return plain
    return RENDERERS[renderer].endings[0] if renderer in RENDERERS and RENDERERS[renderer].endings else None


def _unreadable(message: str) -> Refused:
    hint = "The farm's user must be able to read the scene; check its permissions."
    return Refused(message, code="scene_unreadable", hint=hint, details={"field": "scene"})
