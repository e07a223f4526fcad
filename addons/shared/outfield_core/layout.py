# SPDX-License-Identifier: Apache-2.0
"""Where a scene and its files lie in the bundle that travels to the farm. Pure: paths are texts here.

The artist's folders are mirrored below their common ancestor, so that relative paths hold as they are and no file needs
to be rewritten. `origins` says which folder of the artist's became which folder of the bundle; by it the worker finds
what the scene names by absolute path. Names that some system could not hold are changed, and noted in `origins` too.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

FORMAT = 1
DEPTH_MAX = 24
PATH_BYTES_MAX = 900
PART_BYTES_MAX = 200

_BAD_LETTER = re.compile("[\x00-\x1f\x7f-\x9f\\\\:\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_DEVICE = re.compile(r"^(con|prn|aux|nul|conin\$|conout\$|clock\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$", re.IGNORECASE)
_DRIVE = re.compile(r"^([A-Za-z]):[\\/]")


class Layout:
    """The bundle's plan: the scene's place, each file's place and source, and the artist's folders."""

    def __init__(self, scene: str, sources: Dict[str, str], origins: Dict[str, str]) -> None:
        self.scene, self.sources, self.origins = scene, sources, origins

    def manifest(self, hashes: Dict[str, str]) -> bytes:
        """The bundle's description, the same bytes for the same content; `hashes`: place to SHA-256."""
        content = {"format": FORMAT, "scene": self.scene, "files": hashes, "origins": self.origins}
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def lay_out(scene: str, files: Iterable[str]) -> Layout:
    """Plan a bundle of the scene at `scene` (the artist's own path of it) and of `files`, all absolute paths."""
    wanted = sorted({path for path in files if path != scene})
    split = {path: _split(path) for path in [scene, *wanted]}
    common = _common([folder for folder, _ in split.values()])
    places = _Places()
    sources: Dict[str, str] = {}
    origins: Dict[str, str] = {}
    seen: Dict[str, str] = {}
    for path in [scene, *wanted]:
        key = path_key(path)
        if key in seen:  # the same file under another spelling, where case does not count
            continue
        folder, name = split[path]
        where = places.folder(tuple(folder[common:]))
        place = seen[key] = places.place(where, name)
        sources[place] = path
        origins[path_key(path)[: -len(name)].rstrip("/") or "/"] = where
        _name_ancestors(origins, path_key(path), folder, common, places)
        if not place.endswith("/" + name) and place != name:
            origins[key] = place
    scene_place = seen[path_key(scene)]
    return Layout(scene_place, sources, origins)


def _name_ancestors(origins: Dict[str, str], key: str, folder: List[str], common: int, places: "_Places") -> None:
    """Folders that hold only folders, because a scene may name one of them (a cache's)."""
    above = key.rpartition("/")[0]
    for depth in range(len(folder) - 1, common - 1, -1):
        above = above.rpartition("/")[0]
        if above in origins or not above:
            return
        origins[above] = places.folder(tuple(folder[common:depth]))


def path_key(path: str) -> str:
    """A path as `origins` names it: with slashes, and in lower case where the system does not tell case apart."""
    if _is_windows(path):
        return path.replace("\\", "/").lower()
    return path


def _is_windows(path: str) -> bool:
    return _DRIVE.match(path) is not None or path.startswith("\\\\")


def _split(path: str) -> Tuple[List[str], str]:
    """Folders from the root on, and the name. A drive or a host counts as a folder."""
    drive = _DRIVE.match(path)
    if drive is not None:
        parts = [drive[1].upper(), *path[3:].replace("\\", "/").split("/")]
    elif path.startswith("\\\\"):
        parts = path[2:].replace("\\", "/").split("/")
    else:
        parts = path.split("/")
    parts = [part for part in parts if part not in ("", ".")]
    return parts[:-1], parts[-1]


def _common(folders: Sequence[Sequence[str]]) -> int:
    """How many leading folders all share."""
    count = min(len(folder) for folder in folders)
    for depth in range(count):
        if len({folder[depth] for folder in folders}) > 1:
            return depth
    return count


class _Places:
    """Gives every folder and file a place of its own on any file system."""

    def __init__(self) -> None:
        self._folders: Dict[Tuple[str, ...], str] = {(): ""}
        self._taken: Dict[str, Tuple[str, str]] = {}

    def folder(self, parts: Tuple[str, ...]) -> str:
        """The bundle's folder for the artist's folder, "" for the top."""
        if parts not in self._folders:
            parent = self.folder(parts[:-1])
            place = self.place(parent, parts[-1])
            if place.count("/") >= DEPTH_MAX or len(place.encode()) > PATH_BYTES_MAX - PART_BYTES_MAX:
                place = "deep/" + hashlib.sha256("/".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
            self._folders[parts] = place
        return self._folders[parts]

    def place(self, parent: str, name: str) -> str:
        safe = safe_name(name)
        stem, dot, ending = safe.rpartition(".")
        for count in range(1, 1_000_000):
            tried = safe if count == 1 else "{}~{}{}{}".format(stem or safe, count, dot, ending if stem else "")
            place = parent + "/" + tried if parent else tried
            holder = self._taken.setdefault(_same(place), (parent, name))
            if holder == (parent, name):
                return place
        raise AssertionError("a folder with a million files of one name")


def safe_name(name: str) -> str:
    """The name itself, or one like it that every system can hold. Digits stay, so that sequences stay sequences."""
    safe = _BAD_LETTER.sub("_", unicodedata.normalize("NFC", name)) if _BAD_LETTER.search(name) else name
    if safe.endswith((".", " ")):
        safe = safe.rstrip(". ") + "_"
    if _DEVICE.match(safe):
        safe = "_" + safe
    encoded = safe.encode()
    if len(encoded) > PART_BYTES_MAX:
        mark = hashlib.sha256(encoded).hexdigest()[:8]
        safe = mark + encoded[-(PART_BYTES_MAX - len(mark)) :].decode("utf-8", "ignore")
    return safe or "_"


def _same(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def find_origin(origins: Dict[str, str], path: str) -> Optional[str]:
    """The bundle's place of an artist's absolute path: by its whole path, else by its folder."""
    key = path_key(path)
    if key in origins:
        return origins[key]
    folder, _, name = key.rpartition("/")
    if (folder or "/") not in origins:
        return None
    where, own_name = origins[folder or "/"], path[len(path) - len(name) :]
    return where + "/" + own_name if where else own_name
