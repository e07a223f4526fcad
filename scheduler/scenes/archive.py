"""A zip of a scene comes in (`POST /jobs/new`): is it harmless, and which of its files is the scene?

Nothing is unpacked here; `worker.archive` does that, by the same rules (`scheduler.protocol.archives`). Of the contents
only the scene's first bytes are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from scheduler.errors import Refused
from scheduler.protocol.archives import READ_ERRORS, Member, UnsafeArchive, damaged, open_archive
from scheduler.protocol.names import safe_member
from scheduler.scenes.intake import FOREIGN, HEAD_BYTES, ending_of, judge_scene, known_endings, renderer_for

JOB_NAME_MAX: Final = 200
CANDIDATES_TOLD_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class ArchiveFacts:
    """What a zip holds: the scene's path in it, a name for the job, the scene's renderer and version, and how much."""

    scene: str
    name: str
    renderer: str
    version: str
    members: int
    total_bytes: int


def inspect(path: Path, *, scene: str | None = None, renderer: str | None = None) -> ArchiveFacts:
    """Judges the zip at `path` and finds its scene, which is `scene` where several could be meant. Blocks on the disk.

    Raises:
        Refused: archive_… for a zip that is not taken, scene_… when there is no scene, or no single one, or it is not
            what its ending says.
    """
    try:
        with path.open("rb") as file:
            archive, members = open_archive(file)
            chosen = choose_scene(members, scene)
            with archive.open(chosen.info) as content:
                head = content.read(HEAD_BYTES)
    except UnsafeArchive as error:
        raise _refused(error) from error
    except READ_ERRORS as error:
        raise _refused(damaged(error)) from error
    facts = judge_scene(chosen.path, head, chosen.size, renderer=renderer)
    return ArchiveFacts(
        scene=chosen.path,
        name=PurePosixPath(chosen.path).stem[:JOB_NAME_MAX],
        renderer=facts.renderer,
        version=facts.version,
        members=len(members),
        total_bytes=sum(member.size for member in members),
    )


def choose_scene(members: Sequence[Member], scene: str | None = None) -> Member:
    """The one file with a scene's ending that lies shallowest, or the one called `scene`.

    Files that systems leave behind (`__MACOSX/`, names with a leading dot) are no scenes.

    Raises:
        Refused: scene_missing, scene_ambiguous or scene_unknown_ending.
    """
    files = [member for member in members if not member.folder and not _left_behind(member.path)]
    if scene is not None:
        return _named(files, scene)
    known = [member for member in files if ending_of(member.path) in known_endings()]
    foreign = [member for member in files if ending_of(member.path) in FOREIGN and member not in known]
    depth = min((member.path.count("/") for member in (*known, *foreign)), default=0)
    nearest = [member for member in known if member.path.count("/") == depth]
    if len(nearest) == 1:
        return nearest[0]
    if nearest:
        raise Refused(
            f"The archive holds several scenes: {_listed(nearest)}.",
            code="scene_ambiguous",
            hint="Say which one is meant with the form field `scene`, or leave the others out of the archive.",
            details={"field": "scene", "candidates": [member.path for member in nearest]},
        )
    for member in foreign:
        if member.path.count("/") == depth:
            renderer_for(member.path)
    raise Refused(
        f"The archive holds no scene: none of its {len(files)} files ends in {', '.join(known_endings())}.",
        code="scene_missing",
        hint="Put the scene and what it needs into one zip.",
        details={"field": "file"},
    )


def _named(files: Sequence[Member], scene: str) -> Member:
    path = safe_member(scene)
    for member in files:
        if member.path == path:
            renderer_for(member.path)
            return member
    raise Refused(
        f"The archive holds no file {scene!r}.",
        code="scene_missing",
        hint=f"It holds: {_listed(files)}." if files else "It holds no files.",
        details={"field": "scene"},
    )


def _left_behind(path: str) -> bool:
    parts = path.split("/")
    return parts[0] == "__MACOSX" or any(part.startswith(".") for part in parts)


def _listed(members: Sequence[Member]) -> str:
    shown = ", ".join(member.path for member in members[:CANDIDATES_TOLD_MAX])
    more = len(members) - CANDIDATES_TOLD_MAX
    return f"{shown} and {more} more" if more > 0 else shown


def _refused(error: UnsafeArchive) -> Refused:
    hint = "Make the zip again with an ordinary tool, from the scene's own folder, and send it again."
    return Refused(error.message, code=error.code, hint=hint, details={"field": "file"})
