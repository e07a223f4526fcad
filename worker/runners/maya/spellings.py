"""How a scene spells the folders of a Windows artist: a bundle's origins are in lower case, but `dirmap` goes by case.

Both kinds of scenes hold paths as plain text, so that the scene itself tells; the scenes that it refers to spell for
themselves. One pass over each file, without taking it into memory.
"""

from __future__ import annotations

import mmap
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

SPELLINGS_MAX = 32
"""Spellings of one folder that are remembered."""

_PATH = re.compile(rb'(?:(?<![A-Za-z])[A-Za-z]:|(?<![\\/:])(?=[\\/]{2}))[\\/][^"\x00-\x1f]{1,1024}')


def is_windows(origin: str) -> bool:
    """Is it an origin of Windows: with a drive, or a share?"""
    return re.match(r"[A-Za-z]:/|//", origin) is not None


def spellings_in(scenes: Iterable[Path], origins: Collection[str]) -> Mapping[str, list[str]]:
    """For each origin of Windows, the spellings with slashes that stand in these scenes, in order of appearance.

    A scene that cannot be read tells nothing; Maya will say why.
    """
    wanted = frozenset(origin for origin in origins if is_windows(origin))
    found: dict[str, list[str]] = defaultdict(list)
    if wanted:
        for scene in scenes:
            for path in _paths(scene):
                _note(found, wanted, path)
    return found


def _note(found: dict[str, list[str]], wanted: frozenset[str], path: str) -> None:
    folder = path.lower()
    while folder:
        spelled = path[: len(folder)]
        if folder in wanted and spelled not in found[folder] and len(found[folder]) < SPELLINGS_MAX:
            found[folder].append(spelled)
        folder = folder.rpartition("/")[0]


def _paths(scene: Path) -> Iterable[str]:
    try:
        with scene.open("rb") as file:
            if file.seek(0, 2) == 0:
                return
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                for match in _PATH.finditer(content):
                    text = match[0].decode("utf-8", "replace")
                    yield text.replace("\\\\", "/").replace("\\", "/") if text[1:2] == ":" else _share(text)
    except OSError:
        return


def _share(text: str) -> str:
    """A share's path with slashes; .ma doubles each backslash."""
    return "//" + re.sub(r"[\\/]+", "/", text.lstrip("\\/"))
