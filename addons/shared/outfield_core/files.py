# SPDX-License-Identifier: Apache-2.0
"""From what a scene names to the files on the disk: sequences, UDIM tiles and folders unfolded, missing ones told.

Reads the disk, a listing per folder, so it runs in a thread: a file server may take its time.
"""

from __future__ import annotations

import os
import re
from typing import Callable, Dict, Iterable, List, Tuple

from .errors import Cancelled
from .outputs import HASHES

DIGITS = re.compile(r"\d+")
TILE_MARK = re.compile(r"<UDIM>|<UVTILE>|%\(UDIM\)d", re.IGNORECASE)
SPARE = ("sound", "folder", "other")
"""A render does not hear, and simulates what is not baked."""

FOLDER_FILES_MAX = 50_000
"""Files of one cache folder; beyond that something else is meant."""


class Need:
    """Something the scene names: its kind, its absolute path, whose it is, and the path as it is written there.

    `kind`: library, image, udim, sequence, movie, font, sound, volume, cache, folder, ies, script or other. `spare`: no
    render is known to read it.
    """

    def __init__(
        self, kind: str, path: str, owner: str, *, raw: str = "", linked: bool = False, spare: bool = False
    ) -> None:
        self.kind, self.path, self.owner, self.raw, self.linked = kind, path, owner, raw, linked
        self.spare = spare or kind in SPARE

    def __repr__(self) -> str:
        return "Need({!r}, {!r}, {!r})".format(self.kind, self.path, self.owner)


class Found:
    """What the disk says: `files` with their sizes, needs that are `missing` and files that are `unreadable`."""

    def __init__(self) -> None:
        self.files: Dict[str, int] = {}
        self.missing: List[Need] = []
        self.unreadable: List[Need] = []

    @property
    def total_bytes(self) -> int:
        """All files together."""
        return sum(self.files.values())


def of_set(named: str, kind: str) -> Tuple[str, str]:
    """The kind of need that a name with marks is (`<UDIM>`, ####), and the name as the disk is asked for it. PURE."""
    if TILE_MARK.search(named):
        return "udim", named
    folder, name = os.path.split(named)
    return ("sequence", os.path.join(folder, HASHES.sub("1", name))) if "#" in name else (kind, named)


def find_files(needs: Iterable[Need], cancelled: Callable[[], bool] = lambda: False) -> Found:
    """Look for every need on the disk.

    Raises:
        Cancelled: `cancelled` said so.
    """
    found = Found()
    listings: Dict[str, List[str]] = {}
    for need in needs:
        if cancelled():
            raise Cancelled
        paths = _paths(need, listings)
        if not paths:
            found.missing.append(need)
        for path in paths:
            _take(need, path, found)
    return found


def _take(need: Need, path: str, found: Found) -> None:
    if path in found.files:
        return
    try:
        size = os.stat(path).st_size
    except OSError:
        found.missing.append(need)
        return
    if os.access(path, os.R_OK):
        found.files[path] = size
    else:
        found.unreadable.append(need)


def _paths(need: Need, listings: Dict[str, List[str]]) -> List[str]:
    """The files of a need; none: it is not there."""
    if need.kind == "folder":
        return _folder(need.path)
    if need.kind in ("sequence", "udim"):
        folder, name = os.path.split(need.path)
        names = _matching(need.kind, name, _listing(folder, listings))
        return [os.path.join(folder, each) for each in names]
    if os.path.isdir(need.path):
        return _folder(need.path) if need.kind == "other" else []
    return [need.path] if os.path.exists(need.path) else []


def _matching(kind: str, name: str, names: List[str]) -> List[str]:
    """Names that differ from `name` only in its last number, or in its UDIM tile."""
    if kind == "udim" and TILE_MARK.search(name):
        head, tail = TILE_MARK.split(name, maxsplit=1)
        number = r"(\d{4}|u\d+_v\d+)"
    else:
        last = None
        for last in DIGITS.finditer(name):  # noqa: B007 - the last one is wanted
            pass
        if last is None:
            return [name] if name in names else []
        head, tail = name[: last.start()], name[last.end() :]
        number = r"\d{4}" if kind == "udim" else r"-?\d+"
    wanted = re.compile(re.escape(head) + number + re.escape(tail))
    return [each for each in names if wanted.fullmatch(each)]


def _listing(folder: str, listings: Dict[str, List[str]]) -> List[str]:
    if folder not in listings:
        try:
            listings[folder] = sorted(os.listdir(folder))
        except OSError:
            listings[folder] = []
    return listings[folder]


def _folder(path: str) -> List[str]:
    found: List[str] = []
    for root, folders, names in os.walk(path):
        folders.sort()
        found.extend(os.path.join(root, name) for name in sorted(names))
        if len(found) > FOLDER_FILES_MAX:
            break
    return found


def sizes_of(found: Found) -> List[Tuple[str, int]]:
    """Files, the largest first."""
    return sorted(found.files.items(), key=lambda pair: (-pair[1], pair[0]))
