"""The pictures that Maya has written: found, told apart and looked at.

With layers Maya makes a folder for each (`rs_NAME`), and engines one for each pass (`beauty`, `diffuse`); some put the
pass into the name. The farm keeps one picture a frame: the one of the plainest name and the shortest way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.runners.maya import failures
from worker.runners.maya.command import IMAGE
from worker.runners.picture_files import ImageWrong, check_image

FILES_MAX = 100_000
"""Files below the folder of images that are looked at."""

BEAUTY = frozenset({"beauty", "rgba", "rgb", "masterbeauty"})
KINDS = {"png": "png", "jpg": "jpg", "jpeg": "jpg", "exr": "exr"}
PICTURES = frozenset({*KINDS, "tif", "tiff", "iff", "tga", "bmp", "sgi", "rla", "als", "psd", "hdr", "dds", "tx"})

_NUMBERED = re.compile(r"(?P<stem>.*?)[._]?(?P<number>-?\d+)\.(?P<ending>[A-Za-z0-9]+)")


@dataclass(frozen=True)
class Found:
    """One picture: which frame it is, and where."""

    frame: int
    path: Path
    stem: str
    ending: str


def pictures_in(folder: Path) -> list[Found]:
    """Every numbered picture below a folder, links not followed."""
    found: list[Found] = []
    for number, path in enumerate(folder.rglob("*")):
        if number >= FILES_MAX:
            break
        match = _NUMBERED.fullmatch(path.name)
        if match and match["ending"].lower() in PICTURES and path.is_file() and not path.is_symlink():
            found.append(Found(int(match["number"]), path, match["stem"], match["ending"].lower()))
    return found


def choose(found: Sequence[Found], frame: int, image_format: str, folder: Path) -> Found | None:
    """The picture of a frame among all that were written; None: there is none. One of another format comes last."""

    def order(each: Found) -> tuple[bool, bool, bool, bool, int, str]:
        inner = each.path.relative_to(folder)
        above = {part.lower() for part in inner.parts[:-1]}
        return (
            KINDS.get(each.ending) != image_format,
            each.stem != IMAGE,
            len(inner.parts) > 1 and not above & BEAUTY,
            "masterlayer" not in above,
            len(inner.parts),
            str(inner),
        )

    return min((each for each in found if each.frame == frame), key=order, default=None)


def checked(found: Found, image_format: str, size: tuple[int, int] | None) -> Path:
    """The picture's file, when it is a whole one of the right format and size.

    Raises:
        RenderFailed: it is not; another format and size are the artist's to mend, a torn file is not.
    """
    if KINDS.get(found.ending) != image_format:
        raise failures.wrong_format(found.frame, image_format, found.ending)
    try:
        have = check_image(found.path, image_format, None)
    except (ImageWrong, OSError) as error:
        raise failures.broken(found.frame, str(error)) from error
    if size is not None and have != size:
        raise failures.wrong_size(found.frame, have, size)
    return found.path
