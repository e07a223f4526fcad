"""What a bundle is: a scene and its files by SHA-256, each with its place, described by one small manifest.

The manifest is a blob itself, so a bundle is known by the hash of its manifest (`scene: "bundle:HASH"`), a file that
two bundles share is stored and sent once, and a lease stays small. The scheduler reads a manifest before it takes a
job, the worker before it lays the files out; both must give the same answer. `origins` says which folder (or file) of
the artist's lies where in the bundle, for scenes that name files by absolute path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from scheduler.protocol.archives import MEMBERS_MAX
from scheduler.protocol.names import safe_member, same_name

FORMAT: Final = 1
MANIFEST_BYTES_MAX: Final = 16 * 2**20
ORIGIN_MAX: Final = 4096
"""Characters of an artist's path."""

_HASH: Final = re.compile(r"[0-9a-f]{64}")


class UnsafeBundle(Exception):
    """A bundle that is not laid out; `code` for programs, the message is a sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(message)


class Bundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A manifest: `scene` is one of the places in `files` (place to SHA-256)."""

    format: int
    scene: str
    files: dict[str, str]
    origins: dict[str, str] = {}


def read_bundle(content: bytes) -> Bundle:
    """The bundle that a manifest describes, when nothing in it is harmful.

    Raises:
        UnsafeBundle: bundle_damaged, bundle_too_large, bundle_unsafe_name, bundle_duplicate or bundle_without_scene.
    """
    if len(content) > MANIFEST_BYTES_MAX:
        raise UnsafeBundle("bundle_too_large", f"The bundle's manifest is larger than {MANIFEST_BYTES_MAX} bytes.")
    try:
        bundle = msgspec.json.decode(content, type=Bundle)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnsafeBundle("bundle_damaged", f"The bundle's manifest cannot be read: {error}.") from error
    if bundle.format != FORMAT:
        raise UnsafeBundle("bundle_damaged", f"The bundle has format {bundle.format}; this farm reads {FORMAT}.")
    if max(len(bundle.files), len(bundle.origins)) > MEMBERS_MAX:
        raise UnsafeBundle("bundle_too_large", f"The bundle has more than {MEMBERS_MAX} files or folders.")
    _check_places(bundle)
    if bundle.scene not in bundle.files:
        raise UnsafeBundle("bundle_without_scene", f"The bundle does not hold its scene {bundle.scene[:200]!r}.")
    return bundle


def _check_places(bundle: Bundle) -> None:
    for place, digest in bundle.files.items():
        _check_place(place)
        if _HASH.fullmatch(digest) is None:
            raise UnsafeBundle("bundle_damaged", f"The bundle names no SHA-256 for {place[:200]!r}.")
    for origin, place in bundle.origins.items():
        if place:
            _check_place(place)
        if not 0 < len(origin) <= ORIGIN_MAX:
            raise UnsafeBundle("bundle_damaged", "The bundle names an origin that is no path.")
    _check_distinct(bundle.files)


def _check_place(place: str) -> None:
    if safe_member(place) != place:
        raise UnsafeBundle("bundle_unsafe_name", f"The bundle's place {place[:200]!r} may not be written.")


def _check_distinct(places: Iterable[str]) -> None:
    """No two files may lie in one place, on any file system, and no file may be another one's folder."""
    files: set[str] = set()
    folders: set[str] = set()
    for place in places:
        path = same_name(place)
        if path in files:
            raise UnsafeBundle(
                "bundle_duplicate", f"The bundle holds {place!r} twice (upper and lower case count as one)."
            )
        files.add(path)
        parts = path.split("/")
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
    clash = files & folders
    if clash:
        raise UnsafeBundle("bundle_duplicate", f"The bundle holds {min(clash)!r} both as a file and as a folder.")
