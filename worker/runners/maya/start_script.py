"""The MEL that a Maya runs before it opens a scene: where the files of the scene's bundle lie on this machine. PURE.

Maya reads `userSetup.mel` from MAYA_SCRIPT_PATH when it starts, and `dirmap` then rewrites the paths of a scene as it
is opened: absolute folders with slashes, told apart by case (Autodesk, MEL command reference, "dirmap"). This is the
one place where text of a user's becomes part of MEL, always as a string literal and never as anything else.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from worker.runners.maya.spellings import is_windows

NAME = "userSetup.mel"

Mappings = list[tuple[str, str]]
"""Folder of the artist's, folder here; both end in a slash."""

_ESCAPES = {"\\": "\\\\", '"': '\\"'}


class NotSpeakable(ValueError):
    """The text holds what no MEL string can hold safely; the message says what."""


def mel_string(text: str) -> str:
    """A MEL string literal of exactly this text.

    Inside of the quotes MEL knows escapes by backslash and nothing else: `$` and backquotes are plain there. Control
    characters, separators of lines and what is not text at all are refused.

    Raises:
        NotSpeakable: see there.
    """
    for letter in text:
        if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp", "Cn", "Co"):
            raise NotSpeakable(f"{letter!r} cannot stand in a path that Maya is told")
    return '"' + "".join(_ESCAPES.get(letter, letter) for letter in text) + '"'


def start_script(mappings: Iterable[tuple[str, str]]) -> str:
    """The script; what cannot be said in MEL is left out (`unspeakable` names it)."""
    lines = ["dirmap -en true;"]
    for origin, here in mappings:
        try:
            lines.append(f"dirmap -m {mel_string(origin)} {mel_string(here)};")
        except NotSpeakable:
            continue
    return "\n".join(lines) + "\n"


def unspeakable(mappings: Iterable[tuple[str, str]]) -> list[str]:
    """Folders of the artist's that `start_script` leaves out."""
    left_out = []
    for origin, here in mappings:
        try:
            mel_string(origin + here)
        except NotSpeakable:
            left_out.append(origin)
    return left_out


def mappings_of(
    origins: Mapping[str, str], tree: str, spellings: Mapping[str, Sequence[str]] | None = None
) -> Mappings:
    """What `dirmap` must be told so that a scene finds its bundle in `tree`, deepest folders first.

    `origins` is the bundle's: folder (or file) of the artist's to place in the tree. A folder that follows from one
    above it is not named again, but on Windows, where spellings may differ. `spellings` are those of the scenes for
    origins of Windows (`spellings_in`).
    """
    folders = {origin: place for origin, place in origins.items() if origin.strip("/")}
    made: Mappings = []
    for origin, place in sorted(folders.items(), key=lambda item: (-item[0].count("/"), item)):
        if is_windows(origin) or not _follows(origin, place, folders):
            here = f"{tree.rstrip('/')}/{place}".rstrip("/") + "/"
            spelled = dict.fromkeys([*(spellings or {}).get(origin, ()), origin])
            made += [(spelling.rstrip("/") + "/", here) for spelling in spelled]
    return made


def place_of(origins: Mapping[str, str], path: str) -> str | None:
    """The place in the bundle of a folder of the artist's; None: it is not in there."""
    key = path.replace("\\", "/").rstrip("/")
    if key[1:2] == ":" or path.startswith("\\\\"):
        key = key.lower()
    rest = ""
    while key:
        if key in origins:
            return f"{origins[key]}/{rest}".strip("/")
        key, _, name = key.rpartition("/")
        rest = f"{name}/{rest}".rstrip("/")
    return None


def _follows(origin: str, place: str, folders: Mapping[str, str]) -> bool:
    """Does the nearest named folder above lead to the same place?"""
    above, _, rest = origin.rpartition("/")
    while above:
        if above in folders:
            return f"{folders[above]}/{rest}".strip("/") == place
        above, _, name = above.rpartition("/")
        rest = f"{name}/{rest}"
    return False
